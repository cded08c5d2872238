"""The sliced Wasserstein loss: features have the style's distribution along every one of many directions.

Heitz, Vanhoey, Chambon, Belcour, "A sliced Wasserstein loss for neural texture synthesis", CVPR 2021. They
draw directions for each step; here these are fixed by the seed, so that there is one loss to descend.
"""

from functools import lru_cache

import torch
from torch import Tensor

from app.kinds.style_presets import DIRECTIONS
from worker.losses.base import Loss, PositionsLoss
from worker.losses.distance import LEAST_ENERGY
from worker.losses.histogram import channels
from worker.losses.sorted_values import mixed, sorted_distance, sorted_rows
from worker.losses.sources import Styles
from worker.optim.randomness import generator_from


def sliced_wasserstein_losses(styles: Styles) -> list[Loss]:
    """A :class:`SlicedWassersteinLoss` for each layer; of several styles the distributions are mixed."""
    targets = styles.of_each(sorted_projections, styles.seed)
    return [
        SlicedWassersteinLoss(
            layer,
            mixed([each[layer] for each in targets], styles.fractions),
            weight,
            styles.seed,
            styles.places(layer),
        )
        for layer, weight in styles.layers.items()
    ]


class SlicedWassersteinLoss(PositionsLoss):
    """``weight * mean((sort(D @ F) - T)**2) / mean(T**2)``, with ``D`` directions and ``F`` the features.

    ``T`` are the sorted projections of the style, resampled to as many positions. Features of 0 have a loss
    of about ``weight``.
    """

    def __init__(
        self, layer: str, target: Tensor, weight: float, seed: int, places: Tensor | None = None
    ) -> None:
        """``target`` is (K, M), see :func:`sorted_projections`; ``places`` are those of
        :class:`PositionsLoss`.
        """
        self.target = target
        self.seed = seed
        self.factor = weight / (target.square().sum() / target.shape[1]).clamp_min(LEAST_ENERGY)
        super().__init__(f"style.{layer}", layer, weight, places)

    def of_positions(self, features: Tensor) -> Tensor:
        """The loss of features (1, C, h, w)."""
        return self.factor * sorted_distance(projections(features, self.seed), self.target)


def sorted_projections(features: Tensor, seed: int) -> Tensor:
    """:func:`projections` in ascending order, (K, H * W)."""
    return sorted_rows(projections(features, seed))


def projections(features: Tensor, seed: int) -> Tensor:
    """Features (1, C, H, W) along random orthogonal directions of length 1, (K, H * W), float32 or better."""
    rows = channels(features)
    return directions(len(rows), seed).to(rows) @ rows


@lru_cache(16)
def directions(count: int, seed: int) -> Tensor:
    """Random orthonormal directions in ``count`` dimensions, at most DIRECTIONS, (K, C), in float64."""
    drawn = torch.randn(count, count, generator=generator_from(seed), dtype=torch.float64)
    orthonormal: Tensor = torch.linalg.qr(drawn).Q
    return orthonormal[:DIRECTIONS]
