"""Maps of a layer over the picture that they are of."""

import torch
from torch import Tensor

from models.geometry import Window


def place(maps: Tensor, window: Window, height: int, width: int) -> Tensor:
    """Maps (N, C, h, w) over a picture, (N, C, height, width): each position where it looks, linear between.

    A position is put at the middle of its ``window``, the pixels that it sees. For networks whose padding is
    as wide before as after, that is bilinear enlargement. Where it differs the positions look elsewhere: half
    a stride further down and right at the end of TensorFlow's networks, whose maps would otherwise be drawn
    15 pixels off. Beyond the outermost middles the values stay the same.
    """
    rows, columns = (
        _shares(count, window, side).to(maps)
        for count, side in zip(maps.shape[2:], (height, width), strict=True)
    )
    placed: Tensor = rows @ maps @ columns.T
    return placed


def _shares(count: int, window: Window, side: int) -> Tensor:
    """How much of each of ``count`` positions each of ``side`` pixels has, (side, count); rows sum to 1."""
    first = (window.size - 1) / 2 - window.padding
    place = ((torch.arange(side) - first) / window.stride).clamp(0, count - 1)
    return (1 - (place[:, None] - torch.arange(count)).abs()).clamp_min(0)
