"""The usual pattern of a convolutional network, ``[(CONV-RELU)*N-POOL?]*M-[FC-RELU]*K-FC``
(Stanford's CS231n, notes on convolutional networks, "Layer patterns")."""

from typing import Literal

import torch
from torch import nn

from models.activations import Activation, make_activation, pieces_of
from models.architectures.limits import require_layers
from models.architectures.vgg import PooledLinear
from models.geometry import output_side

Pooling = Literal["max", "average", "l2", "sum", "none"]

# More channels are of no use to a network of this kind, and slow it down.
MOST_CHANNELS = 512


def make_pool(pooling: Pooling) -> nn.Module:
    """A pool of 2 × 2 positions, of their maximum, mean, L2 norm or sum. Raises ValueError for another."""
    match pooling:
        case "max":
            return nn.MaxPool2d(2)
        case "average":
            return nn.AvgPool2d(2)
        case "l2":
            return nn.LPPool2d(2, 2, stride=2)
        case "sum":
            return nn.AvgPool2d(2, divisor_override=1)
    raise ValueError(f"there is no pooling {pooling!r}")


def cnn_stack(
    side: int,
    classes: int,
    *,
    n: int = 2,
    m: int = 2,
    k: int = 1,
    width: int = 16,
    units: int = 128,
    filter: int = 3,
    pooling: Pooling = "max",
    activation: Activation = "relu",
    dropout: float = 0.0,
) -> dict[str, nn.Module]:
    """The modules by layer name, from conv1_1 to the logits; parameters on the meta device.

    Each of ``m`` stages has ``n`` convolutions of ``filter`` × ``filter``, and halves the side: by a pool,
    or with ``pooling`` "none" by a stride of 2 in its last convolution (Springenberg et al., "Striving for
    simplicity", 2015). The first stage has ``width`` channels, and each further one twice as many, 512 at
    most. ``k`` fully connected layers of ``units`` follow. Activations name their layers: ``relu1_1``.
    ``dropout`` is the share of units that a training leaves out before each fully connected layer.
    Maps of another size than those of a picture of ``side`` px are averaged to it.

    Raises ValueError for more stages than the side has halvings.
    """
    # Each of them, too: none of its own stages, or fewer than none, would hide how many others there are.
    for count, least in ((n, 1), (m, 1), (k, 0), (n * m + k, 1)):
        require_layers(count, least)
    with torch.device("meta"):
        stack: dict[str, nn.Module] = {}
        pieces = pieces_of(activation)
        channels = 3
        for stage in range(1, m + 1):
            wider = min(width * 2 ** (stage - 1), max(width, MOST_CHANNELS))
            for place in range(1, n + 1):
                stride = 2 if pooling == "none" and place == n else 1
                conv = nn.Conv2d(channels, wider * pieces, filter, stride, filter // 2)
                stack[f"conv{stage}_{place}"] = conv
                stack[f"{activation}{stage}_{place}"] = make_activation(activation, wider)
                channels = wider
            if pooling != "none":
                stack[f"pool{stage}"] = make_pool(pooling)
        grid = output_side(stack.values(), side)
        if grid < 1:
            raise ValueError(f"{side} px are too few for {m} stages")
        for place in range(m + 1, m + k + 2):
            last = place == m + k + 1
            wider = classes if last else units * pieces
            if dropout:
                stack[f"dropout{place}"] = nn.Dropout(dropout)
            first = place == m + 1
            layer = PooledLinear(channels, grid, wider) if first else nn.Linear(channels, wider)
            stack["logits" if last else f"fc{place}"] = layer
            if not last:
                stack[f"{activation}{place}"] = make_activation(activation, units)
            channels = units
    return stack
