"""Tiles of a pattern without end: what lies around them, and their sizes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from worker.losses.total_variation import total_variation
from worker.optim.tiling.wrapping import resize_wrapped, wrapped


def rand(height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)


@settings(deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 20))
def test_what_lies_around_a_tile_is_the_tile_again(height: int, width: int, margin: int) -> None:
    tile = torch.arange(float(height * width)).view(1, 1, height, width)

    found = wrapped(tile, margin)

    rows = torch.arange(-margin, height + margin) % height
    columns = torch.arange(-margin, width + margin) % width
    assert torch.equal(found, tile[..., rows, :][..., columns])


def test_a_gradient_of_the_margin_goes_to_where_it_came_from() -> None:
    for margin in (1, 5):
        tile = torch.rand(1, 1, 3, 2, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda x, m=margin: wrapped(x, m), tile)


@pytest.mark.parametrize("offset", [(0, 3), (5, 0), (7, 11)])
def test_a_rolled_tile_is_rolled_at_twice_the_size_too(offset: tuple[int, int]) -> None:
    tile = rand(12, 17, 1)

    rolled = resize_wrapped(tile.roll(offset, (2, 3)), 24, 34)

    expected = resize_wrapped(tile, 24, 34).roll((2 * offset[0], 2 * offset[1]), (2, 3))
    assert torch.allclose(rolled, expected, atol=1e-12)


def test_the_edges_of_an_enlarged_tile_fit() -> None:
    # A wave that goes on at its other edge.
    wave = (0.5 + 0.4 * torch.cos(torch.arange(40.0) * 2 * torch.pi / 40)).expand(1, 3, 30, 40)

    found = resize_wrapped(wave, 43, 57)

    expected = 0.5 + 0.4 * torch.cos((torch.arange(57.0) + 0.5) * 2 * torch.pi / 57 - torch.pi / 40)
    assert found.shape == (1, 3, 43, 57)
    assert float((found - expected).abs().max()) < 1e-3


def test_total_variation_of_a_tile_does_not_know_where_its_edges_are() -> None:
    tile = rand(9, 14, 2)

    assert float(total_variation(tile.roll((4, 5), (2, 3)), wrap=True)) == pytest.approx(
        float(total_variation(tile, wrap=True)), rel=1e-12
    )
    # One side black, the other white: twice the edge that there is without the seam.
    halves = torch.zeros(1, 3, 2, 8, dtype=torch.float64)
    halves[..., 4:] = 1
    once, twice = float(total_variation(halves)), float(total_variation(halves, wrap=True))
    assert twice == pytest.approx(2 * once)
