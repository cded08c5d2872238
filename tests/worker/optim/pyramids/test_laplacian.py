"""Bands of a gradient."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from worker.optim.pyramids.laplacian import merge, normalize, split, with_tones_of


def noise(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 6))
@settings(max_examples=40, deadline=None)
def test_splitting_and_merging_is_the_identity(height: int, width: int, levels: int) -> None:
    picture = noise(1, 3, height, width)
    bands = split(picture, levels)
    assert len(bands) == levels + 1
    assert torch.allclose(merge(bands), picture, atol=1e-5)


def test_each_band_has_half_the_size_rounded_up() -> None:
    assert [tuple(band.shape[2:]) for band in split(noise(1, 3, 21, 8), 3)] == [
        (21, 8),
        (11, 4),
        (6, 2),
        (3, 1),
    ]


def test_a_plain_picture_has_no_detail() -> None:
    *details, rest = split(torch.ones(1, 1, 31, 32), 3)
    assert all(float(band.abs().max()) < 1e-6 for band in details)
    assert torch.allclose(rest, torch.ones(1, 1, 4, 4))


def test_planes_do_not_mix() -> None:
    picture = noise(2, 3, 12, 16)
    alone = split(picture[1:, 2:], 2)
    for band, own in zip(split(picture, 2), alone, strict=True):
        assert torch.allclose(band[1:, 2:], own, atol=1e-6)


@pytest.mark.parametrize("scale", [1.0, 1e-12, 1e12])
def test_normalizing_makes_all_bands_equally_strong(scale: float) -> None:
    # A slope from -1 to 1 under noise a thousandth as strong.
    slope = torch.linspace(-1, 1, 64).expand(1, 3, 64, 64)
    gradient = slope + 1e-3 * noise(1, 3, 64, 64)
    bands = split(gradient, 3)
    sizes = [_size(band) for band in bands]
    assert max(sizes) > 100 * min(sizes)
    # Bands leak into each other when they are merged, so the result is compared, not its bands.
    expected = merge([band / size for band, size in zip(bands, sizes, strict=True)])
    assert torch.allclose(normalize(scale * gradient, 3), expected, rtol=1e-3, atol=1e-3)


def _size(band: torch.Tensor) -> float:
    return float(band.square().mean().sqrt())


def test_without_levels_only_the_length_changes() -> None:
    gradient = noise(1, 3, 9, 7)
    even = normalize(gradient, 0)
    assert torch.allclose(even / even.abs().max(), gradient / gradient.abs().max(), atol=1e-6)


def test_no_gradient_stays_none() -> None:
    assert not normalize(torch.zeros(1, 3, 20, 20), 4).any()


def test_large_areas_keep_their_tones_and_detail_stays() -> None:
    like = torch.full((1, 3, 96, 128), 0.5)
    detail = 0.1 * (torch.arange(128) % 2 - 0.5).expand(1, 3, 96, 128)
    brighter = like + 0.3 + detail

    assert torch.equal(with_tones_of(brighter, like, 1.0), brighter)
    assert torch.allclose(with_tones_of(brighter, like, 0.0), like + detail, atol=0.02)
    half = with_tones_of(brighter, like, 0.5)
    assert torch.allclose(half, like + 0.15 + detail, atol=0.02)
