"""The content loss: the squared distance of features."""

from collections.abc import Collection

from torch import Tensor

from worker.losses.base import LocalLoss, Part
from worker.losses.distance import (
    TYPICAL_ACTIVATION,
    Variant,
    constant,
    energy,
    squared_distance,
    sum_of_squares,
)
from worker.optim.kept import TARGETS, target_key
from worker.optim.tiling.maps import Recomputed, Source
from worker.optim.tiling.tiles import Tiling

# Bytes of target features beyond which a tiled picture keeps none of them, and computes those of each tile
# again: an evaluation then takes about an eighth longer. Both give the same targets bit for bit.
KEPT = 768 << 20


class ContentLoss(LocalLoss):
    """``weight * c * sum((F - P)**2)``, with ``F`` and ``P`` the features of the picture and of the content.

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
    ) -> None:
        """``target`` is ``P``, (1, N, H, W): all positions of the layer, at the size of the picture;
        ``activation`` is what ``variant`` takes the mean activation of the layer for.
        """
        self.target = target
        self.factor = weight * content_factor(target, variant, activation)
        super().__init__(f"content.{layer}", layer, float(self.factor * energy(target)))

    def statistic(self, features: Tensor, part: Part) -> Tensor:
        """The loss of a tile's positions."""
        return self.factor * squared_distance(features, part(self.target))


def content_factor(target: Tensor | Recomputed, variant: Variant, activation: float) -> Tensor:
    """The factor ``c`` of the content loss for the target ``P`` (1, N, H, W), 0-dimensional.

    ============  ================  =====================================================
    relative      1 / sum(P**2)     1 for features of 0, whatever network, layer and size
    gatys-2016    s**2 / 2          equation 1
    neural-style  s**2 / P.numel()  mean squared error (``ContentLoss``, neural_style.lua)
    ============  ================  =====================================================

    ``s`` is ``activation``.
    """
    match variant:
        case "relative":
            return 1 / energy(target)
        case "gatys-2016":
            return constant(activation**2 / 2, target)
        case "neural-style":
            return constant(activation**2 / target.numel(), target)


def content_targets(
    tiling: Tiling, content: Tensor, layers: Collection[str], kept: int = KEPT
) -> dict[str, Tensor | Recomputed]:
    """The targets ``P`` of content losses at some layers.

    ``content`` is (1, 3, H, W) in [0, 1]; ``kept`` is in bytes. Targets of more are :class:`Recomputed`, if
    the picture has several tiles.
    """
    if len(tiling.tiles) == 1 or tiling.size_in_bytes(layers) <= kept:
        key = target_key(tiling.network, content, "features", tiling.plan, *layers)
        return dict(TARGETS.get(key, lambda: tiling.all_features(content, layers)))
    source = Source(tiling, content, layers)
    energies = tiling.sums(content, layers, sum_of_squares)
    channels = tiling.channels
    return {
        layer: Recomputed(source, layer, total, positions * channels[layer])
        for layer, (total, positions) in energies.items()
    }
