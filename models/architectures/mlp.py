"""A multilayer perceptron of pixels (Rumelhart, Hinton, Williams, "Learning representations by
back-propagating errors", Nature 1986), with a choice of activations."""

import torch
from torch import nn

from models.activations import Activation, make_activation, pieces_of
from models.architectures.limits import require_layers
from models.architectures.linear import COLORS
from models.architectures.vgg import PooledLinear


def mlp_stack(
    side: int,
    classes: int,
    *,
    depth: int = 1,
    width: int = 100,
    activation: Activation = "relu",
    dropout: float = 0.0,
) -> dict[str, nn.Module]:
    """The modules by layer name, from fc1 to the logits; parameters on the meta device.

    There are ``depth`` hidden layers of ``width`` units, named after their activation, ``relu1`` behind
    ``fc1``; ``dropout`` is the share of units that a training leaves out behind each. Pictures of another
    size are averaged to ``side`` × ``side`` pixels.
    """
    require_layers(depth)
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {}
        wider = width * pieces_of(activation)
        for place in range(1, depth + 1):
            first = PooledLinear(COLORS, side, wider)
            stack[f"fc{place}"] = nn.Linear(width, wider) if place > 1 else first
            stack[f"{activation}{place}"] = make_activation(activation, width)
            if dropout:
                stack[f"dropout{place}"] = nn.Dropout(dropout)
        stack["logits"] = nn.Linear(width, classes)
    return stack
