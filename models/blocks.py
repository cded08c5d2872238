"""Layers that a Network treats as one module: blocks of convolutions, and the mean over positions."""

from typing import ClassVar, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from models.geometry import Window

Kind = Literal["conv", "relu", "pool", "fc", "dropout", "fire", "logits"]


class Block(nn.Module):
    """Several convolutions, each with its ReLU, that are one named layer.

    The output has ``channels``, none of them negative, and each of its positions sees ``window`` of the
    input. ``entries`` are the names of the convolutions that read the input; ``exits`` those whose results,
    concatenated in this order, are the output.
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
