"""Total variation: the differences of neighbouring pixels."""

import torch
from torch import Tensor

from worker.losses.base import PictureLoss
from worker.losses.distance import Variant
from worker.optim.color import luma

# Differences far below this are smoothed as by a heat flow, those far above are edges, which cost in
# proportion to their height only. As low as 0.05 flat areas turn into patches with jagged, haloed edges.
SMOOTHING = 0.15

# What a difference in chroma costs beyond one in luma: coloured noise is dirt, grey noise texture.
CHROMA = 4.0


class TotalVariation(PictureLoss):
    """``weight * V``, with ``V`` the variation of the picture.

    ``relative``: :func:`total_variation`, a mean, with or without ``wrap``. The other variants:
    :func:`squared_variation` of levels from 0 to 255, a sum, as in neural-style (Gatys and co-authors have
    none).
    """

    def __init__(self, weight: float, variant: Variant, *, wrap: bool = False) -> None:
        super().__init__("tv", 0.0)
        self.weight = weight
        self.variant = variant
        self.wrap = wrap

    def value(self, picture: Tensor) -> Tensor:
        """The weighted variation of a picture (1, 3, H, W) in [0, 1]."""
        if self.variant == "relative":
            return self.weight * total_variation(picture, self.wrap)
        return self.weight * (255**2 * squared_variation(picture))


def total_variation(picture: Tensor, wrap: bool = False) -> Tensor:
    """Mean over pixels of the length of the color gradient, smoothed at zero.

    Rudin, Osher, Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 1992, in the
    vectorial form: the channels share one root, so that an edge which all of them share costs less than
    three that they do not. The squared length of a difference is that of its RGB and CHROMA times that of its
    chroma (RGB less luma). ``picture`` is (1, 3, H, W) in [0, 1]; beyond the last row and column the
    difference is 0, or with ``wrap`` that to the first. A flat picture scores 0.
    """
    beyond = slice(0, 1) if wrap else slice(-1, None)
    down = torch.diff(picture, dim=-2, append=picture[..., beyond, :])
    right = torch.diff(picture, dim=-1, append=picture[..., :, beyond])
    squares = _squared_length(down) + _squared_length(right)
    return (squares + SMOOTHING**2).sqrt().mean() - SMOOTHING


def squared_variation(picture: Tensor) -> Tensor:
    """Half the sum over pixels and channels of squared differences to the pixel below and to the right.

    ``picture`` is (1, C, H, W). This is what Johnson's neural-style descends (``TVLoss`` in neural_style.lua,
    whose gradient leaves out the last row and column, as here); it grows with the picture.
    """
    height, width = picture.shape[-2:]
    inner = picture[..., : height - 1, : width - 1]
    down = picture[..., 1:, : width - 1] - inner
    right = picture[..., : height - 1, 1:] - inner
    return (down.square().sum() + right.square().sum()) / 2


def _squared_length(difference: Tensor) -> Tensor:
    chroma = difference - luma(difference)
    return difference.square().sum(1) + CHROMA * chroma.square().sum(1)
