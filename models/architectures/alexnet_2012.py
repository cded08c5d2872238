"""AlexNet (Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks",
NIPS 2012, section 3 and figure 2), whose two columns met in the third convolution.

A column is half of the channels, so its convolutions are those of two groups.
"""

import torch
from torch import nn

from models.architectures.vgg import PooledLinear
from models.relu import ReLU
from models.response_norm import ResponseNorm

# Of each convolution: channels, side, stride, padding, groups.
CONVOLUTIONS = ((96, 11, 4, 0, 1), (256, 5, 1, 2, 2), (384, 3, 1, 1, 1), (384, 3, 1, 1, 2), (256, 3, 1, 1, 2))
NORMED = (1, 2)
POOLED = (1, 2, 5)
UNITS = 4096
GRID = 6  # positions per side after pool5, for a picture of 227 px


def alexnet_2012_stack(classes: int, width: float = 1.0) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    ``width`` multiplies the channels and units.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {}
        channels = 3
        for place, (full, side, stride, padding, groups) in enumerate(CONVOLUTIONS, start=1):
            wider = 2 * round(full * width / 2)
            stack[f"conv{place}"] = nn.Conv2d(channels, wider, side, stride, padding, groups=groups)
            stack[f"relu{place}"] = ReLU()
            if place in NORMED:
                stack[f"norm{place}"] = ResponseNorm()
            if place in POOLED:
                stack[f"pool{place}"] = nn.MaxPool2d(3, 2)
            channels = wider
        return stack | classifier(channels, GRID, round(UNITS * width), classes)


def classifier(channels: int, grid: int, units: int, classes: int) -> dict[str, nn.Module]:
    """Three fully connected layers, and dropout behind the first two (section 4.2)."""
    return {
        "fc6": PooledLinear(channels, grid, units),
        "relu6": ReLU(),
        "dropout6": nn.Dropout(),
        "fc7": nn.Linear(units, units),
        "relu7": ReLU(),
        "dropout7": nn.Dropout(),
        "logits": nn.Linear(units, classes),
    }
