"""Activations: maps and statistics by hand, dead units, and what a figure has room for."""

import math
from typing import Any

import pytest
import torch
from safetensors.torch import load
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.activations import SPEC, ActivationsParams, ResolvedActivations
from app.kinds.spec import Lane
from app.networks.catalogue import SHIPPED, get_card
from models.network import Network
from tests.support.networks import identity_network, make_classifier, silenced
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, run_steps
from worker.understanding.activations import activations, channel_statistics, shown_channels
from worker.understanding.views import as_input

NETWORK = make_classifier()


def run(network: Network, picture: Tensor, **values: Any) -> Outcome:
    given = {"image": "i", "layers": ["relu1"], "size": 32, **values}
    params = ResolvedActivations.model_validate(given)
    return run_steps(
        activations(params, Inputs.of({"image": [picture]}), network, Compute(torch.device("cpu")))
    )


def test_statistics_by_hand() -> None:
    maps = torch.tensor([[[3.0, 0.0], [0.0, 0.0]], [[2.0, 2.0], [2.0, 2.0]], [[-1.0, 0.0], [3.0, -4.0]]])
    one, even, signed = channel_statistics(maps)
    assert (one.mean, one.max, one.sparsity, one.zero_share, one.dead) == (0.75, 3, 1, 0.75, False)
    assert (even.mean, even.max, even.zero_share, even.dead) == (2, 2, 0, False)
    assert even.sparsity == pytest.approx(0, abs=1e-6)
    # (sqrt(4) - 8 / sqrt(26)) / (sqrt(4) - 1)
    assert signed.sparsity == pytest.approx(2 - 8 / math.sqrt(26), abs=1e-6)
    assert (signed.mean, signed.max, signed.zero_share) == (-0.5, 3, 0.25)


def test_what_is_zero_everywhere_has_no_sparsity_and_is_dead() -> None:
    (zero,) = channel_statistics(torch.zeros(1, 2, 2))
    assert (zero.sparsity, zero.zero_share, zero.dead) == (None, 1, True)
    unit, dead = channel_statistics(torch.tensor([2.0, -1.0]))
    assert (unit.mean, unit.max, unit.sparsity, unit.dead) == (2, 2, None, False)
    assert dead.dead


def test_the_maps_are_those_of_the_picture_that_the_network_is_shown(content: Tensor) -> None:
    outcome = run(identity_network(), content, layers=["conv1", "pool1"])
    shown = as_input(content, 32)
    maps = load(outcome.files["maps"].data)
    assert torch.equal(maps["conv1"], shown[0])
    assert torch.allclose(maps["pool1"], torch.nn.functional.avg_pool2d(shown, 2)[0])
    first, second = outcome.result["layers"]
    assert (first["shape"], second["shape"]) == ([3, 32, 32], [3, 16, 16])
    assert first["mean"] == pytest.approx(float(shown.mean()))
    assert [row["max"] for row in outcome.result["table"][:3]] == pytest.approx(
        shown[0].amax((1, 2)).tolist()
    )


def test_dead_units_are_counted_and_named(content: Tensor) -> None:
    network = silenced(silenced(NETWORK, "conv1", 2), "conv1", 4)
    for layer in ("conv1", "relu1"):
        (report,) = run(network, content, layers=[layer]).result["layers"]
        assert {2, 4} <= set(report["dead"]) and report["dead_count"] == len(report["dead"])
    assert {2, 4}.isdisjoint(each["channel"] for each in report["strongest"][:1])


def test_channels_are_chosen_by_number_or_by_strength() -> None:
    maps = torch.tensor([1.0, 5.0, -9.0, 3.0])[:, None, None].expand(4, 2, 2)

    def chosen(**values: Any) -> list[int]:
        given = {"image": "i", "layers": ["x"], "size": 32, **values}
        return shown_channels(ResolvedActivations.model_validate(given), maps)

    assert chosen(limit=2) == [0, 1]
    assert chosen(limit=2, order="strongest") == [1, 3]
    assert chosen(channels=[3, 2, 1]) == [3, 2, 1]
    assert chosen(channels=[0, 2, 3], order="strongest", limit=1) == [3, 0, 2]


@pytest.mark.parametrize("scale", ["each", "common"])
@pytest.mark.parametrize("layer", ["conv1", "relu2", "logits"])
def test_every_layer_has_a_figure(layer: str, scale: str, content: Tensor) -> None:
    image = run(NETWORK, content, layers=[layer], scale=scale).images["image"]
    assert image.shape[:2] == (1, 3) and image.min() >= 0 and image.max() <= 1


def test_params_are_checked_against_the_network() -> None:
    def resolve(**values: Any) -> ResolvedActivations:
        given = {"image": "i", "network": "palette", **values}
        return ActivationsParams.model_validate(given).resolve(SHIPPED)

    assert (resolve().layers, resolve().size) == (["relu4_3"], 128)
    assert resolve(layers=["relu3_1", "conv1_1"]).layers == ["conv1_1", "relu3_1"]
    for wrong, field in (
        ({"layer": "relu9"}, "layer"),
        ({"layers": ["relu9"]}, "layers"),
        ({"layer": "relu1_1", "layers": ["relu2_1"]}, "layers"),
        ({"layer": "relu1_1", "channels": [32]}, "channels"),
    ):
        with pytest.raises(InputError) as error:
            resolve(**wrong)
        assert error.value.field == field


def test_a_square_that_is_too_small_for_a_layer_is_refused() -> None:
    network = Network(
        "deep",
        {f"pool{place}": nn.AvgPool2d(4) for place in range(3)} | {"last": nn.Conv2d(3, 2, 1)},
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        source="a test",
    )
    with pytest.raises(InputError, match="it needs 64 px") as error:
        run(network, torch.zeros(1, 3, 40, 40), layers=["pool2"])
    assert error.value.field == "size"


@pytest.mark.parametrize(("network", "lane"), [("palette", "short"), ("vgg19", "long")])
def test_only_what_takes_under_a_second_is_short(network: str, lane: Lane) -> None:
    params = ActivationsParams(image="i", network=network).resolve(SHIPPED)
    assert SPEC.lane_of(params, get_card(network)) == lane
