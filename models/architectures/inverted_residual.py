"""The block of MobileNetV2 and of the EfficientNets."""

from typing import ClassVar

from torch import Tensor, nn

from models.geometry import Block, Kind, PaddedConv2d, PointwiseConv2d, Window
from models.relu import ReLU6


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
        self.expand = PointwiseConv2d(channels, wide) if expansion != 1 else nn.Identity()
        self.depthwise = PaddedConv2d(wide, wide, window, groups=wide)
        self.project = PointwiseConv2d(wide, out_channels)
        self.relu = ReLU6()
        self.adds = window.stride == 1 and channels == out_channels
        self.added = "project" if self.adds else None
        self.channels = out_channels
        self.window = window

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, out_channels, h', w')."""
        x = input
        if not isinstance(self.expand, nn.Identity):
            x = self.relu(self.expand(x), inplace=True)
        x = self.relu(self.depthwise(x), inplace=True)
        projected: Tensor = self.project(x)
        return input + projected if self.adds else projected
