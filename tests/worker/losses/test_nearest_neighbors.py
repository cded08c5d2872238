import math

import pytest
import torch
from torch import Tensor

from models.network import Network
from tests.support.loss_sums import rand
from worker.losses.nearest_neighbors import NearestNeighborsLoss, nearest_neighbors_losses
from worker.losses.sources import Styles


def vectors(features: Tensor) -> list[list[float]]:
    """Features (1, C, H, W) less their mean, position by position."""
    away = features - features.mean((2, 3), keepdim=True)
    return [away[0, :, y, x].tolist() for y in range(away.shape[2]) for x in range(away.shape[3])]


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


def features(height: int, width: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, 4, height, width, generator=generator, dtype=torch.float64)


def test_the_loss_is_the_mean_distance_to_the_nearest_position() -> None:
    picture, style = features(3, 5, 1), features(4, 4, 2)
    loss = NearestNeighborsLoss("relu1", style[0].flatten(1).T, 1.5)

    nearest = [min(1 - cosine(a, b) for b in vectors(style)) for a in vectors(picture)]

    assert float(loss.value(picture, 15)) == pytest.approx(1.5 * sum(nearest) / 15, rel=1e-12)
    assert loss.name == "style.relu1"


def test_gradient() -> None:
    loss = NearestNeighborsLoss("relu1", features(4, 4, 2)[0].flatten(1).T, 1.5)

    assert torch.autograd.gradcheck(lambda f: loss.value(f, 15), features(3, 5, 1).requires_grad_())


def test_brightness_and_contrast_of_features_do_not_count() -> None:
    style = features(4, 4, 2)
    loss = NearestNeighborsLoss("relu1", style[0].flatten(1).T, 1.0)

    assert float(loss.value(7 + 3 * style, 16)) == pytest.approx(0, abs=1e-12)


def test_features_that_are_the_same_everywhere_cost_the_weight() -> None:
    loss = NearestNeighborsLoss("relu1", features(4, 4, 2)[0].flatten(1).T, 1.5)

    assert float(loss.value(torch.full((1, 4, 3, 3), 2.0, dtype=torch.float64), 9)) == 1.5


def test_of_several_styles_a_position_finds_the_nearest_of_all(exact_network: Network) -> None:
    pictures = [rand(16, 16, 2), rand(16, 16, 3)]
    layers = {"conv3": 1.0}

    (both,) = nearest_neighbors_losses(Styles(exact_network, pictures, [1.0, 1.0], layers))
    (first,) = nearest_neighbors_losses(Styles(exact_network, pictures, [1.0, 0.0], layers))
    (alone,) = nearest_neighbors_losses(Styles(exact_network, pictures[:1], [1.0], layers))

    assert isinstance(both, NearestNeighborsLoss)
    assert isinstance(first, NearestNeighborsLoss)
    assert isinstance(alone, NearestNeighborsLoss)
    assert len(both.targets) == 2 * len(alone.targets)
    assert torch.equal(first.targets, alone.targets)
