"""EfficientNet-Lite0 (Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks",
ICML 2019, table 1, in the variant that its authors made for phones in 2020).

Lite variants have ReLU6 in place of swish and no squeeze-and-excitation, and keep stem and head as they are.
Paddings are TensorFlow's SAME. Batch norms are part of the convolutions.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn

from models.geometry import Block, GlobalAverage, Kind, PaddedConv2d, Window, same_padding
from models.relu import ReLU6

# Of each stage: expansion, channels, blocks, stride of the first block, side of the kernel (table 1).
STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
STEM = 32
HEAD = 1280
DROPOUT = 0.2


class InvertedResidual(Block):
    """A mobile inverted bottleneck: few channels to many, a depthwise convolution, and back without a ReLU.

    Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, section 3.3. The
    input is added where it has the shape of the output, which may be negative.
    """

    kind: ClassVar[Kind] = "residual"

    def __init__(self, channels: int, out_channels: int, expansion: int, window: Window) -> None:
        """``window`` is that of the depthwise convolution; with an ``expansion`` of 1 it comes first."""
        super().__init__()
        wide = channels * expansion
        self.expand = nn.Conv2d(channels, wide, 1) if expansion != 1 else nn.Identity()
        self.depthwise = PaddedConv2d(wide, wide, window, groups=wide)
        self.project = nn.Conv2d(wide, out_channels, 1)
        self.relu = ReLU6()
        self.adds = window.stride == 1 and channels == out_channels
        self.channels = out_channels
        self.window = window

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, out_channels, h / stride, w / stride), rounded down."""
        x = input
        if isinstance(self.expand, nn.Conv2d):
            x = self.relu(self.expand(x), inplace=True)
        x = self.relu(self.depthwise(x), inplace=True)
        x = self.project(x)
        return input + x if self.adds else x


def efficientnet_lite0_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by layer name, from stem_conv to the logits; parameters on the meta device.

    ``stem`` and ``head`` are the ReLUs of their convolutions.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {
            "stem_conv": PaddedConv2d(3, STEM, same_padding(3, 2)),
            "stem": ReLU6(),
        }
        channels, number = STEM, 0
        for expansion, out_channels, blocks, stride, side in STAGES:
            for place in range(blocks):
                number += 1
                window = same_padding(side, stride if place == 0 else 1)
                stack[f"block{number}"] = InvertedResidual(channels, out_channels, expansion, window)
                channels = out_channels
        stack["head_conv"] = nn.Conv2d(channels, HEAD, 1)
        stack["head"] = ReLU6()
        stack["pool"] = GlobalAverage()
        stack["dropout"] = nn.Dropout(DROPOUT)
        stack["logits"] = nn.Linear(HEAD, classes)
    return stack
