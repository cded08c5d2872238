"""ResNets (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, table 1).

Bottlenecks have their stride in the 3 × 3 convolution, not in the first 1 × 1, as in torchvision and in Goyal
et al., "Accurate, large minibatch SGD", 2017. Batch norms are part of the convolutions. Plain twins have the
same convolutions and no shortcuts (section 3.3).
"""

from collections.abc import Sequence
from typing import ClassVar, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.geometry import Block, GlobalAverage, Kind, OwnLayer, Window
from models.relu import ReLU

Depth = Literal[18, 34, 50, 101, 152]

# Blocks of each stage, conv2_x to conv5_x (table 1).
BLOCKS: dict[Depth, tuple[int, ...]] = {
    18: (2, 2, 2, 2),
    34: (3, 4, 6, 3),
    50: (3, 4, 6, 3),
    101: (3, 4, 23, 3),
    152: (3, 8, 36, 3),
}
CHANNELS = (64, 128, 256, 512)
# The depth from which blocks are bottlenecks, and how much wider their output is.
BOTTLENECKS = 50
EXPANSION = 4


class PaddedShortcut(OwnLayer):
    """Every ``stride``-th position, with channels of zeros behind those of the input."""

    kind: ClassVar[Kind] = "pool"

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.in_channels = channels
        self.channels: int = out_channels
        self.window = Window(1, stride, 0)
        self.stride = stride

    def forward(self, input: Tensor) -> Tensor:
        """(N, fewer, h, w) to (N, channels, h / stride, w / stride), rounded up."""
        kept = input[:, :, :: self.stride, :: self.stride]
        return F.pad(kept, (0, 0, 0, 0, 0, self.channels - self.in_channels))


class Residual(Block):
    """What all residual blocks share: a ReLU of the sum of the input, or a 1 × 1 convolution of it, and more.

    Where the shape changes, the shortcut is a convolution (section 3.3, option B), or, if ``padded``, has
    further channels of zeros (option A). The output is not negative.
    """

    kind: ClassVar[Kind] = "residual"

    def __init__(self, channels: int, out_channels: int, stride: int, *, padded: bool = False) -> None:
        super().__init__()
        if stride == 1 and channels == out_channels:
            self.shortcut: nn.Module = nn.Identity()
        elif padded:
            self.shortcut = PaddedShortcut(channels, out_channels, stride)
        else:
            self.shortcut = nn.Conv2d(channels, out_channels, 1, stride)
        self.relu = ReLU()
        self.channels = out_channels

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, out_channels, h / stride, w / stride), rounded up."""
        rectified: Tensor = self.relu(self.residual(input) + self.shortcut(input), inplace=True)
        return rectified

    def residual(self, input: Tensor) -> Tensor:
        """What is added to the shortcut."""
        raise NotImplementedError


class Basic(Residual):
    """Two 3 × 3 convolutions (figure 5, left)."""

    added = "conv2"

    def __init__(self, channels: int, out_channels: int, stride: int, *, padded: bool = False) -> None:
        super().__init__(channels, out_channels, stride, padded=padded)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, 1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1)
        self.window = Window(3, stride, 1).then(Window(3, 1, 1))

    def residual(self, input: Tensor) -> Tensor:
        """The two convolutions, with a ReLU between them."""
        added: Tensor = self.conv2(self.relu(self.conv1(input), inplace=True))
        return added


class Bottleneck(Residual):
    """1 × 1 to few channels, 3 × 3, and 1 × 1 to many (figure 5, right)."""

    added = "conv3"

    def __init__(self, channels: int, out_channels: int, stride: int, *, padded: bool = False) -> None:
        super().__init__(channels, out_channels, stride, padded=padded)
        few = out_channels // EXPANSION
        self.conv1 = nn.Conv2d(channels, few, 1)
        self.conv2 = nn.Conv2d(few, few, 3, stride, 1)
        self.conv3 = nn.Conv2d(few, out_channels, 1)
        self.window = Window(3, stride, 1)

    def residual(self, input: Tensor) -> Tensor:
        """The three convolutions, with ReLUs between them."""
        x = self.relu(self.conv1(input), inplace=True)
        x = self.relu(self.conv2(x), inplace=True)
        added: Tensor = self.conv3(x)
        return added


def resnet_stack(
    depth: Depth, *, classes: int, width: float = 1.0, shortcuts: bool = True
) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    Blocks are named after the paper's stages: res2_1 is the first of conv2_x. Without ``shortcuts``, which
    only basic blocks can be without, their convolutions are layers of their own, from conv2_1. ``width``
    multiplies the channels.
    """
    block = Basic if depth < BOTTLENECKS else Bottleneck
    wider = 1 if depth < BOTTLENECKS else EXPANSION
    channels = [round(full * width) for full in CHANNELS]
    stack = stem(channels[0], Window(7, 2, 3))
    stack["pool1"] = nn.MaxPool2d(3, 2, 1)
    stages = [wider * each for each in channels]
    return stack | residual_stages(
        block, BLOCKS[depth], stages, classes, shortcuts=shortcuts, first=channels[0]
    )


def stem(channels: int, window: Window) -> dict[str, nn.Module]:
    """The convolution of the picture, and its ReLU."""
    with torch.device("meta"):
        return {"conv1": nn.Conv2d(3, channels, window.size, window.stride, window.padding), "relu1": ReLU()}


def residual_stages(
    block: type[Residual],
    blocks: Sequence[int],
    stages: Sequence[int],
    classes: int,
    *,
    first: int | None = None,
    shortcuts: bool = True,
    padded: bool = False,
) -> dict[str, nn.Module]:
    """The modules behind the stem: stages of so many ``blocks`` each, a mean over positions, and the logits.

    ``stages`` has the channels of each, and ``first`` are those of the stem where they are others.
    """
    if not shortcuts and block is not Basic:
        raise ValueError("only networks of basic blocks have plain twins")
    stack: dict[str, nn.Module] = {}
    channels = first or stages[0]
    with torch.device("meta"):
        for stage, (count, out_channels) in enumerate(zip(blocks, stages, strict=True), start=2):
            for place in range(1, count + 1):
                stride = 2 if place == 1 and stage > 2 else 1
                if shortcuts:
                    stack[f"res{stage}_{place}"] = block(channels, out_channels, stride, padded=padded)
                else:
                    stack |= _plain(stage, 2 * place - 1, channels, out_channels, stride)
                    stack |= _plain(stage, 2 * place, out_channels, out_channels, 1)
                channels = out_channels
        stack[f"pool{len(blocks) + 1}"] = GlobalAverage()
        stack["logits"] = nn.Linear(channels, classes)
    return stack


def _plain(stage: int, place: int, channels: int, out_channels: int, stride: int) -> dict[str, nn.Module]:
    return {
        f"conv{stage}_{place}": nn.Conv2d(channels, out_channels, 3, stride, 1),
        f"relu{stage}_{place}": ReLU(),
    }
