"""Sizes of pictures, and scales from coarse to fine."""

import torch.nn.functional as F
from torch import Tensor


def fit(picture: Tensor, long_side: int) -> tuple[int, int]:
    """Height and width of ``picture`` (..., H, W) with ``long_side`` as the longer side.

    The aspect is kept, except that no side is below 1 pixel.
    """
    height, width = picture.shape[-2:]
    longest = max(height, width)
    return (
        max(1, round(height * long_side / longest)),
        max(1, round(width * long_side / longest)),
    )


def resize(picture: Tensor, height: int, width: int) -> Tensor:
    """A picture (N, C, H, W) in [0, 1] at another size: bicubic, antialiased where it shrinks, in [0, 1].

    A picture that already has the size is returned unchanged.
    """
    if picture.shape[-2:] == (height, width):
        return picture
    resized = F.interpolate(picture, (height, width), mode="bicubic", antialias=True, align_corners=False)
    return resized.clamp_(0, 1)


def center_crop(picture: Tensor, side: int) -> Tensor:
    """The largest square in the middle of a picture (N, C, H, W), ``side`` by ``side`` pixels."""
    height, width = picture.shape[2:]
    short = min(height, width)
    top, left = (height - short) // 2, (width - short) // 2
    return resize(picture[..., top : top + short, left : left + short], side, side)


def share_steps(steps: int, scales: int) -> list[int]:
    """Steps of each scale, coarse to fine, in equal shares: coarse steps cost the least.

    The remainder goes to the finest scales. A scale may get none, but the last at least one.
    """
    share, rest = divmod(steps, scales)
    return [share + (scale >= scales - rest) for scale in range(scales)]
