"""What tiles see beyond the edges of a picture that has no padded copy, and their gradients."""

import pytest
import torch

from app.kinds.work import PART_BYTES, bytes_of_each_tile
from tests.support.loss_sums import rand
from tests.support.peak_memory import PeakMemory
from tests.worker.optim.tiling.test_tiles import LAYERS, NETWORK
from worker.optim.tiling.beyond import Edge, beyond
from worker.optim.tiling.tiles import Tiling


@pytest.mark.parametrize(
    ("edge", "places"),
    [
        ("reflect", [2, 1, 0, 1, 2, 3, 2, 1]),
        ("replicate", [0, 0, 0, 1, 2, 3, 3, 3]),
        ("wrap", [2, 3, 0, 1, 2, 3, 0, 1]),
    ],
)
def test_what_lies_beyond_a_row_of_four(edge: Edge, places: list[int]) -> None:
    assert beyond(4, 2, edge).tolist() == places
    assert beyond(1, 3, "wrap").tolist() == [0] * 7


@pytest.mark.parametrize("edge", ["reflect", "replicate", "wrap"])
@pytest.mark.parametrize(("height", "width", "margin"), [(50, 41, 8), (9, 63, 8), (64, 5, 4), (50, 41, 0)])
def test_tiles_see_the_padded_picture_and_their_gradients_are_its(
    edge: Edge, height: int, width: int, margin: int
) -> None:
    tiling = Tiling(height, width, NETWORK, LAYERS, margin=margin, edge=edge, budget=20_000)
    assert len(tiling.tiles) > 2
    picture = rand(height, width, 1)
    leaf = picture.clone().requires_grad_()
    padded, found = tiling.pad(leaf), torch.zeros_like(picture)
    for seed, tile in enumerate(tiling.tiles):
        of_seen = torch.randn_like(tile.seen(padded))
        assert torch.equal(tiling.seen(picture, tile), tile.seen(padded))
        (expected,) = torch.autograd.grad(tile.seen(padded), leaf, of_seen, retain_graph=True)
        found.zero_()
        tiling.add_seen(found, tile, of_seen)
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-12, msg=f"tile {seed}")


def test_a_tile_that_sees_no_margin_is_a_view() -> None:
    tiling = Tiling(90, 90, NETWORK, LAYERS, margin=8, budget=20_000)
    picture = torch.rand(1, 3, 90, 90)
    tiling.seen(picture, tiling.tiles[0])
    inner = next(tile for tile in tiling.tiles if tile.rows.start > 20 and tile.columns.start > 20)
    with PeakMemory() as memory:
        tiling.seen(picture, inner)
    assert memory.peak == 0


def test_several_tiles_are_small_unless_they_are_mostly_halo() -> None:
    assert bytes_of_each_tile(1000, 32, 4 * PART_BYTES) == PART_BYTES
    assert bytes_of_each_tile(1000, 32, PART_BYTES // 2) == PART_BYTES // 2
    # Those of 732 px own 572 of them, those of 1036 px 876.
    assert bytes_of_each_tile(1000, 80, 4 * PART_BYTES) == 2 * PART_BYTES
    assert bytes_of_each_tile(1000, 10_000, 4 * PART_BYTES) == 4 * PART_BYTES
