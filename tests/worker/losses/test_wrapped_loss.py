"""The objective of a picture that is a tile of a pattern without end."""

import pytest
import torch
from torch import nn

from models.network import Network
from models.relu import ReLU
from tests.support.loss_sums import make_loss_sum, rand
from worker.optim.tiling.tiles import Tiling

LAYERS = {"relu1": 1.0, "relu2": 2.0, "conv3": 1.0}


@pytest.mark.medium
@pytest.mark.parametrize("budget", [1 << 30, 40_000])
def test_rolling_a_tile_changes_no_loss(exact_network: Network, budget: int) -> None:
    tile, texture = rand(40, 56, 3), rand(31, 24, 4)
    objective = make_loss_sum(exact_network, tile, [texture], {}, LAYERS, 0.3, wrap=True, budget=budget)
    assert (len(objective.tiling.tiles) > 1) == (budget == 40_000)
    expected = objective(tile)

    # The pools of the network meet the same pixels after a roll by 4.
    for offset in ((4, 0), (0, 12), (20, -16), (36, 52)):
        found = objective(tile.roll(offset, (2, 3)))
        for name, term in expected.terms.items():
            assert float(found.terms[name]) == pytest.approx(float(term), rel=1e-10), name
        difference = found.gradient - expected.gradient.roll(offset, (2, 3))
        assert difference.norm() < 1e-10 * expected.gradient.norm()


def test_rolling_by_any_offset_changes_nothing_before_the_first_pool(exact_network: Network) -> None:
    tile, texture = rand(21, 17, 5), rand(31, 24, 6)
    objective = make_loss_sum(
        exact_network, tile, [texture], {}, {"conv1": 1.0, "relu1": 1.0}, 0.3, wrap=True
    )
    expected = float(objective(tile).total)

    for offset in ((1, 0), (0, 1), (5, 13), (20, 16)):
        assert float(objective(tile.roll(offset, (2, 3))).total) == pytest.approx(expected, rel=1e-12)
    reflected = make_loss_sum(exact_network, tile, [texture], {}, {"conv1": 1.0}, margin=4)
    assert float(reflected(tile.roll(5, 3)).total) != pytest.approx(float(reflected(tile).total), rel=1e-6)


def test_positions_of_a_tile_see_no_zeros(exact_network: Network) -> None:
    tile = rand(24, 32, 7)
    tiling = Tiling(24, 32, exact_network, LAYERS, edge="wrap")
    (whole,) = tiling.tiles

    found = tiling.features(tiling.pad(tile), whole, LAYERS)

    # In the middle of three by three tiles nothing is near an edge.
    nine = exact_network.features(tile.repeat(1, 1, 3, 3), LAYERS)
    for name, features in found.items():
        height, width = features.shape[2:]
        middle = nine[name][..., height : 2 * height, width : 2 * width]
        assert torch.allclose(features, middle, rtol=1e-12), name


@pytest.mark.parametrize("budget", [1 << 30, 20_000])
def test_the_gradient_of_a_tile_is_that_of_its_losses(exact_network: Network, budget: int) -> None:
    # Sides that the strides do not divide, and that the margin goes around.
    picture = rand(9, 6, 8)
    objective = make_loss_sum(
        exact_network, picture, [rand(12, 9, 9)], {}, LAYERS, 0.2, wrap=True, budget=budget
    )
    gradient = objective(picture).gradient
    along = rand(9, 6, 10) - 0.5

    step = 1e-6
    up, down = (objective(picture + sign * step * along).total for sign in (1, -1))
    assert float((gradient * along).sum()) == pytest.approx(float(up - down) / (2 * step), rel=1e-6)


def test_a_network_off_the_grid_sees_the_pattern_too() -> None:
    stack = {"conv1": nn.Conv2d(3, 4, 5, stride=2), "relu1": ReLU(), "pool1": nn.MaxPool2d(3, 2)}
    network = Network("off", stack, mean=(0.5,) * 3, std=(0.2,) * 3, source="a test")
    tile = rand(14, 18, 11).float()
    tiling = Tiling(14, 18, network, ["pool1"], edge="wrap")
    (whole,) = tiling.tiles

    padded = tiling.pad(tile)

    assert tiling.margin >= 4
    assert torch.equal(padded[..., tiling.margin - 1, :], padded[..., tiling.margin + 13, :])
    found = tiling.features(padded, whole, ["pool1"])["pool1"]
    assert torch.equal(found, network.features(padded, ["pool1"])["pool1"])
