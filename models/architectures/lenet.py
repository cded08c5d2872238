"""LeNet-5 (LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc.
IEEE 1998, section II.B and figure 2): as it was published, and as it is usually built today.

Both take RGB, and see its luminance.
"""

import hashlib
from functools import cache
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from models.activations import ScaledTanh
from models.architectures.vgg import PooledLinear
from models.geometry import Block, Kind, OwnLayer, Window
from models.relu import ReLU

# ITU-R BT.601.
RED_GREEN_BLUE = (0.299, 0.587, 0.114)

MAPS = (6, 16, 120)
UNITS = 84
SIDE = 5  # of the filters, and of the maps that C5 sees of a picture of 32 px

# The maps of S2 that each map of C3 sees (table I).
SOURCES = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)


class Luminance(OwnLayer):
    """One channel from red, green and blue."""

    kind: ClassVar[Kind] = "luminance"

    def __init__(self) -> None:
        super().__init__()
        self.channels: int = 1

    def forward(self, input: Tensor) -> Tensor:
        """(N, 3, h, w) to (N, 1, h, w)."""
        weights = torch.tensor(RED_GREEN_BLUE, device=input.device, dtype=input.dtype)
        return (input * weights.view(1, 3, 1, 1)).sum(1, keepdim=True)


class Subsampling(OwnLayer):
    """The sum of 2 × 2 positions, times a coefficient and plus a bias, which each map learns."""

    kind: ClassVar[Kind] = "pool"

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels))
        self.bias = nn.Parameter(torch.empty(channels))
        self.window = Window(2, 2, 0)

    def reset_parameters(self) -> None:
        """Begin with the mean."""
        nn.init.constant_(self.weight, 0.25)
        nn.init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to (N, channels, h / 2, w / 2), rounded down."""
        summed = F.avg_pool2d(input, 2, divisor_override=1)
        return summed * self.weight.view(-1, 1, 1) + self.bias.view(-1, 1, 1)


class SparseConv(Block):
    """A convolution whose maps each see some of the input's (table I), to save weights and break symmetry."""

    kind: ClassVar[Kind] = "sparse_conv"

    def __init__(self, sources: tuple[tuple[int, ...], ...], side: int) -> None:
        """``sources`` are the channels of the input that each map sees."""
        super().__init__()
        self.sources = [list(each) for each in sources]
        self.maps = nn.ModuleList(nn.Conv2d(len(each), 1, side) for each in sources)
        self.channels = len(sources)
        self.window = Window(side, 1, 0)

    def forward(self, input: Tensor) -> Tensor:
        """(N, channels, h, w) to a map for each of the sources."""
        return torch.cat(
            [each(input[:, seen]) for each, seen in zip(self.maps, self.sources, strict=True)], 1
        )


class RadialBasis(OwnLayer):
    """Minus half of the squared distance of the units to the code of each class: its logit (equation 7).

    That is the log-likelihood of a Gaussian with the identity as covariance, but for a constant, as which the
    paper interprets it. A code is of 1 and -1, and fixed. The paper's are 7 × 12 pixels of printed
    characters; these are bits of the SHA-256 of the class's number, so that there are some for any class:
    "they could have been chosen at random with equal probabilities".
    """

    kind: ClassVar[Kind] = "logits"
    whole: ClassVar[bool] = True

    def __init__(self, units: int, classes: int) -> None:
        super().__init__()
        self.units = units
        self.channels: int = classes

    def forward(self, input: Tensor) -> Tensor:
        """(N, units) to (N, classes)."""
        codes = torch.from_numpy(class_codes(self.channels, self.units)).to(input.device, input.dtype)
        return (input[:, None] - codes).square().sum(2) / -2


@cache
def class_codes(classes: int, units: int) -> NDArray[np.float32]:
    """Codes of 1 and -1, float32 (classes, units); 256 units at most."""
    digests = [hashlib.sha256(str(number).encode()).digest() for number in range(classes)]
    bits = np.unpackbits(np.frombuffer(b"".join(digests), np.uint8)).reshape(classes, -1)
    return (2 * bits[:, :units].astype(np.float32) - 1).copy()


def lenet_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by layer name, from the luminance to the logits; parameters on the meta device.

    As it is usually built today: dense convolutions, ReLUs, max pools, and scores in the place of distances.
    """
    first, second, third = MAPS
    with torch.device("meta"):
        return {
            "luminance": Luminance(),
            "conv1": nn.Conv2d(1, first, SIDE),
            "relu1": ReLU(),
            "pool1": nn.MaxPool2d(2),
            "conv2": nn.Conv2d(first, second, SIDE),
            "relu2": ReLU(),
            "pool2": nn.MaxPool2d(2),
            "fc3": PooledLinear(second, SIDE, third),
            "relu3": ReLU(),
            "fc4": nn.Linear(third, UNITS),
            "relu4": ReLU(),
            "logits": nn.Linear(UNITS, classes),
        }


def lenet_1998_stack(classes: int) -> dict[str, nn.Module]:
    """The modules by layer name, from the luminance to the logits; parameters on the meta device.

    C5 is a convolution, so of larger pictures F6 sees a mean.
    """
    first, second, third = MAPS
    with torch.device("meta"):
        return {
            "luminance": Luminance(),
            "c1": nn.Conv2d(1, first, SIDE),
            "tanh1": ScaledTanh(),
            "s2": Subsampling(first),
            "tanh2": ScaledTanh(),
            "c3": SparseConv(SOURCES, SIDE),
            "tanh3": ScaledTanh(),
            "s4": Subsampling(second),
            "tanh4": ScaledTanh(),
            "c5": nn.Conv2d(second, third, SIDE),
            "tanh5": ScaledTanh(),
            "f6": PooledLinear(third, 1, UNITS),
            "tanh6": ScaledTanh(),
            "logits": RadialBasis(UNITS, classes),
        }
