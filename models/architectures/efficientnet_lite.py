"""EfficientNet-Lite0 (Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks",
ICML 2019, table 1, in the variant that its authors made for phones in 2020).

Lite variants have ReLU6 in place of swish and no squeeze-and-excitation, and keep stem and head as they are.
Paddings are TensorFlow's SAME. Batch norms are part of the convolutions.
"""

import torch
from torch import nn

from models.architectures.inverted_residual import InvertedResidual
from models.geometry import GlobalAverage, PaddedConv2d, PointwiseConv2d, same_padding
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
        stack["head_conv"] = PointwiseConv2d(channels, HEAD)
        stack["head"] = ReLU6()
        stack["pool"] = GlobalAverage()
        stack["dropout"] = nn.Dropout(DROPOUT)
        stack["logits"] = nn.Linear(HEAD, classes)
    return stack
