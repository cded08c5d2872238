"""Losses of means, standard deviations and covariances, restated."""

import numpy as np
import pytest
import torch
from torch import Tensor

from worker.losses.base import AdditiveLoss
from worker.losses.covariance import CovarianceLoss
from worker.losses.mean_std import MeanStdLoss
from worker.losses.moments import mean_and_covariance, moment_sums, power_sums
from worker.losses.wasserstein import LEAST_VARIANCE, WassersteinLoss


def drawn(seed: int, channels: int = 4, height: int = 5, width: int = 6) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(channels, channels, generator=generator, dtype=torch.float64)
    noise = torch.randn(channels, height * width, generator=generator, dtype=torch.float64)
    return (mixing @ noise + seed).view(1, channels, height, width)


def mean(sums: Tensor, features: Tensor) -> Tensor:
    return sums / features[0, 0].numel()


def value(loss: AdditiveLoss, features: Tensor) -> float:
    return float(loss.value(loss.statistic(features, lambda each: each), features[0, 0].numel()))  # type: ignore[arg-type, return-value]


def test_moments_are_those_of_torch() -> None:
    features = drawn(1)
    rows = features[0].flatten(1)

    found, covariance = mean_and_covariance(mean(moment_sums(features), features))

    assert torch.allclose(found, rows.mean(1))
    assert torch.allclose(covariance, torch.cov(rows, correction=0))
    assert torch.allclose(power_sums(features), torch.stack([rows.sum(1), rows.square().sum(1)]))


def test_mean_and_standard_deviation_restated() -> None:
    picture, style = drawn(1), drawn(2)
    loss = MeanStdLoss("x", mean(power_sums(style), style), 3.0)

    f, s = picture[0].flatten(1), style[0].flatten(1)
    distance = (f.mean(1) - s.mean(1)).square().sum() + (
        f.std(1, correction=0) - s.std(1, correction=0)
    ).square().sum()
    whole = s.mean(1).square().sum() + s.std(1, correction=0).square().sum()
    assert value(loss, picture) == pytest.approx(float(3 * distance / whole), rel=1e-3)


def test_mean_and_standard_deviation_by_hand() -> None:
    style, picture = torch.tensor([[[[1.0, 3.0]]]]).double(), torch.tensor([[[[3.0, 7.0]]]]).double()
    loss = MeanStdLoss("x", mean(power_sums(style), style), 1.0)

    # Means 2 and 5, standard deviations 1 and 2.
    assert value(loss, picture) == pytest.approx((9 + 1) / (4 + 1), rel=1e-2)


def test_covariance_restated() -> None:
    picture, style = drawn(1), drawn(2)
    loss = CovarianceLoss("x", mean(moment_sums(style), style), 3.0)

    f, s = picture[0].flatten(1), style[0].flatten(1)
    of_mean = (f.mean(1) - s.mean(1)).square().sum() / s.mean(1).square().sum()
    c, t = torch.cov(f, correction=0), torch.cov(s, correction=0)
    assert value(loss, picture) == pytest.approx(
        float(1.5 * (of_mean + (c - t).square().sum() / t.square().sum()))
    )


@pytest.mark.parametrize("variant", ["relative", "crowson-2023"])
def test_wasserstein_restated(variant: str) -> None:
    picture, style = drawn(1), drawn(2)
    loss = WassersteinLoss("x", mean(moment_sums(style), style), 3.0, variant)  # type: ignore[arg-type]

    f, s = picture[0].flatten(1).numpy(), style[0].flatten(1).numpy()
    t = np.cov(s, bias=True)
    least = LEAST_VARIANCE * (np.trace(t) / len(t) if variant == "relative" else 1.0)

    def distance(mean: np.ndarray, covariance: np.ndarray) -> float:
        one, other = (each + least * np.eye(len(t)) for each in (covariance, t))
        # The root of the product has the eigenvalues of that of the symmetric one.
        root = np.sqrt(np.linalg.eigvals(one @ other).real).sum()
        return float(np.square(mean - s.mean(1)).sum() + np.trace(one) + np.trace(other) - 2 * root)

    whole = distance(np.zeros(len(t)), np.zeros_like(t)) if variant == "relative" else len(t)
    expected = 3 * distance(f.mean(1), np.cov(f, bias=True)) / whole
    assert value(loss, picture) == pytest.approx(expected, rel=1e-9)


def test_wasserstein_of_one_channel_is_that_of_its_mean_and_deviation() -> None:
    style, picture = torch.tensor([[[[1.0, 3.0]]]]).double(), torch.tensor([[[[3.0, 7.0]]]]).double()
    loss = WassersteinLoss("x", mean(moment_sums(style), style), 1.0)

    assert value(loss, picture) == pytest.approx((9 + 1) / (4 + 1), rel=0.02)


@pytest.mark.parametrize("variant", ["relative", "crowson-2023"])
def test_wasserstein_of_fewer_positions_than_channels_is_exact(variant: str) -> None:
    # Covariances of rank 3 in 24 dimensions.
    style, picture = drawn(3, 24, 2, 2).relu(), drawn(4, 24, 2, 2).relu().requires_grad_()
    loss = WassersteinLoss("x", mean(moment_sums(style), style), 1.0, variant)  # type: ignore[arg-type]

    assert abs(value(loss, style)) < 1e-10 * loss.magnitude
    found = loss.value(moment_sums(picture), 4)
    (gradient,) = torch.autograd.grad(found, picture)
    assert torch.isfinite(gradient).all()
    # Along the gradient it falls as fast as that says.
    step = 1e-5 / gradient.norm()
    moved = loss.value(moment_sums(picture - step * gradient), 4).item()
    assert found.item() - moved == pytest.approx(float(step * gradient.square().sum()), rel=1e-2)


def test_wasserstein_has_no_other_variant() -> None:
    with pytest.raises(ValueError, match="neural-style"):
        WassersteinLoss("x", torch.eye(3, 2), 1.0, "neural-style")
