"""The Laplacian loss: edges of the content, in the picture itself, stay where they are.

Li, Xu, Nie, Chua, "Laplacian-Steered Neural Style Transfer", ACM Multimedia 2017, section 3.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.losses.base import Loss, PictureLoss
from worker.losses.distance import squared_distance
from worker.losses.regions import evened
from worker.losses.sources import Content

# Sides in pixels of the squares that are averaged: both of those of the paper (section 4.3), in equal parts.
POOLS = (4, 16)

# Root mean square of the Laplacian that a flatter content counts as having: a grey level of 255.
LEAST_EDGES = 1 / 255


def laplacian_losses(content: Content) -> list[Loss]:
    """One loss, of the picture, with the weight of all layers together."""
    weight = sum(content.layers.values())
    wrap = content.tiling.edge == "wrap"
    return [LaplacianLoss(content.picture, weight, content.emphasis, wrap=wrap)] if weight else []


class LaplacianLoss(PictureLoss):
    """``weight * mean_p (sum(w * (L - L_c)**2) / sum(L_c**2))`` over pools ``p``; 1 for a flat picture.

    ``L`` is the Laplacian of the picture averaged over squares of ``p`` by ``p`` pixels, summed over the
    channels as in the paper, ``L_c`` that of the content; ``w`` are weights of the averages, of mean 1.
    """

    def __init__(
        self, content: Tensor, weight: float, emphasis: Tensor | None = None, *, wrap: bool = False
    ) -> None:
        """``content`` is (1, 3, H, W) in [0, 1]; ``w`` are in proportion to ``emphasis`` (1, 1, H, W), which
        is not 0 everywhere; None: all are 1. ``wrap`` as in :func:`laplacian`.
        """
        super().__init__("content.laplacian", weight)
        self.weight = weight
        self.wrap = wrap
        self.targets = [laplacian(content, pool, wrap) for pool in POOLS]
        self.weights = [
            None if emphasis is None else evened(F.avg_pool2d(emphasis, pool, ceil_mode=True))
            for pool in POOLS
        ]
        least = [LEAST_EDGES**2 * target.numel() for target in self.targets]
        self.energies = [
            float(target.square().sum().clamp_min(floor))
            for target, floor in zip(self.targets, least, strict=True)
        ]

    def value(self, picture: Tensor) -> Tensor:
        """The loss of a picture (1, 3, H, W) in [0, 1]."""
        found = [
            squared_distance(laplacian(picture, pool, self.wrap), target, weights) / energy
            for pool, target, weights, energy in zip(
                POOLS, self.targets, self.weights, self.energies, strict=True
            )
        ]
        return self.weight * torch.stack(found).mean()


def laplacian(picture: Tensor, pool: int, wrap: bool = False) -> Tensor:
    """Four times each average less the four next to it, (1, 1, h, w).

    Beyond the edge the edge is repeated, or with ``wrap`` comes the opposite one. ``picture`` is
    (1, 3, H, W). The averages are over squares of ``pool`` by ``pool`` pixels, those at the right and at the
    bottom over what is left.
    """
    # The filter is the same for all channels.
    averages = F.avg_pool2d(picture.sum(1, keepdim=True), pool, ceil_mode=True)
    around = F.pad(averages, (1, 1, 1, 1), mode="circular" if wrap else "replicate")
    beside = around[..., 1:-1, :-2] + around[..., 1:-1, 2:]
    return 4 * averages - beside - around[..., :-2, 1:-1] - around[..., 2:, 1:-1]
