"""Tiles of a pattern without end: what lies around them, and their sizes."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from worker.losses.total_variation import nine_point_variation, squared_variation, total_variation
from worker.optim.tiling.wrapping import enlarge_wrapped, made_periodic, resize_wrapped, wrapped


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


def test_the_origin_of_an_enlargement_changes_nothing_at_whole_multiples() -> None:
    tile = rand(12, 17, 1)
    for seed in (0, 1):
        found = enlarge_wrapped(tile, 24, 51, seed)
        assert torch.allclose(found, resize_wrapped(tile, 24, 51), atol=1e-12)
    assert enlarge_wrapped(tile, 12, 17, 0) is tile


def test_the_origin_of_an_enlargement_moves_nothing_by_more_than_half_a_pixel() -> None:
    wave = (0.5 + 0.4 * torch.cos(torch.arange(40.0) * 2 * torch.pi / 40)).expand(1, 3, 30, 40)

    expected = resize_wrapped(wave, 43, 57)
    found = [enlarge_wrapped(wave, 43, 57, seed) for seed in range(4)]

    steepest = 0.4 * 2 * torch.pi / 57
    assert 0 < max(float((each - expected).abs().max()) for each in found) < 0.55 * steepest


def test_a_picture_of_two_pixels_made_periodic() -> None:
    # Of width 2 the wave of black and white has 4 + 1 / 0.1**2 times itself as its Laplacian and screen, and
    # the jumps at both edges are twice it.
    pair = torch.tensor([0.8, 0.3]).view(1, 1, 1, 2)
    correction = 0.5 / 104

    assert made_periodic(pair).flatten().tolist() == pytest.approx([0.8 - correction, 0.3 + correction])


def test_a_picture_made_periodic_has_no_jump_and_keeps_its_middle() -> None:
    ramp = torch.linspace(0.1, 0.9, 100).expand(1, 3, 80, 100)

    found = made_periodic(ramp)

    across = float((found[..., 0] - found[..., -1]).abs().max())
    # The jump of 0.8, over 8 pixels on either side; the ramp itself is not there.
    assert across < 1.5 * float(found.diff(dim=3).abs().max())
    assert across < 0.8 / 16 * 1.05
    assert float((found - ramp)[..., 40:60].abs().max()) < 0.01
    assert torch.equal(found, made_periodic(ramp))


def test_a_picture_that_is_periodic_stays() -> None:
    wave = (0.5 + 0.4 * torch.sin(torch.arange(64.0) * 2 * torch.pi / 64)).expand(1, 3, 48, 64)
    assert float((made_periodic(wave) - wave).abs().max()) < 0.02
    for sides in ((1, 1), (1, 7), (6, 5)):
        flat = torch.full((1, 3, *sides), 0.3)
        assert torch.allclose(made_periodic(flat), flat)


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


@pytest.mark.parametrize("variation", [squared_variation, nine_point_variation])
def test_other_variations_of_a_tile_do_not_either(variation: Callable[[Tensor, bool], Tensor]) -> None:
    tile = rand(9, 14, 2)
    assert float(variation(tile.roll((4, 5), (2, 3)), True)) == pytest.approx(float(variation(tile, True)))
    halves = torch.zeros(1, 3, 3, 8, dtype=torch.float64)
    halves[..., 4:] = 1
    assert float(nine_point_variation(halves, True)) == pytest.approx(2 * float(nine_point_variation(halves)))
    # 3 rows of 2 edges in 3 channels, halved.
    assert float(squared_variation(halves, True)) == 9
