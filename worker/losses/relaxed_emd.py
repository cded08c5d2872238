"""The style loss of STROTSS: relaxed earth mover's distances of features and of colors, and moments.

Kolkin, Salavon, Shakhnarovich, "Style Transfer by Relaxed Optimal Transport and Self-Similarity", CVPR 2019,
section 2.3. There a position has the features of all layers; here each layer is compared by itself.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.losses.base import Loss, PictureLoss, PositionsLoss
from worker.losses.distance import LEAST_ENERGY
from worker.losses.gram import gram_matrix
from worker.losses.moments import mean_and_covariance, moment_sums
from worker.losses.nearest import directions, mean_cosine_distances, usual_length
from worker.losses.positions import pooled, pooled_positions, rows_of, sampled
from worker.losses.regions import places_in
from worker.losses.sources import Styles

# Positions of the style that take part, at each layer. The time of an evaluation is in proportion to them.
MOST = 1024

# Longer side in pixels that pictures are reduced to for their colors.
COLOR_SIDE = 48
# Distances of colors far below this are smoothed: the root has no gradient at 0.
SMALLEST_STEP = 0.01


def relaxed_emd_losses(styles: Styles) -> list[Loss]:
    """A loss for each layer, and one of colors that weighs as much as the distances ``R`` of all of them.

    (The paper's weight of colors is 1 over that of the content: the same at its last scale.) Several styles
    give positions and colors in proportion to their shares; their raw moments are blended.
    """
    if not styles.layers:
        return []
    positions, moments = pooled_positions(styles, MOST), styles.means(moment_sums)
    losses: list[Loss] = [
        RelaxedEMDLoss(
            layer, positions[layer], *mean_and_covariance(moments[layer]), weight, styles.places(layer)
        )
        for layer, weight in styles.layers.items()
    ]
    if not styles.colors:
        return losses
    colors = [sampled(reduced(picture), MOST, styles.seed) for picture in styles.pictures]
    palette = pooled(colors, styles.fractions, MOST, styles.seed)
    places = None
    if styles.region is not None:
        places = places_in(reduced(styles.region.mask), styles.seed)
    return [*losses, PaletteLoss(palette, sum(styles.layers.values()) / 3, places)]


class RelaxedEMDLoss(PositionsLoss):
    """``weight / 3 * (R + m + c)`` at one layer.

    - ``R = max(mean_i min_j D_ij, mean_j min_i D_ij)`` (equations 5 to 7), ``D`` the cosine distance of
      position ``i`` and position ``j`` of the style: from 0 to 2, and 1 for features of 0.
    - ``m`` and ``c`` are the sums of absolute differences of the channels' means and covariances (equation
      8), relative to those of the style: 1 for features of 0. The paper has them in the network's units.
    """

    def __init__(
        self,
        layer: str,
        style: Tensor,
        mean: Tensor,
        covariance: Tensor,
        weight: float,
        places: Tensor | None = None,
    ) -> None:
        """``style`` is (n, C), positions of the style; ``mean`` (C,) and ``covariance`` (C, C) are those of
        all its positions. Float32 or better. ``places`` are those of :class:`PositionsLoss`.
        """
        super().__init__(f"style.{layer}", layer, weight, places)
        self.weight = weight
        self.targets, self.usual = directions(style), usual_length(style)
        self.mean, self.covariance = mean, covariance

    def of_positions(self, features: Tensor) -> Tensor:
        """The loss of features (1, C, h, w)."""
        rows = rows_of(features)
        distance = torch.maximum(*mean_cosine_distances(rows, self.targets, self.usual))
        mean = rows.mean(0, dtype=self.mean.dtype)
        covariance = gram_matrix(features) - torch.outer(mean, mean)
        moments = _relative(mean, self.mean) + _relative(covariance, self.covariance)
        return self.weight / 3 * (distance + moments)


class PaletteLoss(PictureLoss):
    """``weight * max(mean_i min_j D_ij, mean_j min_i D_ij)``, ``D`` the distances of colors.

    That of black and white is 1. Of the picture and the style reduced to COLOR_SIDE. The paper rotates
    colors to luma and chroma first, which changes no distance.
    """

    def __init__(self, style: Tensor, weight: float, places: Tensor | None = None) -> None:
        """``style`` is (n, 3), colors in [0, 1]; ``places`` are those of the reduced picture that count, row
        by row; None: all.
        """
        super().__init__("style.palette", weight)
        self.places = places
        self.weight = weight
        self.style = style

    def value(self, picture: Tensor) -> Tensor:
        """The loss of a picture (1, 3, H, W) in [0, 1]."""
        colors = rows_of(reduced(picture))
        if self.places is not None:
            colors = colors.index_select(0, self.places)
        style = self.style.to(colors)
        with torch.no_grad():
            pairs = torch.cdist(colors, style)
        of_picture = _distances(colors, style.index_select(0, pairs.argmin(1)))
        of_style = _distances(colors.index_select(0, pairs.argmin(0)), style)
        return self.weight * torch.maximum(of_picture.mean(), of_style.mean())


def reduced(picture: Tensor) -> Tensor:
    """A picture (1, C, H, W) averaged over areas, with a longer side of at most COLOR_SIDE."""
    height, width = picture.shape[-2:]
    factor = min(1.0, COLOR_SIDE / max(height, width))
    return F.adaptive_avg_pool2d(picture, (max(1, round(height * factor)), max(1, round(width * factor))))


def _distances(colors: Tensor, others: Tensor) -> Tensor:
    """Distances (n,) of colors (n, 3) in pairs, about 1 for black and white."""
    squares = (colors - others).square().mean(1)
    return (squares + SMALLEST_STEP**2).sqrt() - SMALLEST_STEP


def _relative(found: Tensor, target: Tensor) -> Tensor:
    """Sum of absolute differences, over that of absolute targets."""
    return (found - target).abs().sum() / target.abs().sum().clamp_min(LEAST_ENERGY)
