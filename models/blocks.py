"""Layers that a Network cannot see into: several convolutions under one name, and the mean over positions."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from models.geometry import Window

Kind = Literal["conv", "relu", "pool", "fc", "dropout", "fire", "logits"]


class Block(nn.Module):
    """Several convolutions and their ReLUs that are one named layer, with nothing but these on every path.

    ``channels`` come out, none of them negative, and each position sees ``window`` of the input.
    ``entries`` are the names of the convolutions that read the input; ``exits`` those whose results, in
    this order one behind the other, are the output.
    """

    kind: ClassVar[Kind]
    entries: ClassVar[tuple[str, ...]]
    exits: ClassVar[tuple[str, ...]]
    window: Window
    channels: int


class GlobalAverage(nn.Module):
    """The mean over all positions, (N, channels, h, w) to (N, channels)."""

    def forward(self, input: Tensor) -> Tensor:
        """The mean of each channel."""
        return F.adaptive_avg_pool2d(input, 1).flatten(1)
