"""What losses of squared distances share."""

from typing import Literal

import torch
from torch import Tensor

Variant = Literal["relative", "gatys-2016", "neural-style"]
"""Whose formula a loss follows: ours, relative to the target; or its source's own."""

# Mean activations of the Caffe VGG-19 on RGB in [0, 255], the network that the weights of both sources are
# for (Gatys et al. write that theirs was rescaled to 1; but with their alpha / beta = 1e-3 there is no style
# then). A network here has about 1. The figures of relu1_1, relu2_1, relu3_1 and relu3_4 are published; those
# between were measured on seven pictures with the same weights and max pools, as networks are rescaled. The
# deeper ones follow from the losses that neural-style's INSTALL.md prints for its first step, compared with
# those of relu2_1 and relu3_1.
CAFFE_ACTIVATIONS = {
    "relu1_1": 22.0,
    "relu1_2": 99.0,
    "relu2_1": 115.0,
    "relu2_2": 112.0,
    "relu3_1": 122.0,
    "relu3_2": 158.0,
    "relu3_3": 328.0,
    "relu3_4": 488.0,
    "relu4_1": 480.0,
    "relu4_2": 400.0,
    "relu5_1": 40.0,
}
# Of every layer of other networks: with the balance above, palette loses the colors of the style, which
# VGG-19's deeper layers see.
TYPICAL_ACTIVATION = 100.0

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


def caffe_activation(network: str, layer: str) -> float:
    """The mean activation that ``gatys-2016`` and ``neural-style`` count with at a layer of a network."""
    return CAFFE_ACTIVATIONS.get(layer, TYPICAL_ACTIVATION) if network == "vgg19" else TYPICAL_ACTIVATION
