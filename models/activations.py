"""Activation functions by name, and those that torch does not have."""

from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from models.geometry import Kind, OwnLayer
from models.relu import ReLU

Activation = Literal["sigmoid", "tanh", "relu", "leaky_relu", "elu", "maxout"]

# max(0.1 x, x), as the lectures on convolutional networks have it; Maas et al. 2013 had 0.01.
LEAK = 0.1
PIECES = 2


class Maxout(OwnLayer):
    """The largest of ``pieces`` linear functions: (N, pieces * channels, ...) to (N, channels, ...).

    Goodfellow, Warde-Farley, Mirza, Courville, Bengio, "Maxout networks", ICML 2013, section 2.
    """

    kind: ClassVar[Kind] = "activation"

    def __init__(self, channels: int, pieces: int = PIECES) -> None:
        """``channels`` of the output."""
        super().__init__()
        self.channels: int = channels
        self.pieces = pieces

    def forward(self, input: Tensor) -> Tensor:
        """The maximum over the pieces, which are neighbouring channels of the input."""
        apart = input.reshape(len(input), self.channels, self.pieces, *input.shape[2:])
        return apart.amax(2)


class ScaledTanh(OwnLayer):
    """1.7159 tanh(2 x / 3), which is 1 at 1 and -1 at -1.

    LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition", Proc. IEEE
    1998, section II.B and appendix A.
    """

    kind: ClassVar[Kind] = "activation"

    def forward(self, input: Tensor) -> Tensor:
        """The function of each number."""
        return 1.7159 * torch.tanh(input * (2 / 3))


def pieces_of(activation: Activation) -> int:
    """How many channels an activation makes one of."""
    return PIECES if activation == "maxout" else 1


def make_activation(activation: Activation, channels: int) -> nn.Module:
    """The module of an activation that gives ``channels``. Raises ValueError for one of no known name."""
    match activation:
        case "sigmoid":
            return nn.Sigmoid()
        case "tanh":
            return nn.Tanh()
        case "relu":
            return ReLU()
        case "leaky_relu":
            return nn.LeakyReLU(LEAK)
        case "elu":
            return nn.ELU()
        case "maxout":
            return Maxout(channels)
    raise ValueError(f"there is no activation {activation!r}")
