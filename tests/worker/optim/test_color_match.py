from typing import Literal, get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from app.kinds.style_fields import ColorMatch
from worker.optim.color import to_oklab
from worker.optim.color_match import (
    Moments,
    blended,
    chroma_power,
    linear_map,
    matched,
    with_chroma_within,
)

Linear = Literal["cholesky", "pca", "symmetric"]
HOWS = [how for how in get_args(ColorMatch) if how != "none"]
LINEAR = [how for how in HOWS if how != "histogram"]


def colors(seed: int, height: int = 24, width: int = 30, middle: float = 0.5, spread: float = 0.08) -> Tensor:
    """A picture whose channels depend on each other, far enough within [0, 1]."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(3, 3, generator=generator)
    values = torch.rand(height, width, 3, generator=generator) - 0.5
    return (middle + spread * values @ mixing.T).permute(2, 0, 1)[None].clamp(0, 1)


def statistics(picture: Tensor) -> tuple[Tensor, Tensor]:
    values = picture.flatten(2)[0].double()
    return values.mean(1), torch.cov(values, correction=0)


@pytest.mark.parametrize("how", LINEAR)
def test_a_linear_match_has_mean_and_covariance_of_the_other(how: Linear) -> None:
    made = matched(colors(1), [colors(2, 16, 50)], [1.0], how)

    for found, wanted in zip(statistics(made), statistics(colors(2, 16, 50)), strict=True):
        assert torch.allclose(found, wanted, atol=2e-5)


def test_linear_maps_by_hand() -> None:
    """Of variances alone all are the ratio of the deviations."""
    ours, theirs, wanted = (torch.diag(torch.tensor(each)).double() for each in ([1, 4], [9, 1], [3, 0.5]))

    for how in LINEAR:
        assert torch.allclose(linear_map(ours, theirs, how), wanted)


@given(st.lists(st.floats(-1, 1), min_size=18, max_size=18))
def test_symmetric_is_symmetric_and_cholesky_triangular(numbers: list[float]) -> None:
    one, other = torch.tensor(numbers, dtype=torch.float64).view(2, 3, 3)
    ours, theirs = one @ one.T + 0.01 * torch.eye(3).double(), other @ other.T

    symmetric, cholesky = linear_map(ours, theirs, "symmetric"), linear_map(ours, theirs, "cholesky")

    assert torch.allclose(symmetric, symmetric.T, atol=1e-9)
    assert float(torch.linalg.eigvalsh(symmetric).min()) >= -1e-9
    assert torch.allclose(cholesky, cholesky.tril())
    for how in LINEAR:
        matrix = linear_map(ours, theirs, how)
        assert torch.allclose(matrix @ ours @ matrix.T, theirs, atol=2e-3)


def test_a_histogram_match_has_the_others_distribution() -> None:
    # Of two colors: no linear map gives that.
    left, right = torch.tensor([0.9, 0.2, 0.1]), torch.tensor([0.1, 0.3, 0.8])
    other = torch.stack([left, right, right], 1).view(1, 3, 1, 3).expand(1, 3, 8, 3)

    made = matched(colors(3), [other], [1.0], "histogram").flatten(2)[0].T

    near = torch.stack([(made - each).norm(dim=1) for each in (left, right)])
    assert float(near.amin(0).mean()) < 0.03
    assert float((near[0] < near[1]).float().mean()) == pytest.approx(1 / 3, abs=0.04)


@pytest.mark.parametrize("how", HOWS)
def test_a_picture_matched_to_itself_is_itself(how: ColorMatch) -> None:
    assert torch.allclose(matched(colors(4), [colors(4)], [1.0], how), colors(4), atol=6e-3)


@pytest.mark.parametrize("how", HOWS)
@pytest.mark.parametrize("level", [0.0, 0.4, 1.0])
def test_flat_pictures_take_and_give_a_color(how: ColorMatch, level: float) -> None:
    flat = torch.full((1, 3, 5, 7), level)

    given_color = matched(colors(5), [flat], [1.0], how)
    assert torch.allclose(given_color, torch.full_like(given_color, level), atol=1e-4)
    taken = matched(flat, [colors(5)], [1.0], how)
    assert torch.isfinite(taken).all()
    assert float(taken.std((2, 3)).max()) < 1e-4


def test_a_blend_has_the_moments_of_the_mixture() -> None:
    pictures = [colors(6), colors(7, middle=0.3)]
    (mean, covariance) = statistics(torch.cat([pictures[0], pictures[1], pictures[1], pictures[1]], 2))

    found = blended([Moments(*statistics(each)) for each in pictures], [2.0, 6.0])

    assert torch.allclose(found.mean, mean)
    assert torch.allclose(found.covariance, covariance)


@pytest.mark.parametrize("how", HOWS)
def test_a_share_of_zero_does_not_count(how: ColorMatch) -> None:
    one = matched(colors(8), [colors(9)], [1.0], how)

    assert torch.allclose(matched(colors(8), [colors(9), colors(1)], [3.0, 0.0], how), one, atol=1e-4)


@pytest.mark.medium
@given(st.integers(0, 1000), st.integers(0, 1000))
def test_chroma_is_limited(seed: int, other: int) -> None:
    limit = chroma_power(colors(other))

    made = with_chroma_within(colors(seed), limit)

    most = min(float(limit.trace()), float(chroma_power(colors(seed)).trace()))
    assert float(chroma_power(made).trace()) <= most + 2e-5
    assert torch.allclose(to_oklab(made)[:, 0], to_oklab(colors(seed))[:, 0], atol=1e-4)


def test_chroma_within_the_limit_stays_as_it_is() -> None:
    picture = colors(10)

    assert torch.allclose(with_chroma_within(picture, 2 * chroma_power(picture)), picture, atol=2e-4)


def test_grey_stays_grey_under_a_limit() -> None:
    half = torch.cat([colors(11), torch.full((1, 3, 9, 30), 0.6)], 2)

    made = with_chroma_within(half, chroma_power(colors(12)))

    assert torch.allclose(made[:, :, 24:], half[:, :, 24:], atol=2e-4)


@pytest.mark.parametrize("seed", range(5))
def test_the_chroma_of_grey_makes_grey(seed: int) -> None:
    noisy = torch.rand(1, 3, 20, 20, generator=torch.Generator().manual_seed(seed))
    greys = noisy.mean(1, keepdim=True).expand(-1, 3, -1, -1)

    made = with_chroma_within(noisy, chroma_power(greys))

    assert float((made - made.mean(1, keepdim=True)).abs().max()) < 1e-3
