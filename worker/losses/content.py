"""The content loss: the squared distance of features."""

from torch import Tensor

from worker.losses.base import AdditiveLoss, LocalLoss, Loss, Part
from worker.losses.distance import (
    TYPICAL_ACTIVATION,
    Variant,
    constant,
    distance_sums,
    energy,
    scaled_distance,
    squared_distance,
)
from worker.losses.sources import Content
from worker.optim.tiling.maps import Recomputed


def content_losses(content: Content) -> list[Loss]:
    """A :class:`ContentLoss` for each layer, or a :class:`ScaledContentLoss` with ``crowson-2021``."""
    targets = content.features()
    if content.variant == "crowson-2021":
        return [
            ScaledContentLoss(layer, targets[layer], weight, content.weights(layer))
            for layer, weight in content.layers.items()
        ]
    return [
        ContentLoss(
            layer, targets[layer], weight, content.variant, content.activation(layer), content.weights(layer)
        )
        for layer, weight in content.layers.items()
    ]


class ContentLoss(LocalLoss):
    """``weight * c * sum(w * (F - P)**2)``, with ``F`` and ``P`` the features of the picture and of the
    content, and ``w`` the weights of positions, of mean 1.

    Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.1.
    :func:`content_factor` gives ``c``.
    """

    def __init__(
        self,
        layer: str,
        target: Tensor | Recomputed,
        weight: float,
        variant: Variant,
        activation: float = TYPICAL_ACTIVATION,
        weights: Tensor | None = None,
    ) -> None:
        """``target`` is ``P``, (1, N, H, W): all positions of the layer, at the size of the picture;
        ``activation`` is what ``variant`` takes the mean activation of the layer for; ``weights`` is ``w``,
        (1, 1, H, W), None: 1 everywhere. The magnitude is that without weights.
        """
        self.target = target
        self.weights = weights
        self.factor = weight * content_factor(target, variant, activation)
        super().__init__(f"content.{layer}", layer, float(self.factor * energy(target)))

    def statistic(self, features: Tensor, part: Part) -> Tensor:
        """The loss of a tile's positions."""
        weights = None if self.weights is None else part(self.weights)
        return self.factor * squared_distance(features, part(self.target), weights)


class ScaledContentLoss(AdditiveLoss):
    """``weight`` times the :func:`scaled_distance` of the features of the picture and of the content.

    As in crowsonkb/style-transfer-pytorch of 2021. Its magnitude is too low by the ratio of the target's root
    mean square to its mean, since the mean of a target that is not kept is not known.
    """

    def __init__(
        self, layer: str, target: Tensor | Recomputed, weight: float, weights: Tensor | None = None
    ) -> None:
        """``target`` and ``weights`` are as those of :class:`ContentLoss`."""
        self.target = target
        self.weights = weights
        self.weight = weight
        magnitude = weight * float(energy(target) / target.numel()) ** 0.5
        super().__init__(f"content.{layer}", layer, magnitude)

    def statistic(self, features: Tensor, part: Part) -> Tensor:
        """The sums of squared and of absolute differences at a tile's positions, (2,)."""
        weights = None if self.weights is None else part(self.weights)
        return distance_sums(features, part(self.target), weights)

    def value(self, collected: Tensor, positions: int) -> Tensor:
        """The loss of the sums over all positions."""
        return self.weight * scaled_distance(collected)


def content_factor(target: Tensor | Recomputed, variant: Variant, activation: float) -> Tensor:
    """The factor ``c`` of the content loss for the target ``P`` (1, N, H, W), 0-dimensional.

    ============  ================  =====================================================
    relative      1 / sum(P**2)     1 for features of 0, whatever network, layer and size
    gatys-2016    s**2 / 2          equation 1
    neural-style  s**2 / P.numel()  mean squared error (``ContentLoss``, neural_style.lua)
    crowson-2023  1 / P.numel()     mean squared error, of features that are about 1
    ============  ================  =====================================================

    ``s`` is ``activation``. Raises ValueError for another variant.
    """
    match variant:
        case "relative":
            return 1 / energy(target)
        case "gatys-2016":
            return constant(activation**2 / 2, target)
        case "neural-style":
            return constant(activation**2 / target.numel(), target)
        case "crowson-2023":
            return constant(1 / target.numel(), target)
        case _:
            raise ValueError(f"no factor of squared distances of features in {variant}")
