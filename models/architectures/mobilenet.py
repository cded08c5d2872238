"""MobileNetV2 (Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", CVPR 2018, table 2).

Batch norms are part of the convolutions.
"""

import torch
from torch import nn

from models.architectures.inverted_residual import InvertedResidual
from models.geometry import GlobalAverage, PointwiseConv2d, Window
from models.relu import ReLU6

# Of each stage: expansion, channels, blocks, stride of the first block (table 2).
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
STEM = 32
HEAD = 1280
DROPOUT = 0.2


def mobilenet_v2_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by layer name, from stem_conv to the logits; parameters on the meta device.

    ``stem`` and ``head`` are the ReLUs of their convolutions.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {"stem_conv": nn.Conv2d(3, STEM, 3, 2, 1), "stem": ReLU6()}
        channels, number = STEM, 0
        for expansion, out_channels, blocks, stride in STAGES:
            for place in range(blocks):
                number += 1
                window = Window(3, stride if place == 0 else 1, 1)
                stack[f"block{number}"] = InvertedResidual(channels, out_channels, expansion, window)
                channels = out_channels
        stack["head_conv"] = PointwiseConv2d(channels, HEAD)
        stack["head"] = ReLU6()
        stack["pool"] = GlobalAverage()
        stack["dropout"] = nn.Dropout(DROPOUT)
        stack["logits"] = nn.Linear(HEAD, classes)
    return stack
