"""GoogLeNet (Szegedy et al., "Going deeper with convolutions", CVPR 2015, table 1), as torchvision has it.

There are batch norms, here part of the convolutions, and none of the local response norms; the convolutions
of 5 × 5 are of 3 × 3, by a mistake that was kept. The auxiliary classifiers serve training alone, and are no
part of the stack.
"""

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.architectures.vgg import PooledLinear
from models.geometry import Block, GlobalAverage, Kind, Window
from models.relu import ReLU

# Channels of each module's branches: 1 × 1; reduction and 3 × 3; reduction and "5 × 5"; after the pool.
INCEPTIONS: dict[str, tuple[int, int, int, int, int, int]] = {
    "3a": (64, 96, 128, 16, 32, 32),
    "3b": (128, 128, 192, 32, 96, 64),
    "4a": (192, 96, 208, 16, 48, 64),
    "4b": (160, 112, 224, 24, 64, 64),
    "4c": (128, 128, 256, 24, 64, 64),
    "4d": (112, 144, 288, 32, 64, 64),
    "4e": (256, 160, 320, 32, 128, 128),
    "5a": (256, 160, 320, 32, 128, 128),
    "5b": (384, 192, 384, 48, 128, 128),
}
DROPOUT = 0.2

# The auxiliary classifiers (section 5), with torchvision's pool to 4 × 4, not 5 × 5 with a stride of 3.
HEADS = ("4a", "4d")
HEAD_GRID = 4
HEAD_CHANNELS = 128
HEAD_UNITS = 1024
HEAD_DROPOUT = 0.7


class Inception(Block):
    """An inception module (figure 2b): four branches side by side, each ending in a ReLU."""

    kind: ClassVar[Kind] = "inception"

    def __init__(self, channels: int, widths: tuple[int, int, int, int, int, int]) -> None:
        """``widths`` as in ``INCEPTIONS``."""
        super().__init__()
        one, few, three, fewer, five, pooled = widths
        self.conv1x1 = nn.Conv2d(channels, one, 1)
        self.reduce3x3 = nn.Conv2d(channels, few, 1)
        self.conv3x3 = nn.Conv2d(few, three, 3, padding=1)
        self.reduce5x5 = nn.Conv2d(channels, fewer, 1)
        self.conv5x5 = nn.Conv2d(fewer, five, 3, padding=1)
        self.project = nn.Conv2d(channels, pooled, 1)
        self.relu = ReLU()
        self.channels = one + three + five + pooled
        self.window = Window(3, 1, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to the branches' channels, (N, ..., h, w)."""
        three = self.conv3x3(self.relu(self.reduce3x3(input), inplace=True))
        five = self.conv5x5(self.relu(self.reduce5x5(input), inplace=True))
        pooled = self.project(F.max_pool2d(input, 3, 1, 1))
        joined = torch.cat([self.conv1x1(input), three, five, pooled], 1)
        rectified: Tensor = self.relu(joined, inplace=True)
        return rectified


def googlenet_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device."""
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, 64, 7, 2, 3),
            "relu1": ReLU(),
            "pool1": nn.MaxPool2d(3, 2, ceil_mode=True),
            "conv2": nn.Conv2d(64, 64, 1),
            "relu2": ReLU(),
            "conv3": nn.Conv2d(64, 192, 3, padding=1),
            "relu3": ReLU(),
            "pool2": nn.MaxPool2d(3, 2, ceil_mode=True),
        }
        channels = 192
        for name, widths in INCEPTIONS.items():
            if name == "4a":
                stack["pool3"] = nn.MaxPool2d(3, 2, ceil_mode=True)
            elif name == "5a":
                stack["pool4"] = nn.MaxPool2d(2, 2, ceil_mode=True)
            stack[f"inception_{name}"] = module = Inception(channels, widths)
            channels = module.channels
        stack["pool5"] = GlobalAverage()
        stack["dropout"] = nn.Dropout(DROPOUT)
        stack["logits"] = nn.Linear(channels, classes)
    return stack


def googlenet_heads(classes: int) -> dict[str, dict[str, nn.Module]]:
    """The modules of the auxiliary classifiers, by the layer that each is on; parameters on the meta
    device."""
    heads: dict[str, dict[str, nn.Module]] = {}
    with torch.device("meta"):
        for place in HEADS:
            one, _, three, _, five, pooled = INCEPTIONS[place]
            heads[f"inception_{place}"] = {
                "pool": nn.AdaptiveAvgPool2d(HEAD_GRID),
                "conv": nn.Conv2d(one + three + five + pooled, HEAD_CHANNELS, 1),
                "relu_conv": ReLU(),
                "fc": PooledLinear(HEAD_CHANNELS, HEAD_GRID, HEAD_UNITS),
                "relu_fc": ReLU(),
                "dropout": nn.Dropout(HEAD_DROPOUT),
                "logits": nn.Linear(HEAD_UNITS, classes),
            }
    return heads
