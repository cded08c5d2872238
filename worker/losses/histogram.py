"""The histogram loss: each channel takes every value as often as that of the style.

Risser, Wilmot, Barnes, "Stable and controllable neural texture synthesis and style transfer using histogram
losses", 2017, section 4. They add it to a Gram loss; by itself it sees no correlation of channels.
"""

import torch
from torch import Tensor

from worker.losses.base import Loss, PositionsLoss
from worker.losses.distance import LEAST_ENERGY
from worker.losses.sorted_values import mixed, sorted_distance, sorted_rows
from worker.losses.sources import Styles


def histogram_losses(styles: Styles) -> list[Loss]:
    """A :class:`HistogramLoss` for each layer; of several styles the histograms are blended."""
    targets = styles.of_each(sorted_channels)
    return [
        HistogramLoss(
            layer, mixed([each[layer] for each in targets], styles.fractions), weight, styles.places(layer)
        )
        for layer, weight in styles.layers.items()
    ]


class HistogramLoss(PositionsLoss):
    """``weight * mean((F - R(F))**2) / mean(T**2)``, with ``R(F)`` the features of matched histograms.

    ``R`` gives the i-th smallest value of a channel the i-th smallest of the style's ``T``, resampled to as
    many positions. As in the paper ``R(F)`` counts as a constant in the gradient, which is exact even so: a
    small change of features leaves their order as it is. Features of 0 have a loss of about ``weight``.
    """

    def __init__(self, layer: str, target: Tensor, weight: float, places: Tensor | None = None) -> None:
        """``target`` is (C, M), the values of each channel of the style in ascending order; ``places`` are
        those of :class:`PositionsLoss`.
        """
        self.target = target
        self.factor = weight / (target.square().sum() / target.shape[1]).clamp_min(LEAST_ENERGY)
        super().__init__(f"style.{layer}", layer, weight, places)

    def of_positions(self, features: Tensor) -> Tensor:
        """The loss of features (1, C, h, w)."""
        return self.factor * sorted_distance(channels(features), self.target)


def sorted_channels(features: Tensor) -> Tensor:
    """The values of each channel of (1, C, H, W) in ascending order, (C, H * W), float32 or better."""
    return sorted_rows(channels(features))


def channels(features: Tensor) -> Tensor:
    """Features (1, C, H, W) with a row for each channel, (C, H * W), float32 or better."""
    return features[0].flatten(1).to(torch.promote_types(features.dtype, torch.float32)).contiguous()
