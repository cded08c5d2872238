"""Laplacian pyramids, and gradients normalized in each band.

Burt and Adelson, "The Laplacian pyramid as a compact image code", IEEE Transactions on Communications 31,
1983; for gradients as in TensorFlow's deepdream notebook (2016).
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

# The binomial filter that approximates a Gaussian (Burt and Adelson, with a = 3/8).
TAPS = (1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16)

# See with_tones_of.
LARGE_AREAS = 32

# Bands weaker than this fraction of the whole are rounding errors, and are divided by it instead of by their
# own root mean square.
SMALLEST_BAND = 1e-5


def split(picture: Tensor, levels: int) -> list[Tensor]:
    """Bands of ``picture`` (N, C, H, W) from fine to coarse: ``levels`` of detail and the rest.

    Each is half the size of the previous one.
    """
    bands = []
    for _ in range(levels):
        coarse = _reduce(picture)
        bands.append(picture - _expand(coarse, picture))
        picture = coarse
    return [*bands, picture]


def merge(bands: list[Tensor]) -> Tensor:
    """The picture of the bands that :func:`split` gave."""
    picture = bands[-1]
    for band in reversed(bands[:-1]):
        picture = band + _expand(picture, band)
    return picture


def normalize(gradient: Tensor, levels: int) -> Tensor:
    """A gradient (N, C, H, W) with the same root mean square, 1, in each of its bands; 0 stays 0.

    Gradients are much stronger in fine detail than in large areas of color.
    """
    bands = split(gradient / _rms(gradient).clamp_min(torch.finfo(gradient.dtype).tiny), levels)
    for place, band in enumerate(bands):
        bands[place] = band / _rms(band).clamp_min(SMALLEST_BAND)
    return merge(bands)


def with_tones_of(picture: Tensor, like: Tensor, shift: float) -> Tensor:
    """A picture (N, C, H, W) in [0, 1] with the lightness and colors that large areas of ``like`` have.

    ``shift`` is the share of their difference that stays, from 0 to 1. Large are those that are seen when the
    longer side has about LARGE_AREAS pixels. ``like`` is of the same size.
    """
    if shift == 1:
        return picture
    levels = max(1, round(math.log2(max(picture.shape[2:]) / LARGE_AREAS)))
    bands = split(picture - like, levels)
    bands[-1] = shift * bands[-1]
    return (like + merge(bands)).clamp(0, 1)


def _rms(band: Tensor) -> Tensor:
    return band.square().mean().sqrt()


def _kernel(like: Tensor) -> Tensor:
    taps = torch.tensor(TAPS, dtype=like.dtype, device=like.device)
    return (taps[:, None] * taps)[None, None]


def _reduce(picture: Tensor) -> Tensor:
    """Smoothed and halved, sizes rounded up; edge pixels are repeated beyond the edge."""
    planes = F.pad(picture, (2,) * 4, mode="replicate").flatten(0, 1).unsqueeze(1)
    half = F.conv2d(planes, _kernel(picture), stride=2)
    return half.view(*picture.shape[:2], *half.shape[2:])


def _expand(picture: Tensor, like: Tensor) -> Tensor:
    """Enlarged twice, to the size of ``like``."""
    planes = F.pad(picture, (1,) * 4, mode="replicate").flatten(0, 1).unsqueeze(1)
    height, width = ((side + 1) % 2 for side in like.shape[2:])
    # Remove four pixels of padding on each side.
    twice = F.conv_transpose2d(
        planes, 4 * _kernel(picture), stride=2, padding=4, output_padding=(height, width)
    )
    return twice.view(like.shape)
