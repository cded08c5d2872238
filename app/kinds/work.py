"""How much work a job is, and how much memory its pictures take in a network: estimates from the card alone.

Work is counted in multiply-adds, and in what takes as long. Only ratios count: what a multiply-add takes is
measured, for each kind and network.
"""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

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

# Of each tile of a picture that needs several, beside which there are many copies of it; twice or four times
# as much where the halos of such tiles would make an evaluation more than MOST_HALO times as long.
PART_BYTES = 512 << 20
MOST_HALO = 1.4

# Half of it for dreams, which keep more pictures of their own size. A constant for the same reason.
DREAM_TILE_BYTES = TILE_BYTES // 2

# What TILE_BYTES is lowered to where memory runs out. Tiles of VGG-19 to relu5_1 then see 334 px, and own 174
# of them; still smaller ones would compute little but what others compute, too.
LEAST_TILE_BYTES = 256 << 20

# Pairs that L-BFGS keeps: with 20 or 50 the loss after 160 steps is 1 % lower. Of pictures so large that this
# many exceed the budget in bytes they are kept in bfloat16, and if that is too much fewer, but not less than
# LEAST_HISTORY while there is memory.
HISTORY = 10
LEAST_HISTORY = 2
HISTORY_BUDGET = 512 << 20

# Of what activation_bytes says, the share that the only tile was measured to take, and each of several: these
# leave the heap full of gaps, and part of the content goes forward beside one.
TAKEN = 1.15
TAKEN_BY_PARTS = 1.5
# Copies of a picture that an evaluation, its targets and a step of an optimizer take beside the only tile and
# the pairs; and those beside one of several tiles: the content, the best picture, this one and the one
# before, and both their gradients.
COPIES = 10
COPIES_IN_PARTS = 6
# Those between the evaluations of such a picture: the same, and the spectra of an optimizer, which are one
# when it learns a pair, and two when the picture before and its gradient are gone. Besides, bytes of the
# heap: what is freed in small pieces stays there, in gaps (450 to 680 MiB were measured while pieces below
# 32 MiB were small; now those below 16 are, worker/runtime/heap.py).
COPIES_IN_STEPS = 7
HEAP_BYTES = 700 << 20

# Copies of a style or texture while its features are summed up: as sent, as the job may change it, resized.
COPIES_OF_TARGET = 3

# Bytes of target features of the content beyond which a tiled picture keeps none of them, and computes those
# of each tile again: an evaluation then takes about an eighth longer. Both give the same targets bit for bit.
KEPT_BYTES = 384 << 20

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


@dataclass(frozen=True)
class Spending:
    """What a descent in tiles may take of the memory.

    ``tile_bytes`` are for the activations of a tile; ``history`` is the most pairs that L-BFGS keeps.
    """

    tile_bytes: int = TILE_BYTES
    history: int = HISTORY


# From the usual one to the least, each of which makes the same picture up to rounding, but for the shorter
# histories, with which the loss falls more slowly.
SPENDINGS = (
    *(Spending(TILE_BYTES >> halvings) for halvings in range((TILE_BYTES // LEAST_TILE_BYTES).bit_length())),
    *(Spending(LEAST_TILE_BYTES, history) for history in (5, 2, 1)),
)


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
    views: Sequence[int] | None = None,
) -> float | None:
    """Multiply-adds of so many steps of an optimizer on squares, shared equally by several ``sides``.

    ``targets`` are pictures that go forward once at each of them. ``views`` says how often all is computed at
    each side; None: once.
    """
    area = sum(side**2 * often for side, often in zip(sides, views or [1] * len(sides), strict=True))
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
) -> float:
    """Memory of the activations of ``pixels`` in float32, to the deepest of ``layers`` (None: all).

    With a ``gradient`` they are kept, and their gradients take as much again; without, no layer is kept
    longer than the next one needs it.
    """
    reached = card.layers if layers is None else card.layers[: _depth(card, layers)]
    # A ReLU works in place of the convolution's result.
    numbers = [_numbers(card, layer) for layer in reached if layer.kind != "relu" and layer.stride]
    if gradient:
        return 2 * NUMBER * pixels * sum(numbers)
    pairs = zip([3.0, *numbers], numbers, strict=False)
    return NUMBER * pixels * max((one + other for one, other in pairs), default=0.0)


def bytes_of_each_tile(bytes_per_pixel: float, halo: int, budget: int) -> int:
    """Memory for each tile of a picture that needs several, of ``budget`` at most.

    ``bytes_per_pixel`` is that of activations, ``halo`` what a tile sees beyond what it owns, in pixels.
    """
    each = min(budget, PART_BYTES)
    while each < budget and not _has_narrow_halo(math.sqrt(each / bytes_per_pixel), halo):
        each = min(budget, 2 * each)
    return each


def _has_narrow_halo(sight: float, halo: int) -> bool:
    """Whether most of what a square tile sees, in pixels, is its own."""
    owned = sight - 2 * halo
    return owned > 0 and (sight / owned) ** 2 <= MOST_HALO


def affordable_history(picture_bytes: float, most: int = HISTORY) -> int:
    """How many pairs L-BFGS keeps of a picture of so many bytes, which are ``most`` at most."""
    pair = picture_bytes if is_history_halved(picture_bytes) else 2 * picture_bytes
    return min(most, max(LEAST_HISTORY, min(HISTORY, int(HISTORY_BUDGET // pair))))


def is_history_halved(picture_bytes: float) -> bool:
    """Whether the pairs of L-BFGS for a picture of so many bytes, in float32, are kept in bfloat16."""
    return 2 * HISTORY * picture_bytes > HISTORY_BUDGET


def descent_bytes(
    card: NetworkCard,
    sides: tuple[float, float],
    layers: Collection[str] | None,
    spending: Spending,
    margin: int = 0,
    content: Collection[str] = (),
) -> float:
    """Memory of a descent by L-BFGS, in tiles, of a picture of ``sides`` with a ``margin``, in pixels.

    ``layers`` (None: all) are those of the losses, ``content`` those whose features a loss may keep. It is
    that of activations in float32 or in bfloat16, whichever takes more.
    """
    height, width = sides
    seen = (height + 2 * margin) * (width + 2 * margin)
    whole = activation_bytes(card, seen, layers)
    picture = 3 * NUMBER * height * width
    pairs = affordable_history(picture, spending.history) * (1 if is_history_halved(picture) else 2)
    targets = NUMBER * layer_numbers(card, height * width, content)
    # In bfloat16 twice as large a picture is a single tile.
    if whole / 2 <= spending.tile_bytes:
        tile = min(whole, spending.tile_bytes)
        return TAKEN * tile + tile / whole * targets + (COPIES + pairs) * picture
    each = bytes_of_each_tile(activation_bytes(card, 1, layers), _halo(card, layers), spending.tile_bytes)
    kept = min(targets, KEPT_BYTES) if targets / 2 <= KEPT_BYTES else 0.0
    evaluating = TAKEN_BY_PARTS * each + COPIES_IN_PARTS * picture
    # No more is left there than an evaluation took.
    stepping = min(HEAP_BYTES, evaluating) + COPIES_IN_STEPS * picture
    return max(evaluating, stepping) + kept + pairs * picture


def targets_bytes(
    card: NetworkCard, pixels: float, layers: Collection[str], spending: Spending, pictures: float = 0
) -> float:
    """Memory while the features of a style or texture of so many pixels are summed up, in tiles.

    ``pictures`` is the number of pixels of others that wait meanwhile. Nothing descends yet.
    """
    whole = activation_bytes(card, pixels, layers)
    tile = min(whole, spending.tile_bytes) / whole * pixels if whole else 0.0
    # The features are there together, beside those that the last layer is made from.
    passing = activation_bytes(card, tile, layers, gradient=False) + NUMBER * layer_numbers(
        card, tile, layers
    )
    return passing + 3 * NUMBER * (COPIES_OF_TARGET * pixels + pictures)


def _halo(card: NetworkCard, layers: Collection[str] | None) -> int:
    """What a tile sees beyond what it owns, in pixels, as :class:`worker.optim.tiling.tiles.Tiling` plans."""
    depth = None if layers is None else _depth(card, layers)
    reached = [layer for layer in card.layers[:depth] if layer.stride]
    stride = max((layer.stride for layer in reached), default=1)
    sight = max((layer.receptive_field - layer.stride for layer in reached), default=0) / 2
    return math.ceil(sight / stride) * stride


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
