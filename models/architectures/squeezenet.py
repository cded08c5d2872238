"""SqueezeNet 1.1 (Iandola et al., "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters", 2016).

Version 1.1 is the authors' revision of the paper's table 1: a first convolution with 64 filters of 3 × 3
instead of 96 of 7 × 7, and earlier pools. It needs 2.4 times less computation at the same accuracy.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from models.geometry import Block, GlobalAverage, Kind, Window
from models.relu import ReLU

# Channels of fire2 to fire9: of the squeeze, and of each half of the expansion.
FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
FIRST = 64
# Pools follow conv1, fire3 and fire5, and are named after them.
POOLED = (3, 5)


class Fire(Block):
    """A fire module (section 3.2): 1 × 1 convolutions to few channels, then 1 × 1 and 3 × 3 side by side."""

    kind: ClassVar[Kind] = "fire"
    entries: ClassVar[tuple[str, ...]] = ("squeeze",)
    exits: ClassVar[tuple[str, ...]] = ("expand1x1", "expand3x3")

    def __init__(self, channels: int, squeezed: int, expanded: int) -> None:
        """``channels`` of the input; the output has ``2 * expanded``."""
        super().__init__()
        self.squeeze = nn.Conv2d(channels, squeezed, 1)
        self.expand1x1 = nn.Conv2d(squeezed, expanded, 1)
        self.expand3x3 = nn.Conv2d(squeezed, expanded, 3, padding=1)
        self.relu = ReLU()
        self.channels = 2 * expanded
        self.window = Window(3, 1, 1)

    def channel_window(self, channel: int) -> Window:
        """One position for the first half of the channels."""
        return Window(1, 1, 0) if 2 * channel < self.channels else self.window

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, 2 * expanded, h, w)."""
        squeezed = self.relu(self.squeeze(input), inplace=True)
        expanded = torch.cat([self.expand1x1(squeezed), self.expand3x3(squeezed)], 1)
        rectified: Tensor = self.relu(expanded, inplace=True)
        return rectified


def squeezenet_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    The last convolution has a map for each class, and the logits are the means of these maps after a ReLU.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, FIRST, 3, stride=2),
            "relu1": ReLU(),
            "pool1": _pool(),
        }
        channels = FIRST
        for place, (squeezed, expanded) in enumerate(FIRES, start=2):
            stack[f"fire{place}"] = fire = Fire(channels, squeezed, expanded)
            channels = fire.channels
            if place in POOLED:
                stack[f"pool{place}"] = _pool()
        stack["dropout9"] = nn.Dropout()
        stack["conv10"] = nn.Conv2d(channels, classes, 1)
        stack["relu10"] = ReLU()
        stack["logits"] = GlobalAverage()
    return stack


def _pool() -> nn.MaxPool2d:
    return nn.MaxPool2d(3, 2, ceil_mode=True)
