import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.network import Network
from models.registry import load_network
from tests.support.peak_memory import PeakMemory
from worker.optim.tiling.tiles import Tiling


def identity(*strides: int) -> Network:
    """Average pools of these strides, each behind a 3 by 3 convolution."""
    stack = nn.ModuleDict()
    for place, stride in enumerate(strides):
        stack[f"conv{place}"] = nn.Conv2d(3, 3, 3, padding=1)
        stack[f"pool{place}"] = nn.AvgPool2d(stride)
    return Network("pools", stack, mean=(0.0,) * 3, std=(1.0,) * 3, source="a test")


NETWORK = identity(2, 2)
LAYERS = ["conv0", "conv1", "pool1"]

sides = st.integers(4, 90)


@settings(deadline=None)
@given(sides, sides, st.integers(0, 9), st.integers(1, 200))
def test_every_position_is_owned_once(height: int, width: int, margin: int, kilobytes: int) -> None:
    tiling = Tiling(height, width, NETWORK, LAYERS, margin=margin, budget=1000 * kilobytes)
    for stride in (1, 2, 4):
        counts = torch.zeros(height // stride, width // stride)
        for tile in tiling.tiles:
            tile.owned(counts, stride).add_(1)

        assert (counts == 1).all()


@pytest.mark.medium
@settings(deadline=None)
@given(sides, sides, st.integers(0, 9), st.integers(1, 200))
def test_what_a_tile_owns_of_its_sight_is_what_it_owns_of_the_whole(
    height: int, width: int, margin: int, kilobytes: int
) -> None:
    tiling = Tiling(height, width, NETWORK, LAYERS, margin=margin, budget=1000 * kilobytes)
    # The rows and columns of each pixel, in the middle of which a position's mean lies.
    rows = torch.arange(height).view(1, 1, height, 1).expand(1, 1, height, width)
    columns = torch.arange(width).view(1, 1, 1, width).expand(1, 1, height, width)
    picture = torch.cat([rows, columns], dim=1).float()
    padded = tiling.pad(picture)
    for stride in (1, 2, 4):
        pool = nn.AvgPool2d(stride)
        for tile in tiling.tiles:
            found = tile.owned_of_seen(pool(tile.seen(padded)), stride)
            assert torch.equal(found, tile.owned(pool(picture), stride))


def test_a_picture_within_the_budget_is_one_tile() -> None:
    tiling = Tiling(500, 700, NETWORK, LAYERS, margin=3)

    (tile,) = tiling.tiles
    assert tiling.margin == 4
    padded = tiling.pad(torch.zeros(1, 3, 500, 700))
    assert padded.shape == (1, 3, 508, 708)
    assert tile.seen(padded).shape == padded.shape


def test_the_halo_is_half_a_receptive_field_on_the_grid() -> None:
    # The receptive field of pool1 is 10 pixels and its stride 4, so a position sees 3 pixels to each side.
    tiling = Tiling(200, 200, NETWORK, LAYERS, budget=100_000)

    inner = [tile for tile in tiling.tiles if tile.rows.start > 0 and tile.rows.stop < 200]
    assert inner
    for tile in inner:
        assert tile.rows.start - tile.rows.seen_start == 4
        assert tile.rows.seen_stop - tile.rows.stop == 4


@pytest.mark.parametrize(
    ("layer", "halo"), [("relu1_1", 1), ("relu4_1", 32), ("relu5_1", 80), ("relu5_4", 128)]
)
def test_the_halo_of_a_vgg(layer: str, halo: int) -> None:
    tiling = Tiling(2000, 2000, load_network("vgg19-random"), [layer], budget=300_000_000)

    inner = next(tile for tile in tiling.tiles if tile.rows.start > 200)
    assert inner.rows.start - inner.rows.seen_start == halo


def test_the_padding_is_a_reflection() -> None:
    picture = torch.arange(16.0).view(1, 1, 4, 4)
    tiling = Tiling(4, 4, identity(2), ["conv0"], margin=2)

    assert tiling.pad(picture)[0, 0, 2].tolist() == [2, 1, 0, 1, 2, 3, 2, 1]


def test_the_padding_of_a_picture_smaller_than_the_margin_is_its_edge() -> None:
    tiling = Tiling(2, 2, identity(2), ["conv0"], margin=2)

    assert tiling.pad(torch.arange(4.0).view(1, 1, 2, 2))[0, 0, 2].tolist() == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("margin", [0, 8])
def test_all_features_are_those_of_the_whole_picture(margin: int) -> None:
    picture = torch.rand(1, 3, 70, 55, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    network = NETWORK.prepared(torch.device("cpu"), torch.float64)
    whole = Tiling(70, 55, network, LAYERS, margin=margin)
    tiled = Tiling(70, 55, network, LAYERS, margin=margin, budget=60_000)

    expected = whole.all_features(picture, LAYERS)
    found = tiled.all_features(picture, LAYERS)

    assert len(tiled.tiles) > 4
    for name in LAYERS:
        assert torch.allclose(found[name], expected[name], rtol=1e-12)
    if margin == 0:
        assert torch.equal(expected["pool1"], network.features(picture, LAYERS)["pool1"])


def test_all_features_take_little_more_than_their_own_memory() -> None:
    picture = torch.zeros(1, 3, 400, 400)
    network = NETWORK.prepared(torch.device("cpu"), torch.float32)
    tiling = Tiling(400, 400, network, LAYERS, budget=300_000)
    with PeakMemory() as memory:
        found = tiling.all_features(picture, LAYERS)
    size = sum(each.nbytes for each in found.values())
    assert len(tiling.tiles) > 20
    assert size == tiling.size_in_bytes(LAYERS)
    assert memory.peak < size + 300_000
