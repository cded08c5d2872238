"""The ResNets for pictures of 32 px (He, Zhang, Ren, Sun, "Deep residual learning for image recognition",
CVPR 2016, section 4.2), and their plain twins.

A stem of 3 × 3, then three stages of 16, 32 and 64 channels whose shortcuts have no parameters.
"""

from typing import Literal

from torch import nn

from models.architectures.limits import require_layers
from models.architectures.resnet import Basic, residual_stages, stem
from models.geometry import Window

Depth = Literal[20, 32, 44, 56]

CHANNELS = (16, 32, 64)


def cifar_resnet_stack(
    depth: Depth, *, classes: int, width: float = 1.0, shortcuts: bool = True
) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1 to the logits; parameters on the meta device.

    A depth of 6 n + 2 has n blocks a stage, res2_1 to res4_n. Without ``shortcuts`` their convolutions are
    layers of their own, from conv2_1. ``width`` multiplies the channels.
    """
    if depth < 8 or depth % 6 != 2:
        raise ValueError(f"a depth is 8, 14, 20, ..., not {depth}")
    require_layers(depth)
    channels = [round(full * width) for full in CHANNELS]
    stack = stem(channels[0], Window(3, 1, 1))
    blocks = [(depth - 2) // 6] * len(channels)
    return stack | residual_stages(Basic, blocks, channels, classes, shortcuts=shortcuts, padded=True)
