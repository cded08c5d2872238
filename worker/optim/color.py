"""Color spaces, and the color of one picture under the lightness of another.

OKLab (Ottosson, "A perceptual color space for image processing", 2020): lightness L in [0, 1] and two axes of
chroma, a and b, that are 0 for grey. A change of chroma alone does not change how light a color looks, which
cannot be said of the luma of gamma-coded RGB. All functions take and give tensors (N, 3, H, W).
"""

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

# Rec. 601 luma of gamma-coded RGB, as in YUV and JPEG's YCbCr.
LUMA = (0.299, 0.587, 0.114)

# Linear sRGB to the responses of the three cones, and the cube roots of these to OKLab.
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
# Rows of a picture are converted so many pixels at a time, so that a large one needs little memory beside it.
_BAND = 1 << 20
# How far outside [0, 1] a linear channel may be: a quarter of a level of 16 bits.
_OUTSIDE = 4e-6
_HALVINGS = 16

Change = Callable[[Tensor], Tensor]


def luma(picture: Tensor) -> Tensor:
    """Luma, (N, 1, H, W) in [0, 1], of an RGB picture (N, 3, H, W) in [0, 1]."""
    weights = torch.tensor(LUMA, dtype=picture.dtype, device=picture.device).view(1, 3, 1, 1)
    return (picture * weights).sum(1, keepdim=True)


def to_oklab(picture: Tensor) -> Tensor:
    """OKLab of sRGB in [0, 1]."""
    linear = torch.where(picture <= 0.04045, picture / 12.92, ((picture + 0.055) / 1.055).pow(2.4))
    cones = _mixed(linear, _TO_CONES).clamp_min(0)
    return _mixed(cones.pow(1 / 3), _TO_LAB)


def from_oklab(lab: Tensor) -> Tensor:
    """sRGB in [0, 1] of OKLab.

    Colors outside the range of RGB keep lightness and hue: their chroma is reduced just enough. Clipping each
    channel instead would shift both, which is visible as blotches.
    """
    light = lab[:, :1].clamp(0, 1)
    chroma = lab[:, 1:]
    linear = _linear(light, chroma)
    outside = _is_outside(linear)
    if bool(outside.any()):
        # The points outside as (K, 3, 1, 1): few, mostly.
        points = lab.permute(0, 2, 3, 1)[outside][..., None, None]
        reduced = _into_range(points[:, :1].clamp(0, 1), points[:, 1:])
        linear.permute(0, 2, 3, 1)[outside] = reduced[..., 0, 0]
    linear = linear.clamp_(0, 1)
    return torch.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear.pow(1 / 2.4) - 0.055).clamp_(0, 1)


@torch.no_grad()
def with_chroma_of(picture: Tensor, colors: Tensor) -> Tensor:
    """The lightness of ``picture`` with the chroma of ``colors``, in OKLab; all are sRGB in [0, 1].

    Gatys, Bethge, Hertzmann, Shechtman, "Preserving color in neural artistic style transfer", 2016, section
    3.2, who do it in YUV, applied to the result.
    """

    def mixed(band: Tensor, colors: Tensor) -> Tensor:
        return from_oklab(torch.cat([to_oklab(band)[:, :1], to_oklab(colors)[:, 1:]], 1))

    return in_bands(mixed, picture, colors)


@torch.no_grad()
def grey(picture: Tensor) -> Tensor:
    """``picture`` without its chroma, sRGB in [0, 1]: grey of the same lightness."""
    return in_bands(partial(_with_lightness, change=lambda light: light), picture)


@torch.no_grad()
def with_grey_like(picture: Tensor, other: Tensor) -> Tensor:
    """``picture`` in grey, with the mean and the deviation of the lightness of ``other``; sRGB in [0, 1].

    Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017, section 5.1: L_S' =
    sigma_C / sigma_S (L_S - mu_S) + mu_C. What leaves [0, 1] is clipped.
    """
    (mean, deviation), (wanted_mean, wanted_deviation) = _lightness(picture), _lightness(other)
    factor = wanted_deviation / max(deviation, 1e-6)
    return in_bands(
        partial(_with_lightness, change=lambda light: factor * (light - mean) + wanted_mean), picture
    )


def in_bands(change: Callable[..., Tensor], *pictures: Tensor, out: Tensor | None = None) -> Tensor:
    """``change`` of all pixels of pictures (N, 3, H, W) of one size, which gives one, some rows at a time.

    It is written to ``out``, which may be one of them.
    """
    made = torch.empty_like(pictures[0]) if out is None else out
    for band in _bands(made):
        made[band] = change(*(picture[band] for picture in pictures))
    return made


def in_bands_with_neighbors(change: Callable[..., Tensor], *pictures: Tensor, wrap: bool) -> Tensor:
    """The same of a ``change`` that gets one row more above and below, and gives none of these.

    At a border it is the row of the other one with ``wrap``, else the last row once more.
    """
    made = torch.empty_like(pictures[0])
    height = made.shape[2]
    for band in _bands(made):
        rows = torch.arange(band[2].start - 1, min(band[2].stop, height) + 1, device=made.device)
        rows = rows.remainder_(height) if wrap else rows.clamp_(0, height - 1)
        made[band] = change(*(picture.index_select(2, rows) for picture in pictures))
    return made


def moments(picture: Tensor, change: Change, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C), float64 on the CPU, over the pixels of ``change`` of ``picture``.

    ``weights`` (1, 1, H, W), not all 0, say how much each pixel counts; None: all the same.
    """
    total, products, count = torch.zeros(()), torch.zeros(()), picture.numel() / picture.shape[1]
    for band in _bands(picture):
        values = change(picture[band]).transpose(0, 1).flatten(1)
        if values.device.type == "cpu":
            # Elsewhere it may not be there, and a copy would be as large as the picture.
            values = values.double()
        weighted = values if weights is None else values * weights[band].flatten().to(values)
        total = total + weighted.sum(1).cpu().double()
        products = products + (weighted @ values.T).cpu().double()
    if weights is not None:
        count = float(weights.cpu().double().sum())
    mean = total / count
    return mean, products / count - torch.outer(mean, mean)


def _bands(picture: Tensor) -> Iterator[tuple[slice, slice, slice]]:
    """Places of rows, some at a time."""
    rows = max(1, _BAND // (picture.shape[0] * picture.shape[3]))
    for top in range(0, picture.shape[2], rows):
        yield slice(None), slice(None), slice(top, top + rows)


def _with_lightness(band: Tensor, change: Change) -> Tensor:
    light = change(to_oklab(band)[:, :1])
    return from_oklab(torch.cat([light, torch.zeros_like(light).expand(-1, 2, -1, -1)], 1))


def _lightness(picture: Tensor) -> tuple[float, float]:
    """Mean and standard deviation of the lightness."""
    mean, variance = moments(picture, lambda band: to_oklab(band)[:, :1])
    return float(mean), float(variance.clamp_min(0).sqrt())


def _mixed(channels: Tensor, matrix: tuple[tuple[float, ...], ...]) -> Tensor:
    rows = torch.tensor(matrix, dtype=channels.dtype, device=channels.device)
    return torch.einsum("ij,njhw->nihw", rows, channels)


def _inverse(matrix: tuple[tuple[float, ...], ...]) -> tuple[tuple[float, ...], ...]:
    rows = torch.linalg.inv(torch.tensor(matrix, dtype=torch.float64))
    return tuple(tuple(row) for row in rows.tolist())


_FROM_CONES, _FROM_LAB = _inverse(_TO_CONES), _inverse(_TO_LAB)


def _linear(light: Tensor, chroma: Tensor) -> Tensor:
    """Linear sRGB of OKLab, of any range."""
    return _mixed(_mixed(torch.cat([light, chroma], 1), _FROM_LAB).pow(3), _FROM_CONES)


def _is_outside(linear: Tensor) -> Tensor:
    """Which pixels (N, H, W) have a channel outside [0, 1]."""
    return ((linear < -_OUTSIDE) | (linear > 1 + _OUTSIDE)).any(1)


def _into_range(light: Tensor, chroma: Tensor) -> Tensor:
    """Linear sRGB with the largest share of the chroma that is in range, by bisection from grey, which is."""
    low = torch.zeros_like(light)
    for halving in range(1, _HALVINGS + 1):
        middle = low + 0.5**halving
        low = torch.where(_is_outside(_linear(light, middle * chroma))[:, None], low, middle)
    return _linear(light, low * chroma)
