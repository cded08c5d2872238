"""Filters: weights as pictures, slices, depthwise kernels, and what is refused."""

from typing import Any

import pytest
import torch
from safetensors.torch import load

from app.errors import InputError
from app.kinds.filters import FiltersParams
from app.networks.catalogue import SHIPPED
from models.registry import load_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, run_steps
from worker.understanding.filters import filters, picture_of


def run(**values: Any) -> Outcome:
    params = FiltersParams.model_validate({"network": "palette", **values}).resolve(SHIPPED)
    inputs = Inputs(networks={name: load_network(name) for name in params.further_networks()})
    network = load_network(params.network)
    return run_steps(filters(params, inputs, network, Compute(torch.device("cpu"))))


def test_zero_is_grey_and_the_largest_weights_are_the_ends() -> None:
    weights = torch.tensor([2.0, 0.0, -1.0, -2.0]).view(1, 1, 2, 2)
    assert picture_of(weights, 2.0).flatten().tolist() == [1, 0.5, 0.25, 0]
    assert picture_of(torch.zeros(1, 3, 2, 2), 0.0).unique().tolist() == [0.5]


def test_first_layers_are_shown_whole_beside_each_other() -> None:
    outcome = run(against="vgg19-random", channels="3-5")
    for report, name, artifact in zip(
        outcome.result["filters"], ("palette", "vgg19-random"), ("weights", "against"), strict=True
    ):
        assert (report["network"], report["layer"], report["part"]) == (name, "conv1_1", None)
        assert (report["shape"], report["channels"]) == ([32, 3, 3, 3], [3, 4, 5])
        shown = load(outcome.files["weights"].data)[artifact]
        assert torch.equal(shown, load_network(name).stack["conv1_1"].weight[3:6])
    alone = run(channels="3-5").images["image"]
    assert outcome.images["image"].shape[3] > 2 * alone.shape[3]


def test_squares_stay_sharp() -> None:
    image = run(channels=[0], limit=1).images["image"]
    weight = load_network("palette").stack["conv1_1"].weight[0]
    color = picture_of(weight, weight.abs().amax())[:, 0, 0]
    near = (image[0] - color.view(3, 1, 1)).abs().amax(0) < 1 / 255
    assert near.sum() >= 20 * 20


@pytest.mark.parametrize(
    ("values", "shape"),
    [
        ({"layer": "conv2_1", "inputs": [0, 5, 9]}, [16, 3, 3, 3]),
        ({"layer": "conv2_1", "channels": [7]}, [1, 32, 3, 3]),
        ({"network": "efficientnet_lite0", "layer": "block4", "limit": 9}, [9, 1, 5, 5]),
        ({"network": "efficientnet_lite0", "layer": "block4", "part": "project"}, [16, 16, 1, 1]),
    ],
)
@pytest.mark.parametrize("scale", ["each", "common"])
def test_deeper_layers_are_shown_by_slices(values: dict[str, Any], shape: list[int], scale: str) -> None:
    outcome = run(scale=scale, **values)
    assert list(load(outcome.files["weights"].data)["weights"].shape) == shape
    image = outcome.images["image"]
    assert image.shape[:2] == (1, 3) and image.min() >= 0 and image.max() <= 1


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"layer": "relu1_1"}, "layer"),
        ({"layer": "fc6"}, "layer"),
        ({"layer": "conv1_1", "channels": [32]}, "channels"),
        ({"layer": "conv2_1", "inputs": [32]}, "inputs"),
        ({"inputs": [0]}, "inputs"),
        ({"part": "depthwise"}, "part"),
        ({"against": "nothing"}, "against"),
        ({"layer": "conv3_1", "against": "squeezenet1_1"}, "against"),
        ({"network": "efficientnet_lite0", "layer": "block2", "channels": [500]}, "channels"),
    ],
)
def test_what_is_not_there_is_refused(values: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as error:
        run(**values)
    assert error.value.field == field
