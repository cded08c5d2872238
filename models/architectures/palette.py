"""palette: VGG-19's convolutions at half width, average pools, and one linear layer on the mean of pool5."""

import torch
from torch import nn

from models.architectures.vgg import PooledLinear, vgg_stack

WIDTH = 0.5

# About those of the training pictures, whose mean over pixels is 0.46 and whose deviation is 0.26.
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


def palette_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by VGG-19's layer names, then ``logits``; parameters on the meta device."""
    stack = vgg_stack(19, width=WIDTH, pooling="average")
    channels = [module.out_channels for module in stack.values() if isinstance(module, nn.Conv2d)][-1]
    with torch.device("meta"):
        stack["logits"] = PooledLinear(channels, 1, classes)
    return stack
