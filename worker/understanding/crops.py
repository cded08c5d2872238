"""Several views of a picture, over which a classifier's probabilities are averaged."""

from collections.abc import Sequence

import torch
from torch import Tensor

from app.kinds.classifying import Crops
from worker.optim.pyramids.scales import resize
from worker.understanding.views import CENTER, as_input, shown_short


def views_of(picture: Tensor, side: int, crops: Crops, scales: Sequence[float]) -> Tensor:
    """What of a picture (1, 3, H, W) a classifier is shown, (V, 3, side, side).

    At a scale f the shorter side has ``f * side / CENTER`` pixels before it is cropped.
    """
    if crops == "resize":
        return resize(picture, side, side)
    if crops == "center":
        return torch.cat([as_input(picture, side, CENTER / scale) for scale in scales])
    shorts = [round(side * scale / CENTER) for scale in scales]
    return torch.cat([ten_crop(shown_short(picture, short), side) for short in shorts])


def ten_crop(picture: Tensor, side: int) -> Tensor:
    """Top left, top right, bottom left, bottom right and center, then their reflections, (10, 3, side, side).

    ``picture`` is (1, 3, H, W), of ``side`` at least. Krizhevsky, Sutskever, Hinton, "ImageNet classification
    with deep convolutional neural networks" (NIPS 2012), section 4.1.
    """
    down, right = picture.shape[2] - side, picture.shape[3] - side
    corners = [(0, 0), (0, right), (down, 0), (down, right), (down // 2, right // 2)]
    five = torch.cat([picture[..., top : top + side, left : left + side] for top, left in corners])
    return torch.cat([five, five.flip(3)])
