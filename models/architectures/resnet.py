"""ResNets (He, Zhang, Ren, Sun, "Deep residual learning for image recognition", CVPR 2016, table 1).

Bottlenecks have their stride in the 3 × 3 convolution, not in the first 1 × 1, as in torchvision and in Goyal
et al., "Accurate, large minibatch SGD", 2017. Batch norms are part of the convolutions.
"""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from models.geometry import Block, GlobalAverage, Kind, Window
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


class Residual(Block):
    """What all residual blocks share: a ReLU of the sum of the input, or a 1 × 1 convolution of it, and more.

    The shortcut is a convolution where the shape changes (section 3.3, option B). The output is not negative.
    """

    kind: ClassVar[Kind] = "residual"

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        same = stride == 1 and channels == out_channels
        self.shortcut = nn.Identity() if same else nn.Conv2d(channels, out_channels, 1, stride)
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

    added: ClassVar[str | None] = "conv2"

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__(channels, out_channels, stride)
        self.conv1 = nn.Conv2d(channels, out_channels, 3, stride, 1)
        self.conv2 = nn.Conv2d(out_channels, out_channels, 3, 1, 1)
        self.window = Window(3, stride, 1).then(Window(3, 1, 1))

    def residual(self, input: Tensor) -> Tensor:
        """The two convolutions, with a ReLU between them."""
        added: Tensor = self.conv2(self.relu(self.conv1(input), inplace=True))
        return added


class Bottleneck(Residual):
    """1 × 1 to few channels, 3 × 3, and 1 × 1 to many (figure 5, right)."""

    added: ClassVar[str | None] = "conv3"

    def __init__(self, channels: int, out_channels: int, stride: int) -> None:
        super().__init__(channels, out_channels, stride)
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


def resnet_stack(depth: Depth, *, classes: int, width: float = 1.0) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    Blocks are named after the paper's stages: res2_1 is the first of conv2_x. ``width`` multiplies the
    channels.
    """
    block = Basic if depth < BOTTLENECKS else Bottleneck
    wider = 1 if depth < BOTTLENECKS else EXPANSION
    with torch.device("meta"):
        channels = round(CHANNELS[0] * width)
        stack: dict[str, nn.Module] = {
            "conv1": nn.Conv2d(3, channels, 7, 2, 3),
            "relu1": ReLU(),
            "pool1": nn.MaxPool2d(3, 2, 1),
        }
        for stage, count in enumerate(BLOCKS[depth], start=2):
            out_channels = round(CHANNELS[stage - 2] * width) * wider
            for place in range(1, count + 1):
                stride = 2 if place == 1 and stage > 2 else 1
                stack[f"res{stage}_{place}"] = block(channels, out_channels, stride)
                channels = out_channels
        stack["pool5"] = GlobalAverage()
        stack["logits"] = nn.Linear(channels, classes)
    return stack
