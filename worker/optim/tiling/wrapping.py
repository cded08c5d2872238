"""Circular padding and resizing of seamless pictures."""

import math

import torch.nn.functional as F
from torch import Tensor

from worker.optim.pyramids.scales import resize


def wrapped(picture: Tensor, margin: int) -> Tensor:
    """A picture (1, C, H, W) padded circularly by ``margin`` pixels, which may exceed its sides."""
    if margin <= min(picture.shape[-2:]):
        return F.pad(picture, (margin,) * 4, mode="circular")
    # The circular padding of torch does not go around more than once.
    height, width = picture.shape[-2:]
    down, across = math.ceil(margin / height), math.ceil(margin / width)
    many = picture.repeat(1, 1, 2 * down + 1, 2 * across + 1)
    top, left = down * height - margin, across * width - margin
    return many[..., top : top + height + 2 * margin, left : left + width + 2 * margin]


def resize_wrapped(picture: Tensor, height: int, width: int) -> Tensor:
    """A seamless picture (1, C, H, W) at another size, filtered across its edges.

    Each axis in turn, from three copies side by side, of which the middle one is kept: that samples the same
    grid whatever the ratio of the sizes is.
    """
    old_height, old_width = picture.shape[-2:]
    if (height, width) == (old_height, old_width):
        return picture
    taller = resize(picture.repeat(1, 1, 3, 1), 3 * height, old_width)[..., height : 2 * height, :]
    wider = resize(taller.repeat(1, 1, 1, 3), height, 3 * width)
    return wider[..., width : 2 * width].contiguous()
