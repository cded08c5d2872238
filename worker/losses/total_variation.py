"""Total variation: the differences of neighbouring pixels."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from worker.losses.base import PictureLoss
from worker.losses.distance import Variant
from worker.optim.color import luma

# Differences far below this are smoothed as by a heat flow, those far above are edges, which cost in
# proportion to their height only. As low as 0.05 flat areas turn into patches with jagged, haloed edges.
SMOOTHING = 0.15

# What a difference in chroma costs beyond one in luma: coloured noise is dirt, grey noise texture.
CHROMA = 4.0

# Numbers of the largest picture that is differentiated as a whole, which takes ten times its memory; larger
# ones are in bands of BAND.
WHOLE = 1 << 24
BAND = 1 << 22


class TotalVariation(PictureLoss):
    """``weight * V``, with ``V`` the variation of the picture.

    ``relative``: :func:`total_variation`, a mean. Crowson's variants: :func:`nine_point_variation`. The
    others: :func:`squared_variation` of levels from 0 to 255, a sum, as in neural-style (Gatys and co-authors
    have none). With ``wrap`` the last row and column are neighbours of the first.
    """

    def __init__(self, weight: float, variant: Variant, *, wrap: bool = False) -> None:
        super().__init__("tv", 0.0)
        self.weight = weight
        self.variant = variant
        self.wrap = wrap

    def value(self, picture: Tensor) -> Tensor:
        """The weighted variation of a picture (1, 3, H, W) in [0, 1]."""
        match self.variant:
            case "relative":
                return self.weight * total_variation(picture, self.wrap)
            case "crowson-2021" | "crowson-2023":
                return self.weight * nine_point_variation(picture, self.wrap)
            case _:
                return self.weight * (255**2 * squared_variation(picture, self.wrap))


def total_variation(picture: Tensor, wrap: bool = False) -> Tensor:
    """Mean over pixels of the length of the color gradient, smoothed at zero.

    Rudin, Osher, Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 1992, in the
    vectorial form: the channels share one root, so that an edge which all of them share costs less than
    three that they do not. The squared length of a difference is that of its RGB and CHROMA times that of its
    chroma (RGB less luma). ``picture`` is (1, 3, H, W) in [0, 1]; beyond the last row and column the
    difference is 0, or with ``wrap`` that to the first. A flat picture scores 0.
    """
    height, width = picture.shape[-2:]
    beyond = _beyond(wrap)
    if picture.numel() > WHOLE:
        lengths = _sum_in_bands(picture, _and_beyond(picture, wrap), partial(_lengths, beyond))
        return lengths / (height * width) - SMOOTHING
    down = torch.diff(picture, dim=-2, append=picture[..., beyond, :])
    right = torch.diff(picture, dim=-1, append=picture[..., :, beyond])
    squares = _squared_length(down) + _squared_length(right)
    return (squares + SMOOTHING**2).sqrt().mean() - SMOOTHING


def squared_variation(picture: Tensor, wrap: bool = False) -> Tensor:
    """Half the sum over pixels and channels of squared differences to the pixel below and to the right.

    ``picture`` is (1, C, H, W). This is what Johnson's neural-style descends (``TVLoss`` in neural_style.lua,
    whose gradient leaves out the last row and column, as here unless they ``wrap``); it grows with the
    picture.
    """
    rows = _and_beyond(picture, wrap)
    # Without the row beyond the last one has no neighbour below.
    rows = rows if wrap else rows[:-1]
    if picture.numel() > WHOLE:
        return _sum_in_bands(picture, rows, partial(_squares, wrap))
    return _squares(wrap, picture.index_select(-2, rows) if wrap else picture)


def nine_point_variation(picture: Tensor, wrap: bool = False) -> Tensor:
    """Twice the mean over pixels and channels of squared differences to the eight neighbours, each pair once.

    Those below and to the right weigh 1/3, diagonal ones 1/12; edge pixels are repeated outside, unless they
    ``wrap``. ``picture`` is (1, C, H, W). As in crowsonkb/style-transfer-pytorch (``TVLoss``).
    """
    rows, points = _and_beyond(picture, wrap), partial(_nine_points, wrap)
    if picture.numel() > WHOLE:
        return 2 / picture.numel() * _sum_in_bands(picture, rows, points)
    return 2 / picture.numel() * points(picture.index_select(-2, rows))


def _beyond(wrap: bool) -> slice:
    """Which row or column lies beyond the last: the first, or the last again."""
    return slice(0, 1) if wrap else slice(-1, None)


def _and_beyond(picture: Tensor, wrap: bool) -> Tensor:
    """Indices of all rows of a picture, and of the one beyond the last."""
    height = picture.shape[-2]
    rows = torch.arange(height + 1, device=picture.device)
    return rows % height if wrap else rows.clamp_max(height - 1)


def _nine_points(wrap: bool, rows: Tensor) -> Tensor:
    """The weighted sum of squared differences at all rows but the last, (1, C, h + 1, W)."""
    inner, below = rows[..., :-1, :], rows[..., 1:, :]
    around = F.pad(below, (1, 1, 0, 0), mode="circular" if wrap else "replicate")
    right = torch.diff(inner, dim=-1, append=inner[..., :, _beyond(wrap)])
    straight = (below - inner).square().sum() + right.square().sum()
    diagonal = (around[..., 2:] - inner).square().sum() + (around[..., :-2] - inner).square().sum()
    return straight / 3 + diagonal / 12


def _squares(wrap: bool, rows: Tensor) -> Tensor:
    """:func:`squared_variation` of some rows, (1, C, h + 1, W)."""
    if wrap:
        rows = torch.cat([rows, rows[..., :1]], -1)
    height, width = rows.shape[-2:]
    inner = rows[..., : height - 1, : width - 1]
    down = rows[..., 1:, : width - 1] - inner
    right = rows[..., : height - 1, 1:] - inner
    return (down.square().sum() + right.square().sum()) / 2


def _lengths(beyond: slice, rows: Tensor) -> Tensor:
    """Sum of the smoothed lengths at all rows but the last, (1, 3, h + 1, W); ``beyond`` the last column is
    that column of the picture.
    """
    inner = rows[..., :-1, :]
    down = torch.diff(rows, dim=-2)
    right = torch.diff(inner, dim=-1, append=inner[..., :, beyond])
    return (_squared_length(down) + _squared_length(right) + SMOOTHING**2).sqrt().sum()


def _sum_in_bands(picture: Tensor, rows: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
    """The sum of a function of bands of a picture (1, C, H, W).

    ``rows`` are indices in order, the last one of the row beyond the others. The function is given some rows
    and the one that follows, (1, C, h + 1, W).
    """
    total: Tensor = _SumInBands.apply(picture, rows, function)  # type: ignore[no-untyped-call]
    return total


class _SumInBands(torch.autograd.Function):
    """Computes a band again for the gradient, so that autograd keeps one band at a time."""

    @staticmethod
    def forward(ctx: Any, picture: Tensor, rows: Tensor, function: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.save_for_backward(picture, rows)
        ctx.function = function
        parts = [function(picture.index_select(-2, some)) for some in _bands(picture, rows)]
        return torch.stack(parts).sum()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        picture, rows = ctx.saved_tensors
        whole = torch.zeros_like(picture)
        for some in _bands(picture, rows):
            with torch.enable_grad():
                band = picture.index_select(-2, some).detach().requires_grad_()
                (of_band,) = torch.autograd.grad(ctx.function(band), band, gradient)
            whole.index_add_(-2, some, of_band)
        return whole, None, None


def _bands(picture: Tensor, rows: Tensor) -> Iterator[Tensor]:
    """All ``rows`` in parts; each begins with the last one of the part before."""
    each = max(1, BAND * picture.shape[-2] // picture.numel())
    for start in range(0, len(rows) - 1, each):
        yield rows[start : start + each + 1]


def _squared_length(difference: Tensor) -> Tensor:
    chroma = difference - luma(difference)
    return difference.square().sum(1) + CHROMA * chroma.square().sum(1)
