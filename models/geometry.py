"""The layers that a Network is made of beside torch's, and the receptive fields of stacks of layers."""

from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch.nn.functional as F
from torch import Tensor, nn

Kind = Literal["conv", "relu", "pool", "fc", "dropout", "fire", "logits"]


@dataclass(frozen=True)
class Window:
    """The square of input positions that one output position sees.

    ``size`` and ``stride`` are in positions of the input, ``padding`` is added on each side. With ``ceil``
    the last window may extend beyond the padding, as long as it begins within.
    """

    size: int
    stride: int
    padding: int
    ceil: bool = False

    def then(self, following: "Window") -> Self:
        """The composition of this window and another on its output.

        Sizes and strides compose as in Araujo, Norris and Sim, "Computing receptive fields of
        convolutional neural networks" (Distill 2019).
        """
        return type(self)(
            self.size + (following.size - 1) * self.stride,
            self.stride * following.stride,
            self.padding + following.padding * self.stride,
        )

    def input_side(self, output_side: int) -> int:
        """The smallest input side, 1 or more, that gives ``output_side`` positions."""
        start = (output_side - 1) * self.stride
        whole = start + self.size - 2 * self.padding
        if not self.ceil:
            return max(1, whole)
        return max(1, whole - (self.stride - 1), start - self.padding + 1)


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


def window_of(module: nn.Module) -> Window | None:
    """The window of a convolution, a pool or a block; None for a module that works position by position.

    Windows are square. Raises ValueError for a dilated convolution or one with padding "same" or "valid".
    """
    if isinstance(module, nn.Conv2d):
        if isinstance(module.padding, str) or module.dilation != (1, 1):
            raise ValueError(f"cannot tell the window of {module}")
        return Window(module.kernel_size[0], module.stride[0], module.padding[0])
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        sides = (_one(module.kernel_size), _one(module.stride), _one(module.padding))
        return Window(*sides, ceil=module.ceil_mode)
    return module.window if isinstance(module, Block) else None


def _one(sides: int | tuple[int, ...]) -> int:
    return sides if isinstance(sides, int) else sides[0]
