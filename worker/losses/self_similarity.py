"""The self-similarity loss: how like each other positions are, whatever they look like.

Kolkin, Salavon, Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and Self-Similarity", CVPR 2019,
section 2.4, equation 9. There a position has the features of all layers; here each layer is compared by
itself.
"""

import torch
from torch import Tensor

from worker.losses.base import GatheredLoss, Loss
from worker.losses.positions import chosen, rows_of, sampled_in_tiles
from worker.losses.sources import Content

# Positions that are compared with each other, as in the paper. Memory goes with the square: 4 MiB a matrix.
MOST = 1024

# Positions whose features are shorter than this fraction of what is usual count as if they were so long: the
# direction of 0 has no gradient.
SHORTEST = 1e-4
# Differences far below this, in units of the mean of what is compared, are squared, not absolute: the kink of
# the absolute value has no curvature that L-BFGS could learn, and it oscillates.
SMOOTHING = 0.1

# Mean distance that a position counts as having to the others, if they are nearer, as in a flat picture:
# differences of rounding errors would be stretched to those of features.
LEAST_DISTANCE = 1e-4


def self_similarity_losses(content: Content) -> list[Loss]:
    """A loss for each layer."""
    targets = sampled_in_tiles(content.tiling, content.picture, content.layers, MOST, content.seed)
    return [
        SelfSimilarityLoss(layer, targets[layer], weight, content.seed, content.weights(layer))
        for layer, weight in content.layers.items()
    ]


class SelfSimilarityLoss(GatheredLoss):
    """``weight * mean_j w_j sum_i abs(D_ij / sum_i D_ij - E_ij / sum_i E_ij)``, from 0 to ``2 * weight``.

    ``E`` are the cosine distances of sampled positions of the content, ``D`` those of the same positions of
    the picture. Features that are alike everywhere, as of a flat picture, have ``D`` of 0: a loss of about
    ``weight``. Absolute values are smoothed at 0 (:data:`SMOOTHING`). ``w`` are weights of positions, of
    mean 1 over all of the layer.
    """

    def __init__(
        self, layer: str, content: Tensor, weight: float, seed: int, weights: Tensor | None = None
    ) -> None:
        """``content`` is (n, C), those positions of the content that :func:`chosen` finds with MOST and
        ``seed``; float32 or better. ``weights`` is ``w``, (1, 1, H, W); None: 1 everywhere.
        """
        super().__init__(f"content.{layer}", layer, weight)
        self.weight = weight
        self.seed = seed
        self.weights = weights
        self.usual = float(content.square().sum(1).mean().sqrt())
        self.target = self._similarity(content)

    def value(self, collected: Tensor, positions: int) -> Tensor:
        """The loss of the features of all positions, (1, C, H, W)."""
        rows = rows_of(collected)
        places = chosen(positions, MOST, self.seed).to(rows.device)
        # Indexing would add up the gradient in any order.
        found = self._similarity(rows.index_select(0, places).to(self.target.dtype))
        smoothing = SMOOTHING / len(places)
        differences = ((found - self.target).square() + smoothing**2).sqrt() - smoothing
        of_each = differences.sum(0)
        if self.weights is not None:
            of_each = of_each * self.weights.flatten()[places]
        return self.weight * of_each.mean()

    def _similarity(self, rows: Tensor) -> Tensor:
        """Distances of rows (n, C), in columns of sum 1."""
        length = rows.square().sum(1, keepdim=True).add((SHORTEST * self.usual) ** 2).sqrt()
        unit = rows / length.clamp_min(torch.finfo(rows.dtype).tiny)
        distances = 1 - unit @ unit.T
        return distances / distances.sum(0).clamp_min(LEAST_DISTANCE * len(rows))
