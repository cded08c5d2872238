"""A linear classifier of pixels: one fully connected layer, which has a template for each class."""

import torch
from torch import nn

from models.architectures.vgg import PooledLinear

COLORS = 3


def linear_stack(side: int, classes: int) -> dict[str, nn.Module]:
    """The one layer, ``logits``; parameters on the meta device.

    Pictures of another size are averaged to ``side`` × ``side`` pixels.
    """
    with torch.device("meta"):
        return {"logits": PooledLinear(COLORS, side, classes)}
