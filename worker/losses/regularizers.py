"""Regularizers: penalties of pictures, one number for each picture of a batch, (N,).

All are means over the pixels of pictures (N, 3, H, W) in [0, 1], so that a weight means the same at any size.
``mean`` is the color (3,) with a penalty of 0.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.losses.total_variation import total_variation

# The usual distance of a pixel from the mean color, and from its neighbours: half the 160 and 160 / 6.5 of
# 255 levels that Mahendran and Vedaldi divide by ("Visualizing deep convolutional neural networks using
# natural pre-images", IJCV 2016, section 3 and their code). In these units the penalties of a photo are of
# order 1.
USUAL_CONTRAST = 80 / 255
USUAL_STEP = 80 / 6.5 / 255


def squared_norm(pictures: Tensor, mean: Sequence[float]) -> Tensor:
    """The L2 regulariser: mean squared distance from the mean color.

    Simonyan, Vedaldi, Zisserman, "Deep inside convolutional networks", 2014, equation 1, per value.
    """
    return (pictures - _color(mean, pictures)).square().flatten(1).mean(1)


def p_norm(pictures: Tensor, mean: Sequence[float], power: float = 6.0) -> Tensor:
    """Mean over pixels of their distance from the mean color, in units of USUAL_CONTRAST, to a power.

    Mahendran and Vedaldi 2016, section 3.1: with the power 6 it is negligible within the usual range, and
    steep outside.
    """
    squares = (pictures - _color(mean, pictures)).square().sum(1) / USUAL_CONTRAST**2
    return squares.pow(power / 2).flatten(1).mean(1)


def variation(pictures: Tensor) -> Tensor:
    """The total variation of each picture: :func:`worker.losses.total_variation.total_variation`."""
    return torch.stack([total_variation(picture) for picture in torch.split(pictures, 1)])


def squared_steps(pictures: Tensor) -> Tensor:
    """Mean over pixels of the squared differences to the next ones, in units of USUAL_STEP.

    Mahendran and Vedaldi 2016, section 3.1: total variation with the exponent beta = 2, which unlike 1
    suppresses spikes. Beyond the last row and column the difference is 0.
    """
    down = torch.diff(pictures, dim=2).square().flatten(1).sum(1)
    right = torch.diff(pictures, dim=3).square().flatten(1).sum(1)
    return (down + right) / (pictures[0, 0].numel() * USUAL_STEP**2)


def blur(pictures: Tensor, deviation: float) -> Tensor:
    """Gaussian blur with a standard deviation in pixels, above 0; edge pixels are repeated outside."""
    reach = max(1, round(4 * deviation))
    places = torch.arange(-reach, reach + 1, dtype=pictures.dtype, device=pictures.device)
    kernel = (-0.5 * (places / deviation).square()).exp()
    kernel = (kernel / kernel.sum()).expand(3, 1, 1, -1)
    pictures = F.conv2d(F.pad(pictures, (reach, reach, 0, 0), mode="replicate"), kernel, groups=3)
    kernel = kernel.transpose(2, 3)
    return F.conv2d(F.pad(pictures, (0, 0, reach, reach), mode="replicate"), kernel, groups=3)


def decay(pictures: Tensor, mean: Sequence[float], share: float) -> Tensor:
    """Move every pixel towards the mean color by a fraction of its distance, 0 to 1.

    Yosinski et al., "Understanding neural networks through deep visualization", 2015, section 3: "L2 decay".
    """
    return pictures.lerp(_color(mean, pictures).expand_as(pictures), share)


def _color(mean: Sequence[float], like: Tensor) -> Tensor:
    return torch.tensor(mean, dtype=like.dtype, device=like.device).view(1, 3, 1, 1)
