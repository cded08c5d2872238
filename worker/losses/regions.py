"""Where of a picture a loss counts, as each layer sees it.

Gatys, Ecker, Bethge, Hertzmann, Shechtman, "Controlling perceptual factors in neural style transfer", CVPR
2017, section 4: guided Gram matrices.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.optim.randomness import generator_at
from worker.optim.tiling.tiles import Tiling


@dataclass(frozen=True)
class Region:
    """A part of a picture, hard or soft: ``mask`` (1, 1, H, W) in [0, 1], of the size that ``tiling`` is for.

    It is not 0 everywhere.
    """

    tiling: Tiling
    mask: Tensor

    @property
    def area(self) -> float:
        """The share of the picture that it has, 0 to 1."""
        return float(self.mask.cpu().double().mean())

    def weights(self, layer: str) -> Tensor:
        """How much each position of a layer belongs to it, (1, 1, h, w) in [0, 1], not 0 everywhere."""
        return self.tiling.reduced(self.mask, layer)

    def places(self, layer: str, seed: int) -> Tensor:
        """The positions of a layer that :func:`places_in` chooses."""
        return places_in(self.weights(layer), seed)


def places_in(weights: Tensor, seed: int) -> Tensor:
    """Places (n,), row by row, of positions chosen with probabilities ``weights`` (1, 1, H, W), in order.

    Systematic sampling (Madow 1949) from one number that is drawn from the seed: so many as the weights sum
    to, up to rounding, one at least, each once; those of a weight of 1 are all among them, none of 0 is.
    """
    # On the CPU in float64, which not every device has.
    reached = weights.flatten().cpu().double().cumsum(0)
    # As if they summed to 1, where that is less.
    reached /= min(1.0, float(reached[-1]))
    total = float(reached[-1])
    drawn = float(torch.rand((), generator=generator_at(seed), dtype=torch.float64))
    marks = drawn + torch.arange(int(total) + 1, dtype=torch.float64)
    # Beyond each mark, so that no position without weight is found.
    places = torch.searchsorted(reached, marks[marks < total], right=True)
    return places.to(weights.device)


def evened(weights: Tensor) -> Tensor:
    """Weights, not all 0, divided by their mean."""
    return weights / weights.mean()
