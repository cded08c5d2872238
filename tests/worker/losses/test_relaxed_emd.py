import math

import pytest
import torch
from torch import Tensor

from tests.support.loss_sums import rand
from worker.losses.relaxed_emd import COLOR_SIDE, SMALLEST_STEP, PaletteLoss, RelaxedEMDLoss, reduced


def features(height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 3, height, width, generator=generator, dtype=torch.float64)


def vectors(features: Tensor) -> list[list[float]]:
    """Features (1, C, H, W), position by position."""
    return [features[0, :, y, x].tolist() for y in range(features.shape[2]) for x in range(features.shape[3])]


def relaxed(pairs: list[list[float]]) -> float:
    """The relaxed earth mover's distance of a matrix of distances."""
    rows = sum(map(min, pairs)) / len(pairs)
    columns = [min(row[j] for row in pairs) for j in range(len(pairs[0]))]
    return max(rows, sum(columns) / len(columns))


def moments(positions: list[list[float]]) -> tuple[list[float], list[list[float]]]:
    count, channels = len(positions), range(len(positions[0]))
    mean = [sum(v[c] for v in positions) / count for c in channels]
    return mean, [
        [sum((v[a] - mean[a]) * (v[b] - mean[b]) for v in positions) / count for b in channels]
        for a in channels
    ]


def make(style: Tensor, weight: float) -> RelaxedEMDLoss:
    mean, covariance = moments(vectors(style))
    return RelaxedEMDLoss(
        "relu1",
        style[0].flatten(1).T,
        torch.tensor(mean, dtype=torch.float64),
        torch.tensor(covariance, dtype=torch.float64),
        weight,
    )


# More positions of the picture than of the style, and fewer: each mean is the larger one once.
@pytest.mark.parametrize("sides", [(3, 5), (9, 9), (1, 2)])
def test_the_loss_is_that_of_all_pairs_and_moments(sides: tuple[int, int]) -> None:
    picture, style = features(*sides, 1), features(4, 4, 2)
    positions = vectors(picture)

    pairs = [
        [
            1 - sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))
            for b in vectors(style)
        ]
        for a in positions
    ]
    (mean, covariance), (of_style, wanted) = moments(positions), moments(vectors(style))
    means = sum(abs(a - b) for a, b in zip(mean, of_style, strict=True)) / sum(map(abs, of_style))
    covariances = sum(abs(covariance[a][b] - wanted[a][b]) for a in range(3) for b in range(3))
    covariances /= sum(abs(value) for row in wanted for value in row)

    expected = 1.5 / 3 * (relaxed(pairs) + means + covariances)
    assert float(make(style, 1.5).value(picture, 15)) == pytest.approx(expected, rel=1e-12)


@pytest.mark.medium
@pytest.mark.parametrize("sides", [(3, 5), (9, 9), (1, 2)])
def test_gradient(sides: tuple[int, int]) -> None:
    loss = make(features(4, 4, 2), 1.5)

    assert torch.autograd.gradcheck(lambda f: loss.value(f, 15), features(*sides, 1).requires_grad_())


def test_features_of_0_cost_the_weight() -> None:
    assert float(make(features(4, 4, 2), 1.5).value(torch.zeros(1, 3, 2, 2), 4)) == pytest.approx(1.5)


@pytest.mark.parametrize("sides", [(3, 5), (9, 9), (1, 2)])
def test_palettes_are_compared_by_all_pairs_of_colors(sides: tuple[int, int]) -> None:
    picture, style = rand(*sides, 1), rand(4, 4, 2)
    pairs = [
        [
            math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=True)) / 3 + SMALLEST_STEP**2)
            - SMALLEST_STEP
            for b in vectors(style)
        ]
        for a in vectors(picture)
    ]

    loss = PaletteLoss(style[0].flatten(1).T, 2.0)

    assert float(loss.value(picture)) == pytest.approx(2 * relaxed(pairs), rel=1e-12)
    assert torch.autograd.gradcheck(loss.value, picture.requires_grad_())


def test_black_and_white_are_1_apart() -> None:
    loss = PaletteLoss(torch.zeros(1, 3), 1.0)

    assert float(loss.value(torch.ones(1, 3, 5, 7))) == pytest.approx(1, abs=SMALLEST_STEP)


def test_colors_are_those_of_averages() -> None:
    picture = rand(2 * COLOR_SIDE, 4, 3)

    found = reduced(picture)

    assert found.shape == (1, 3, COLOR_SIDE, 2)
    assert torch.allclose(found[0, :, 5, 1], picture[0, :, 10:12, 2:4].mean((1, 2)))
    assert torch.equal(reduced(found), found)
