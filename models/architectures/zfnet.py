"""ZFNet (Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, figure 3):
AlexNet with smaller filters and strides in its first two layers, which they had looked at.

Maps are normalised across channels, here by AlexNet's local response norm. Lectures give its last three
convolutions 512, 1024 and 512 channels.
"""

import torch
from torch import nn

from models.architectures.alexnet_2012 import classifier
from models.relu import ReLU
from models.response_norm import ResponseNorm

# Of the first two convolutions: channels, side, stride, padding; the others are 3 × 3.
FIRST = ((96, 7, 2, 1), (256, 5, 2, 0))
LAST = (384, 384, 256)
WIDER_LAST = (512, 1024, 512)
UNITS = 4096
GRID = 6  # positions per side after pool5, for a picture of 224 px


def zfnet_stack(classes: int, *, wider: bool = False, width: float = 1.0) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    ``wider`` has the lecture's channels; ``width`` multiplies the channels and units.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {}
        channels = 3
        for place, (full, side, stride, padding) in enumerate(FIRST, start=1):
            stack[f"conv{place}"] = nn.Conv2d(channels, round(full * width), side, stride, padding)
            stack[f"relu{place}"] = ReLU()
            stack[f"pool{place}"] = _pool()
            stack[f"norm{place}"] = ResponseNorm()
            channels = round(full * width)
        for place, full in enumerate(WIDER_LAST if wider else LAST, start=len(FIRST) + 1):
            stack[f"conv{place}"] = nn.Conv2d(channels, round(full * width), 3, padding=1)
            stack[f"relu{place}"] = ReLU()
            channels = round(full * width)
        stack["pool5"] = _pool()
        return stack | classifier(channels, GRID, round(UNITS * width), classes)


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)
