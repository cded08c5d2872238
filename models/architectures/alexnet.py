"""AlexNet on one GPU (Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014).

That is the network of Krizhevsky, Sutskever and Hinton (NeurIPS 2012) without its two columns and local
response norms, and with fewer channels.
"""

import torch
from torch import nn

from models.architectures.vgg import PooledLinear
from models.relu import ReLU

# Of each convolution: channels, side, stride, padding; a pool of 3 × 3 follows those named here.
CONVOLUTIONS = ((64, 11, 4, 2), (192, 5, 1, 2), (384, 3, 1, 1), (256, 3, 1, 1), (256, 3, 1, 1))
POOLED = (1, 2, 5)
UNITS = 4096
GRID = 6  # positions per side after pool5, for a picture of 224 px


def alexnet_stack(classes: int, width: float = 1.0) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    ``width`` multiplies the channels and units.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {}
        channels = 3
        for place, (full, side, stride, padding) in enumerate(CONVOLUTIONS, start=1):
            wider = round(full * width)
            stack[f"conv{place}"] = nn.Conv2d(channels, wider, side, stride, padding)
            stack[f"relu{place}"] = ReLU()
            if place in POOLED:
                stack[f"pool{place}"] = nn.MaxPool2d(3, 2)
            channels = wider
        units = round(UNITS * width)
        stack["dropout6"] = nn.Dropout()
        stack["fc6"] = PooledLinear(channels, GRID, units)
        stack["relu6"] = ReLU()
        stack["dropout7"] = nn.Dropout()
        stack["fc7"] = nn.Linear(units, units)
        stack["relu7"] = ReLU()
        stack["logits"] = nn.Linear(units, classes)
    return stack
