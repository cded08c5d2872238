import pytest
import torch
from torch import Tensor

from worker.optim.color import grey, to_oklab
from worker.optim.color_distribution import ColorTarget, with_colors_moved


def drawn(seed: int, height: int = 40, width: int = 56) -> Tensor:
    """Blocks of some colors, with noise."""
    generator = torch.Generator().manual_seed(seed)
    blocks = torch.rand(1, 3, 4, 4, generator=generator) * 0.7 + 0.1
    noise = torch.rand(1, 3, height, width, generator=generator) * 0.2
    return torch.nn.functional.interpolate(blocks, (height, width), mode="bilinear") + noise


def quantiles(picture: Tensor) -> Tensor:
    """Of lightness and both axes of chroma, (3, 9)."""
    return torch.quantile(to_oklab(picture)[0].flatten(1), torch.linspace(0.1, 0.9, 9), dim=1).T


def moved(picture: Tensor, other: Tensor, strength: float = 1.0) -> Tensor:
    return with_colors_moved(picture, [ColorTarget.of([other], [1.0]).map_from(picture)], strength)


def test_a_picture_gets_the_distribution_of_another() -> None:
    picture, other = drawn(1), drawn(2, 30, 30)

    assert (quantiles(picture) - quantiles(other)).abs().max() > 0.05
    assert torch.allclose(quantiles(moved(picture, other)), quantiles(other), atol=0.015)


@pytest.mark.parametrize("strength", [0.0, 0.25, 0.6])
def test_it_moves_by_a_part_of_the_way(strength: float) -> None:
    picture, other = drawn(1), drawn(2)
    before, after = to_oklab(picture), to_oklab(moved(picture, other))

    expected = before + strength * (after - before)

    # All on the way are in the range of RGB here.
    assert torch.allclose(to_oklab(moved(picture, other, strength)), expected, atol=2e-3)


def test_a_picture_that_has_these_colors_stays() -> None:
    picture = drawn(3)

    assert torch.allclose(moved(picture, picture), picture, atol=5e-3)


def test_a_mixture_has_each_picture_by_its_share() -> None:
    picture, dark, bright = drawn(4), 0.6 * drawn(2), 0.4 + 0.5 * drawn(3)

    target = ColorTarget.of([dark, bright, drawn(5)], [1.0, 3.0, 0.0])
    result = with_colors_moved(picture, [target.map_from(picture)], 1.0)

    expected = 0.25 * to_oklab(dark).mean((0, 2, 3)) + 0.75 * to_oklab(bright).mean((0, 2, 3))
    assert torch.allclose(to_oklab(result).mean((0, 2, 3)), expected, atol=5e-3)


def test_pixels_that_do_not_count_do_not_matter() -> None:
    picture, other = drawn(1), drawn(2)
    seen = torch.zeros(1, 1, *picture.shape[-2:])
    seen[..., :28] = 1
    target = ColorTarget.of([other], [1.0])

    result = with_colors_moved(picture, [target.map_from(picture, seen)], 1.0)
    of_part = with_colors_moved(picture[..., :28], [target.map_from(picture[..., :28])], 1.0)

    # The last column has other neighbors.
    assert torch.allclose(result[..., :27], of_part[..., :27], atol=1e-4)


def test_each_map_counts_in_its_part() -> None:
    picture = drawn(1)
    left = torch.zeros(1, 1, *picture.shape[-2:])
    left[..., :28] = 1
    maps = [ColorTarget.of([drawn(seed)], [1.0]).map_from(picture) for seed in (2, 3)]

    both = with_colors_moved(picture, maps, 1.0, [left, 0 * left])

    assert torch.allclose(both[..., :28], with_colors_moved(picture, maps[:1], 1.0)[..., :28], atol=1e-5)
    assert torch.allclose(both[..., 28:], picture[..., 28:], atol=1e-3)


@pytest.mark.parametrize("colors", [[0.5, 0.5, 0.5], [0.0, 0.0, 0.0], [1.0, 0.2, 0.0]])
def test_a_flat_picture_gets_one_color_of_the_other(colors: list[float]) -> None:
    flat = torch.tensor(colors).view(1, 3, 1, 1).expand(1, 3, 20, 30)

    result = moved(flat, drawn(2))

    assert torch.isfinite(result).all()
    assert torch.allclose(result, result[..., :1, :1].expand_as(result), atol=1e-5)


def test_faint_noise_stays_faint() -> None:
    noise = torch.rand(1, 3, 40, 56, generator=torch.Generator().manual_seed(1)) * 0.01

    result = moved(0.5 + noise, drawn(2))

    assert float(result.std((2, 3)).max()) < 0.01


def test_grain_is_not_made_stronger_than_it_is() -> None:
    """Smooth colors that are spread out, with a checkerboard: forms grow, and the grain does not."""
    height, width = 40, 56
    board = torch.arange(height)[:, None].add(torch.arange(width)) % 2 - 0.5
    slope = torch.linspace(0.45, 0.55, width).expand(1, 3, height, width)
    picture = slope + 0.01 * board

    result = moved(picture, torch.linspace(0, 1, width).expand(1, 3, height, width))

    assert float(result[..., -6:].mean() - result[..., :6].mean()) > 0.3
    assert grain(result) < 1.5 * grain(picture)


def grain(picture: Tensor) -> float:
    """The mean difference of neighbors in the same column, in OKLab."""
    return float(to_oklab(picture).diff(dim=2).abs().mean())


def test_with_wrapping_it_does_not_matter_where_a_tile_is_cut() -> None:
    picture = drawn(1)
    maps = [ColorTarget.of([drawn(2)], [1.0]).map_from(picture)]

    result = with_colors_moved(picture, maps, 1.0, wrap=True)
    rolled = with_colors_moved(picture.roll((7, 9), (2, 3)), maps, 1.0, wrap=True)

    assert torch.allclose(rolled, result.roll((7, 9), (2, 3)), atol=1e-5)


def test_flat_colors_are_reached() -> None:
    other = torch.tensor([0.8, 0.3, 0.2]).view(1, 3, 1, 1).expand(1, 3, 5, 5)

    assert torch.allclose(moved(drawn(1), other), other[..., :1, :1], atol=5e-3)


def test_a_region_between_the_pixels_that_are_looked_at_moves_as_the_whole() -> None:
    picture = drawn(1, 600, 600)
    seen = torch.zeros(1, 1, 600, 600)
    seen[..., 1, 1] = 1
    target = ColorTarget.of([drawn(2)], [1.0])

    result = with_colors_moved(picture, [target.map_from(picture, seen)], 1.0)

    assert torch.equal(result, with_colors_moved(picture, [target.map_from(picture)], 1.0))


def test_grey_stays_grey_towards_grey() -> None:
    result = moved(grey(drawn(1)), grey(drawn(2)))

    assert float(to_oklab(result)[:, 1:].abs().max()) < 2e-3
