"""What losses of squared distances share."""

from typing import Literal

import torch
from torch import Tensor

Variant = Literal["relative", "gatys-2016", "neural-style"]
"""Whose formula a loss follows: ours, relative to the target; or its source's own."""

# The weights of both sources were chosen for activations as large as those of the Caffe VGG-19: 22 at
# relu1_1, 115 at relu2_1, 122 at relu3_1 and 488 at relu3_4 on average. A network here has about 1. (Gatys et
# al. write that theirs was rescaled to 1 too. But the style loss grows with the fourth power of the
# activations and the content loss with the second, and with their alpha / beta = 1e-3 it takes the factor to
# see any style.)
CAFFE_ACTIVATION = 100.0

# The features of a black picture may be 0: this keeps the relative loss finite (and enormous).
LEAST_ENERGY = 1e-12


def squared_distance(a: Tensor, b: Tensor) -> Tensor:
    """Sum of squared differences of equal shapes; float32, or float64 for float64 tensors."""
    precise = torch.promote_types(a.dtype, torch.float32)
    return (a.to(precise) - b.to(precise)).square().sum()


def energy(target: Tensor) -> Tensor:
    """Sum of squares, never 0; float32, or float64 for a float64 tensor."""
    return squared_distance(target, torch.zeros_like(target)).clamp_min(LEAST_ENERGY)


def constant(value: float, like: Tensor) -> Tensor:
    """A number as a tensor on the device of ``like``; float32, or float64 where that is float64."""
    return torch.tensor(value, dtype=torch.promote_types(like.dtype, torch.float32), device=like.device)
