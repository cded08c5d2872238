"""Fully connected layers run as convolutions: the scores of every window, as if it were cut out."""

import io
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.class_map import ClassMapParams, ResolvedClassMap
from app.networks.catalogue import SHIPPED
from models.architectures.vgg import PooledLinear
from models.geometry import GlobalAverage
from models.network import Network
from models.registry import load_network
from models.relu import ReLU
from tests.support.network_files import small_network
from tests.support.networks import color_network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, run_steps
from worker.understanding.class_map import class_map, dense_logits, window_grid
from worker.understanding.class_map_figure import Grid
from worker.understanding.views import as_input

# The side that the small networks classify: 14 px give maps of 12, 6 and 4 positions;
# with padding of 14, 7 and 7.
SIDE = 14


def network_of(head: str, padding: int = 0) -> Network:
    """conv1, relu1, pool1, conv2 with random weights, and a head: "fc", "average" or "maps"."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        stack: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, 6, 3, padding=padding),
            "relu1": ReLU(),
            "pool1": nn.MaxPool2d(2),
            "conv2": nn.Conv2d(6, 5, 3, padding=padding),
        }
        if head == "fc":
            stack |= {"relu2": ReLU(), "fc6": PooledLinear(5, 7 if padding else 4, 8), "relu6": ReLU()}
            stack |= {"dropout6": nn.Dropout(), "logits": nn.Linear(8, 5)}
        elif head == "average":
            stack |= {"relu2": ReLU(), "pool": GlobalAverage(), "dropout": nn.Dropout()}
            stack["logits"] = nn.Linear(5, 5)
        elif head == "pooled":
            stack |= {"relu2": ReLU(), "logits": PooledLinear(5, 1, 5)}
        else:
            stack |= {"relu2": ReLU(), "logits": GlobalAverage()}
    return Network(
        "small", stack, mean=(0.5,) * 3, std=(0.2,) * 3, source="a test", classes="abcde", input_size=SIDE
    )


HEADS = pytest.mark.parametrize("head", ["fc", "average", "pooled", "maps"])


def picture(height: int, width: int, seed: int = 1) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


@HEADS
def test_every_window_has_the_scores_of_its_crop(head: str) -> None:
    network, seen = network_of(head), picture(24, 33)
    dense, grid = dense_logits(network, seen), window_grid(network)
    assert grid == Grid(SIDE, 2) and dense.shape == (5, 6, 10)
    for y in range(dense.shape[1]):
        for x in range(dense.shape[2]):
            top, left, bottom, right = grid.window(y, x, 24, 33)
            assert (bottom - top, right - left) == (SIDE, SIDE)
            crop = seen[..., top:bottom, left:right]
            assert torch.allclose(dense[:, y, x], network.logits(crop)[0], atol=1e-5)


@HEADS
@pytest.mark.parametrize("padding", [0, 1])
def test_a_picture_of_the_size_that_is_classified_has_one_window(head: str, padding: int) -> None:
    network = network_of(head, padding)
    seen = picture(SIDE, SIDE)
    dense = dense_logits(network, seen)
    assert dense.shape == (5, 1, 1)
    assert torch.allclose(dense[:, 0, 0], network.logits(seen)[0], atol=1e-5)


@pytest.mark.medium
@pytest.mark.parametrize("name", ["palette", "efficientnet_lite0"])
def test_real_networks_agree_with_the_classified_middle(name: str) -> None:
    network = load_network(name)
    side = network.input_size or 0
    seen = picture(side, side)
    with torch.no_grad():
        assert torch.allclose(dense_logits(network, seen)[:, 0, 0], network.logits(seen)[0], atol=1e-4)
        assert dense_logits(network, picture(side, side + 64)).shape[1:] == (1, 3)


def test_a_network_of_another_side_than_its_pool_has_the_scores_of_its_crops() -> None:
    """VGG's pool gives 7 by 7 positions, also of the 2 by 2 that a picture of 64 px has."""
    network, seen = small_network(), picture(96, 128)
    scores = dense_logits(network, seen)
    assert scores.shape == (len(network.classes), 2, 3)
    torch.testing.assert_close(
        dense_logits(network, seen[..., :64, :64])[:, 0, 0], network.logits(seen[..., :64, :64])[0]
    )
    maps = network.features(seen, ("pool5",))["pool5"]
    corner = network.features_from("pool5", maps[..., :2, 1:3], ("logits",))["logits"]
    torch.testing.assert_close(scores[:, 0, 1], corner[0])


def run(network: Network, seen: Tensor, **values: Any) -> Outcome:
    given = {"image": "x", "network": "palette", "size": max(seen.shape[2:]), **values}
    target, most = given.pop("target", None), given.pop("bytes", 1 << 30)
    resolved = ClassMapParams.model_validate(given).resolve(SHIPPED).model_copy(update={"target": target})
    assert isinstance(resolved, ResolvedClassMap)
    inputs = Inputs.of({"image": [seen]})
    return run_steps(class_map(resolved, inputs, network, Compute(torch.device("cpu"), picture_bytes=most)))


def test_the_strongest_window_is_found_where_the_class_is() -> None:
    network = color_network()
    network.input_size = 8
    seen = torch.full((1, 3, 32, 40), 0.2)
    seen[:, 1, 10:18, 25:33] = 1.0
    outcome = run(network, seen, target="green")
    found = outcome.result["strongest"]
    assert found["position"] == [10, 25]
    assert found["box"] == {"top": 10, "left": 25, "bottom": 18, "right": 33}
    crop = seen[..., 10:18, 25:33]
    assert found["probability"] == pytest.approx(float(network.logits(crop)[0].softmax(0)[1]), rel=1e-5)
    maps = np.load(io.BytesIO(outcome.files["maps"].data))
    assert maps["class_map"].shape == (25, 33) == (outcome.result["rows"], outcome.result["columns"])
    assert maps["class_map"].max() == pytest.approx(found["probability"])
    assert maps["classes"][10, 25] == 1


def test_without_a_target_it_is_the_class_of_the_middle() -> None:
    network, seen = network_of("average"), picture(24, 33)
    outcome = run(network, seen)
    probabilities = network.logits(as_input(seen, SIDE))[0].softmax(0)
    assert outcome.result["index"] == int(probabilities.argmax())
    assert outcome.result["probability"] == pytest.approx(float(probabilities.max()), rel=1e-5)
    assert sum(row["share"] for row in outcome.result["common"]) == pytest.approx(1)


def test_artifacts_lie_over_the_picture() -> None:
    outcome = run(network_of("fc"), picture(24, 33))
    assert next(iter(outcome.images)) == "image"
    assert torch.equal(outcome.images["view"], picture(24, 33))
    for name in ("class_map", "class_map_overlay"):
        assert outcome.images[name].shape == (1, 3, 24, 33)
    for each in outcome.images.values():
        assert each.isfinite().all() and each.min() >= 0 and each.max() <= 1


def test_cells_lie_about_the_middles_of_the_windows() -> None:
    cells = Grid(8, 4).cells(torch.tensor([[1.0, 2.0], [3.0, 4.0]]), 12, 13)
    # The middle of the first window is at 4: its cell is from 2 to 6.
    assert cells[2:6, 2:6].eq(1).all() and cells[2:6, 6:10].eq(2).all()
    assert cells[6:10, 2:6].eq(3).all() and cells[6:10, 6:10].eq(4).all()
    assert int(cells.isnan().sum()) == 12 * 13 - 64


def test_a_picture_that_does_not_fit_into_the_memory_is_refused_with_the_size_that_fits() -> None:
    network, seen = network_of("fc"), picture(60, 120)
    # conv1 has 6 maps of 58 by 118 float32 numbers.
    most = 4 * 6 * 58 * 118
    assert run(network, seen, bytes=2 * most).result["columns"] == 54
    with pytest.raises(InputError, match="the largest size that fits is") as caught:
        run(network, seen, bytes=most)
    assert caught.value.field == "size"
    fits = int(caught.value.detail.split("fits is ")[1].split(".")[0])
    assert run(network, seen, size=fits, bytes=most).result["size"] == fits
    with pytest.raises(InputError):
        run(network, seen, size=fits + 2, bytes=most)


def test_a_picture_smaller_than_a_window_is_refused_with_the_size_that_works() -> None:
    with pytest.raises(InputError, match="smallest size that works is 28") as caught:
        run(network_of("fc"), picture(10, 20), size=20)
    assert caught.value.field == "size"
    assert run(network_of("fc"), picture(10, 20), size=28).result["rows"] == 1
