"""The forms of a loss. :class:`worker.losses.loss_sum.LossSum` evaluates each of them, whole or in tiles.

- :class:`LocalLoss`: a sum over the positions of a layer (content).
- :class:`AdditiveLoss`: a function of a sum over the positions of a layer.
- :class:`MeanLoss`: a function of a mean over positions, weighted by a mask or not (Gram matrices, moments).
- :class:`GatheredLoss`: a function of all positions of a layer together.
- :class:`PositionsLoss`: a function of all positions, or of those of a mask (histograms, sliced Wasserstein).
- :class:`PictureLoss`: a function of the picture itself (total variation).
"""

from abc import ABC, abstractmethod
from collections.abc import Callable

from torch import Tensor

from worker.optim.tiling.maps import Recomputed

Part = Callable[[Tensor | Recomputed], Tensor]
"""Crops a map of all positions of a layer (..., H, W), a target or a mask, to those that a tile owns."""


class Loss:
    """A term of an objective, multiplied by its weight.

    ``name`` is dotted, ``style.relu3_1`` say; ``magnitude`` is the loss of a picture that has nothing right,
    usually the one whose features are all 0.
    """

    def __init__(self, name: str, magnitude: float) -> None:
        self.name = name
        self.magnitude = magnitude


class PictureLoss(Loss, ABC):
    """A loss of the picture itself."""

    @abstractmethod
    def value(self, picture: Tensor) -> Tensor:
        """The weighted loss of a picture (1, 3, H, W) in [0, 1], 0-dimensional."""


class FeatureLoss(Loss, ABC):
    """A loss of what is collected from the features of one layer, tile by tile."""

    def __init__(self, name: str, layer: str, magnitude: float) -> None:
        super().__init__(name, magnitude)
        self.layer = layer

    @abstractmethod
    def value(self, collected: Tensor, positions: int) -> Tensor:
        """The weighted loss, 0-dimensional, from what was collected at all positions of the layer."""

    @abstractmethod
    def along(self, slope: Tensor, features: Tensor, part: Part) -> Tensor:
        """A function whose gradient with respect to a tile's ``features`` (1, C, h, w) is the loss's.

        ``slope`` is the gradient of :meth:`value` with respect to what was collected.
        """


class AdditiveLoss(FeatureLoss):
    """A loss that is a function of a statistic, which is a sum over positions; collected is that sum."""

    @abstractmethod
    def statistic(self, features: Tensor, part: Part) -> Tensor:
        """The sum over a tile's ``features`` (1, C, h, w); of any shape, float32 or better."""

    def along(self, slope: Tensor, features: Tensor, part: Part) -> Tensor:
        """The inner product of the slope and the tile's statistic."""
        return (slope * self.statistic(features, part)).sum()


class MeanLoss(AdditiveLoss):
    """A loss that is a function of the mean of a statistic over positions."""

    def __init__(self, name: str, layer: str, magnitude: float, weights: Tensor | None = None) -> None:
        """``weights`` (1, 1, H, W) says how much each position of the layer counts, from 0 to 1, and at least
        one of them something; None: all count the same.
        """
        super().__init__(name, layer, magnitude)
        self.weights = weights
        # On the CPU in float64, which not every device has.
        self._count = None if weights is None else float(weights.cpu().double().sum())

    @abstractmethod
    def sums(self, features: Tensor, weights: Tensor | None) -> Tensor:
        """The sum of the statistic over the positions of ``features`` (1, C, h, w), each times its weight
        (1, 1, h, w); None: all weigh 1. Of any shape, float32 or better.
        """

    @abstractmethod
    def of_sums(self, sums: Tensor, count: float) -> Tensor:
        """The weighted loss, 0-dimensional, of sums over all positions; ``count`` is the sum of weights."""

    def statistic(self, features: Tensor, part: Part) -> Tensor:
        """The sums over a tile's positions."""
        return self.sums(features, None if self.weights is None else part(self.weights))

    def value(self, collected: Tensor, positions: int) -> Tensor:
        """The loss of the sums over all positions."""
        return self.of_sums(collected, positions if self._count is None else self._count)


class LocalLoss(AdditiveLoss):
    """A loss that is itself a sum over positions, its statistic: no tile needs to know of the others."""

    def value(self, collected: Tensor, positions: int) -> Tensor:
        """The loss, which is the sum of the tiles'."""
        return collected


class GatheredLoss(FeatureLoss):
    """A loss that needs all positions together; collected are the features of the whole layer.

    These take memory in proportion to the picture, whatever the tiles are.
    """

    def along(self, slope: Tensor, features: Tensor, part: Part) -> Tensor:
        """The inner product of the tile's part of the slope and its features."""
        return (part(slope) * features).sum()


class PositionsLoss(GatheredLoss):
    """A loss of positions whatever their places are: of all of a layer, or of some."""

    def __init__(self, name: str, layer: str, magnitude: float, places: Tensor | None = None) -> None:
        """``places`` (n,) are those that count, row by row of the layer, each once; None: all."""
        super().__init__(name, layer, magnitude)
        self.places = places

    @abstractmethod
    def of_positions(self, features: Tensor) -> Tensor:
        """The weighted loss, 0-dimensional, of the features (1, C, h, w) of the positions that count."""

    def value(self, collected: Tensor, positions: int) -> Tensor:
        """The loss of the features of all positions, (1, C, H, W)."""
        if self.places is None:
            return self.of_positions(collected)
        rows = collected[0].permute(1, 2, 0).flatten(0, 1)
        # Unlike indexing, whose gradient is added up in any order.
        chosen = rows.index_select(0, self.places)
        return self.of_positions(chosen.T[None, :, None])
