"""The layers that a Network is made of beside torch's, and the receptive fields of stacks of layers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.relu import ReLU

Kind = Literal[
    "conv",
    "relu",
    "pool",
    "fc",
    "dropout",
    "fire",
    "residual",
    "inception",
    "logits",
    "activation",
    "norm",
    "luminance",
    "sparse_conv",
]


# Activation functions of torch that a network may have beside ours.
ACTIVATION_MODULES = nn.Sigmoid | nn.Tanh | nn.LeakyReLU | nn.ELU


@dataclass(frozen=True)
class Window:
    """The square of input positions that one output position sees.

    ``size`` and ``stride`` are in positions of the input; ``padding`` is added before it (at the top and the
    left) and ``padding + extra`` after it. With ``ceil`` the last window may extend beyond the padding, as
    long as it begins within.

    Output position ``i`` sees the input positions from ``i * stride - padding``, ``size`` of them.
    """

    size: int
    stride: int
    padding: int
    extra: int = 0
    ceil: bool = False

    @property
    def after(self) -> int:
        """The padding at the bottom and the right."""
        return self.padding + self.extra

    def then(self, following: "Window") -> Self:
        """The composition of this window and another on its output.

        Sizes and strides compose as in Araujo, Norris and Sim, "Computing receptive fields of
        convolutional neural networks" (Distill 2019).
        """
        return type(self)(
            self.size + (following.size - 1) * self.stride,
            self.stride * following.stride,
            self.padding + following.padding * self.stride,
            self.extra + following.extra * self.stride,
        )

    def output_side(self, input_side: int) -> int:
        """The number of positions, 0 or more, along a side of the input."""
        beyond = input_side + self.padding + self.after - self.size
        if beyond < 0 and not (self.ceil and beyond + self.stride > 0):
            return 0
        side = beyond // self.stride + 1
        if self.ceil and beyond % self.stride and side * self.stride < input_side + self.padding:
            side += 1
        return side

    def input_side(self, output_side: int) -> int:
        """The smallest input side, 1 or more, that gives ``output_side`` positions."""
        start = (output_side - 1) * self.stride
        whole = start + self.size - self.padding - self.after
        if not self.ceil:
            return max(1, whole)
        return max(1, whole - (self.stride - 1), start - self.padding + 1)

    @property
    def on_grid(self) -> bool:
        """Whether output position ``i`` lies amid the input positions ``i * stride`` to ``(i + 1) * stride``.

        Then a side that is a multiple of the stride gives a position for each stride.
        """
        return self.extra == 0 and 2 * self.padding == self.size - self.stride


def same_padding(size: int, stride: int) -> Window:
    """The window of TensorFlow's padding SAME, as it is for sides that are multiples of the stride.

    The padding is ``size - stride`` in all, the larger half after the input. For other sides TensorFlow
    splits it otherwise; that would move a layer's positions with the size of the picture.
    """
    whole = max(0, size - stride)
    return Window(size, stride, whole // 2, whole % 2)


class PaddedConv2d(nn.Conv2d):
    """A convolution without dilation whose padding may differ before and after its input."""

    def __init__(self, channels: int, out_channels: int, window: Window, *, groups: int = 1) -> None:
        super().__init__(channels, out_channels, window.size, window.stride, groups=groups)
        self.window = window
        if window.extra == 0:
            # Done within the convolution, which is faster.
            self.padding = (window.padding, window.padding)

    def forward(self, input: Tensor) -> Tensor:
        """The convolution of the padded input."""
        if self.window.extra:
            input = F.pad(input, (self.window.padding, self.window.after) * 2)
        return super().forward(input)


class PointwiseConv2d(nn.Conv2d):
    """A convolution of one position, which on the CPU oneDNN computes, whatever the number of threads.

    torch leaves it to another routine on one thread, for batches under 16, which takes efficientnet_lite0
    from 6 to 10 ms a picture in batches of 4, and from 9 to 11 alone (AVX-512).
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__(channels, out_channels, 1)

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, H, W) to (N, out_channels, H, W)."""
        by_onednn = input.device.type == "cpu" and input.dtype == torch.float32
        available: bool = torch.backends.mkldnn.is_available()  # type: ignore[no-untyped-call]
        if not (by_onednn and available and input.numel()):
            return super().forward(input)
        return torch.mkldnn_convolution(input, self.weight, self.bias, (0, 0), (1, 1), (1, 1), 1)


class OwnLayer(nn.Module):
    """A layer that is none of torch's, and says what a Network must know of it.

    The output has ``channels`` (None: as many as the input), and each of its positions sees ``window`` of the
    input (None: its own position). A layer that is ``whole`` gives (N, channels), from all positions, and
    takes maps from ``smallest_side`` on.
    """

    kind: ClassVar[Kind]
    whole: ClassVar[bool] = False
    window: Window | None = None
    channels: int | None = None
    smallest_side: int = 1


class Block(OwnLayer):
    """Several convolutions that are one named layer.

    Where ReLUs alone follow the convolutions, ``entries`` are the names of those that read the input and
    ``exits`` those whose results, concatenated in this order, are the output, none of it negative: such a
    block can be rescaled channel by channel. Other blocks name none, and their output may be negative.
    ``added`` is the last convolution of what is added to a shortcut, if the block has one.
    """

    entries: ClassVar[tuple[str, ...]] = ()
    exits: ClassVar[tuple[str, ...]] = ()
    added: str | None = None
    window: Window
    channels: int

    def channel_window(self, channel: int) -> Window:
        """The part of ``window`` that one channel of the output sees."""
        del channel
        return self.window


class GlobalAverage(OwnLayer):
    """The mean over all positions, (N, channels, h, w) to (N, channels)."""

    kind: ClassVar[Kind] = "pool"
    whole: ClassVar[bool] = True

    def forward(self, input: Tensor) -> Tensor:
        """The mean of each channel."""
        return F.adaptive_avg_pool2d(input, 1).flatten(1)


def window_of(module: nn.Module) -> Window | None:
    """The window of a convolution, a pool or a layer of ours; None for one that works position by position.

    Windows are square. Raises ValueError for a dilated convolution or one with padding "same" or "valid".
    """
    if isinstance(module, PaddedConv2d):
        return module.window
    if isinstance(module, nn.Conv2d):
        if isinstance(module.padding, str) or module.dilation != (1, 1):
            raise ValueError(f"cannot tell the window of {module}")
        return Window(module.kernel_size[0], module.stride[0], module.padding[0])
    if isinstance(module, nn.MaxPool2d | nn.AvgPool2d):
        sides = (_one(module.kernel_size), _one(module.stride), _one(module.padding))
        return Window(*sides, ceil=module.ceil_mode)
    if isinstance(module, nn.LPPool2d):
        return Window(_one(module.kernel_size), _one(module.stride), 0, ceil=module.ceil_mode)
    return module.window if isinstance(module, OwnLayer) else None


def is_whole(module: nn.Module) -> bool:
    """Whether each output of a module sees all positions of its input, and none has a position."""
    return isinstance(module, nn.Linear) or (isinstance(module, OwnLayer) and module.whole)


def is_positionwise(module: nn.Module) -> bool:
    """Whether a position of what a module gives depends on that position of its input alone."""
    if isinstance(module, OwnLayer):
        return module.window is None and not module.whole
    return isinstance(module, ReLU | nn.LocalResponseNorm | ACTIVATION_MODULES)


def output_side(modules: Iterable[nn.Module], side: int) -> int:
    """The number of positions, 0 or more, that modules in turn leave along a side of ``side``."""
    for module in modules:
        window = window_of(module)
        side = side if window is None else window.output_side(side)
    return side


def input_side(modules: Sequence[nn.Module]) -> int:
    """The smallest side, 1 or more, from which modules in turn leave one position."""
    side = 1
    for module in reversed(modules):
        window = window_of(module)
        if window is not None:
            side = window.input_side(side)
        elif isinstance(module, OwnLayer) and module.whole:
            side = module.smallest_side
    return side


def _one(sides: int | tuple[int, ...]) -> int:
    return sides if isinstance(sides, int) else sides[0]
