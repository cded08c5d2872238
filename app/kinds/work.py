"""How much work a job is, and how much memory its pictures take in a network: estimates from the card alone.

Work is counted in multiply-adds, and in what takes as long. Only ratios count: what a multiply-add takes is
measured, for each kind and network.
"""

import math
from collections.abc import Collection, Mapping

from app.networks.card import LayerCard, NetworkCard

# What decoding a picture costs, in multiply-adds that take as long: 10 ms.
DECODING = 2e8

# A gradient: a backward pass costs about two forward ones.
GRADIENT = 3

# What a step of an optimizer costs beside its passes, in multiply-adds that take as long: of palette, style
# transfers at 64 and at 256 px then have about the same rate.
STEP = 1.5e9

# Memory in bytes for the activations of a tile and their gradients. A constant, not what happens to be free:
# the sums of a tiled picture differ in their last bits from those of an untiled one, and a recipe is to give
# the same picture whatever else the machine is doing.
TILE_BYTES = 2 << 30

# Pixels of all pictures that ascend at once; with VGG-19 at half width their activations take about a
# gigabyte. A constant for the same reason.
ASCENT_PIXELS = 1 << 20

# Pixels of the samples of an explanation that go forward and backward at once on a CPU. On one thread 4 of
# 224 px, or 12 of 128 px, are the fastest of 1 to 50: 50 at once took a quarter longer with palette, and
# twice as long with efficientnet_lite0. A constant for the same reason.
SAMPLE_PIXELS = 4 * 224**2

# A float32.
NUMBER = 4

# Layers with weights, whose work is in proportion to their inputs and outputs at each position.
_WEIGHTED = ("conv", "residual", "fire", "inception")
# Layers with others inside, and the numbers that these keep for each of the output: 2 to 4 were counted of
# SqueezeNet, GoogLeNet and ResNets (models/costs.py), and far more where blocks widen inside.
_COMPOSED = ("residual", "fire", "inception")
_INSIDE = 3.0
_WIDENING: Mapping[str, float] = {"efficientnet_lite0": 15.0, "mobilenet_v2": 11.0}


def forward_work(
    card: NetworkCard | None,
    side: float | None,
    passes: float = 1,
    layers: Collection[str] | None = None,
) -> float | None:
    """Multiply-adds of forward passes over squares of ``side`` pixels; None: nobody knows.

    Without a side it is what the card counts them at; ``layers``: no further than the deepest of them.
    """
    if card is None or card.multiply_adds is None:
        return None
    area = 1.0 if side is None else (side / card.counted_side) ** 2
    share = 1.0 if layers is None else _share(card, layers)
    return passes * area * share * card.multiply_adds


def steps_work(
    card: NetworkCard | None,
    sides: Collection[float],
    steps: float,
    layers: Collection[str] | None = None,
    targets: int = 0,
) -> float | None:
    """Multiply-adds of so many steps of an optimizer on squares, shared equally by several ``sides``.

    ``targets`` are pictures that go forward once at each of them.
    """
    area = sum(side**2 for side in sides)
    forward = forward_work(card, area**0.5, 1, layers)
    if forward is None:
        return None
    return steps * (GRADIENT * forward / len(sides) + STEP) + targets * forward


def scale_sides(long_side: int, coarsest: int | None) -> list[int]:
    """Longer sides from coarse to fine, each about sqrt(2) times the previous one, up to ``long_side``.

    The first is the smallest that is at least ``coarsest``; None: a single scale. A common first size gives
    pictures of different sizes the same layout, so that a small one predicts a large one.
    """
    sides = [long_side]
    while coarsest is not None and (side := round(long_side * math.sqrt(0.5) ** len(sides))) >= coarsest:
        sides.append(side)
    return sides[::-1]


def _share(card: NetworkCard, layers: Collection[str]) -> float:
    """The share of a network's multiply-adds up to the deepest of some layers: exact for VGG's topology."""
    depth = _depth(card, layers)
    done = whole = 0.0
    inputs = 3
    for place, layer in enumerate(card.layers):
        if layer.kind in _WEIGHTED and layer.stride:
            work = inputs * layer.channels / layer.stride**2
            whole += work
            done += work if place < depth else 0.0
        inputs = layer.channels
    return done / whole if whole else 1.0


def _depth(card: NetworkCard, layers: Collection[str]) -> int:
    return 1 + max((place for place, layer in enumerate(card.layers) if layer.name in layers), default=-1)


def activation_bytes(
    card: NetworkCard,
    pixels: float,
    layers: Collection[str] | None = None,
    *,
    gradient: bool = True,
    tiles: bool = False,
) -> float:
    """Memory of the activations of ``pixels`` in float32, to the deepest of ``layers`` (None: all).

    With a ``gradient`` they are kept, and their gradients take as much again; without, no layer is kept
    longer than the next one needs it. In ``tiles`` they are TILE_BYTES at most.
    """
    reached = card.layers if layers is None else card.layers[: _depth(card, layers)]
    # A ReLU works in place of the convolution's result.
    numbers = [_numbers(card, layer) for layer in reached if layer.kind != "relu" and layer.stride]
    if gradient:
        found = 2 * NUMBER * pixels * sum(numbers)
    else:
        pairs = zip([3.0, *numbers], numbers, strict=False)
        found = NUMBER * pixels * max((one + other for one, other in pairs), default=0.0)
    return min(found, TILE_BYTES) if tiles else found


def layer_numbers(card: NetworkCard, pixels: float, layers: Collection[str], rows: float = math.inf) -> float:
    """Numbers that some layers have for ``pixels``; of each no more than so many channels."""
    found = (layer for layer in card.layers if layer.name in layers and layer.stride)
    return sum(pixels / layer.stride**2 * min(layer.channels, rows) for layer in found)


def product_work(card: NetworkCard, pixels: float, layers: Collection[str]) -> float:
    """Multiply-adds of the products of every two channels of some layers, as in their Gram matrices."""
    found = (layer for layer in card.layers if layer.name in layers and layer.stride)
    return sum(pixels / layer.stride**2 * layer.channels**2 for layer in found)


def _numbers(card: NetworkCard, layer: LayerCard) -> float:
    """What a layer keeps for each pixel of the picture."""
    inside = _WIDENING.get(card.architecture, _INSIDE) if layer.kind in _COMPOSED else 1.0
    return inside * layer.channels / layer.stride**2
