"""VGG-11 to VGG-19 (Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
recognition", ICLR 2015, table 1): columns A (11 layers), A-LRN, B (13), C, D (16) and E (19)."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.network import POOLS, Pooling
from models.relu import ReLU
from models.response_norm import ResponseNorm

Depth = Literal[11, 13, 16, 19]

# Convolutions of each stage, and channels at full width (table 1).
CONVOLUTIONS: dict[Depth, tuple[int, ...]] = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
CHANNELS = (64, 128, 256, 512, 512)
UNITS = 4096
GRID = 7  # positions per side after pool5, for a picture of 224 px


class PooledLinear(nn.Linear):
    """A fully connected layer on ``grid`` × ``grid`` positions, to which other sizes are averaged.

    As in torchvision's VGG, so that pictures of any size can be classified.
    """

    def __init__(self, channels: int, grid: int, units: int) -> None:
        super().__init__(channels * grid * grid, units)
        self.grid = grid

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, units)."""
        return super().forward(F.adaptive_avg_pool2d(input, self.grid).flatten(1))


def vgg_stack(
    depth: Depth,
    *,
    width: float = 1.0,
    classes: int = 0,
    pooling: Pooling = "max",
    response_norm: bool = False,
    pointwise: bool = False,
) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1_1 to pool5, or to the logits if there are classes.

    ``width`` multiplies the channels, and the units of fc6 and fc7. The paper has max pooling. A
    ``response_norm`` behind the first convolution is column A-LRN's; third convolutions of stages that are
    ``pointwise``, 1 × 1, make column C of 16 layers. Parameters are on the meta device: load weights with
    ``load_state_dict(assign=True)``.
    """
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {}
        channels = 3
        for stage, count in enumerate(CONVOLUTIONS[depth], start=1):
            for place in range(1, count + 1):
                wider = round(CHANNELS[stage - 1] * width)
                side = 1 if pointwise and place == 3 else 3
                stack[f"conv{stage}_{place}"] = nn.Conv2d(channels, wider, side, padding=side // 2)
                stack[f"relu{stage}_{place}"] = ReLU()
                if response_norm and stage == place == 1:
                    # With AlexNet's numbers, as section 2.1 says.
                    stack["norm1_1"] = ResponseNorm()
                channels = wider
            stack[f"pool{stage}"] = POOLS[pooling](2)
        if classes:
            units = round(UNITS * width)
            stack["fc6"] = PooledLinear(channels, GRID, units)
            stack["relu6"] = ReLU()
            stack["dropout6"] = nn.Dropout()
            stack["fc7"] = nn.Linear(units, units)
            stack["relu7"] = ReLU()
            stack["dropout7"] = nn.Dropout()
            stack["logits"] = nn.Linear(units, classes)
    return stack
