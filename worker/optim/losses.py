"""The losses of Gatys' objective, as squared distances times a factor that says whose sums they are.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2. In
every reduction the content loss of a layer is ``factor * sum((F - P)**2)`` and its style loss is ``factor *
sum((G - A)**2)``, with ``F`` and ``P`` the features of the picture and of the content, ``G`` and ``A`` the
Gram matrices (means over positions) of the picture and of the style. Only the factor differs:

| reduction        | content           | style             |
|------------------|-------------------|-------------------|
| ``mean``         | 1 / sum(P**2)     | 1 / sum(A**2)     |
| ``gatys-2016``   | s**2 / 2          | s**4 / (4 N**2)   |
| ``neural-style`` | s**2 / P.numel()  | s**4 / N**4       |

``N`` is the number of channels and ``s`` is CAFFE_SCALE.
"""

from typing import Literal

import torch
from torch import Tensor

from worker.optim.total_variation import squared_variation, total_variation

Reduction = Literal["mean", "gatys-2016", "neural-style"]

# The weights of both sources were chosen for activations as large as those of the Caffe VGG-19: 22 at
# relu1_1, 115 at relu2_1, 122 at relu3_1 and 488 at relu3_4 on average. A network here has about 1. (Gatys et
# al. write that theirs was rescaled to 1 too. But the style loss grows with the fourth power of the
# activations and the content loss with the second, and with their alpha / beta = 1e-3 it takes the factor to
# see any style.)
CAFFE_SCALE = 100.0

# A black style or content has features of no energy: this keeps the relative loss finite (and enormous).
LEAST_ENERGY = 1e-12


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Sum of squared differences, in float32 or better whatever the dtypes are."""
    precise = _precise(a)
    return (a.to(precise) - b.to(precise)).square().sum()


def content_factor(target: Tensor, reduction: Reduction) -> Tensor:
    """What the squared distance to the content's features ``target`` (1, N, H, W) is multiplied by.

    ``mean``: the loss is relative to the target's energy, so that it is 0 for equal features and 1 for
    features of 0, whatever the network, the layer and the size of the picture are. ``gatys-2016``: equation
    1. ``neural-style``: the mean squared error. Both are of activations as large as Caffe's.
    """
    match reduction:
        case "mean":
            return 1 / energy(target)
        case "gatys-2016":
            return _number(CAFFE_SCALE**2 / 2, target)
        case "neural-style":
            return _number(CAFFE_SCALE**2 / target.numel(), target)


def style_factor(target: Tensor, reduction: Reduction) -> Tensor:
    """What the squared distance to the style's Gram matrix ``target`` (N, N) is multiplied by.

    ``mean``: relative to the target's energy, as for the content. ``gatys-2016``: equation 4, in which the
    sums over ``M`` positions and the ``M**2`` below them cancel. ``neural-style``: its Gram matrix is divided
    by ``N * M``, and its criterion is the mean over ``N**2`` entries.
    """
    channels = target.shape[0]
    match reduction:
        case "mean":
            return 1 / energy(target)
        case "gatys-2016":
            return _number(CAFFE_SCALE**4 / (4 * channels**2), target)
        case "neural-style":
            return _number((CAFFE_SCALE / channels) ** 4, target)


def _precise(tensor: Tensor) -> torch.dtype:
    return torch.promote_types(tensor.dtype, torch.float32)


def _number(value: float, like: Tensor) -> Tensor:
    return torch.tensor(value, dtype=_precise(like), device=like.device)


def energy(target: Tensor) -> Tensor:
    """Sum of squares, in float32 or better, and never 0."""
    return squared_distance(target, torch.zeros_like(target)).clamp_min(LEAST_ENERGY)


def variation(picture: Tensor, reduction: Reduction, wrap: bool = False) -> Tensor:
    """The total variation of a picture (1, 3, H, W) in [0, 1].

    ``mean``: ours, :func:`total_variation`, which alone heeds ``wrap``. The others: half the squared
    differences, summed, of a picture in levels of 0 to 255, as neural-style has it (Gatys and co-authors have
    none).
    """
    if reduction == "mean":
        return total_variation(picture, wrap)
    return 255**2 * squared_variation(picture)
