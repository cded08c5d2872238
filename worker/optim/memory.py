"""The memory that a picture takes in a network that cannot be cut into tiles."""

from collections.abc import Collection
from itertools import pairwise
from weakref import WeakKeyDictionary

import torch

from app.errors import InputError
from models.costs import layer_costs
from models.network import Network
from worker.contract.compute import Compute
from worker.optim.tiling.tiles import is_on_grid

# Bytes for each byte of activations: what is kept for the gradient, and gradients on their way. Measured on
# efficientnet_lite0 at 1024 and 1600 px it is 1.5, in float32 and in bfloat16.
WITH_GRADIENT = 2

# What was counted, of each network while it is there: by layers, sides, gradient and dtype.
_Case = tuple[frozenset[str], tuple[int, int], bool, torch.dtype]
_KNOWN: WeakKeyDictionary[Network, dict[_Case, int]] = WeakKeyDictionary()
MOST_KNOWN = 1000


def require_memory(
    network: Network,
    layers: Collection[str],
    sides: tuple[int, int],
    size: int,
    compute: Compute,
    *,
    field: str = "size",
    tiles: bool = True,
    gradient: bool = True,
) -> None:
    """Check that a picture of ``sides`` (height, width) fits, with the ``gradient`` of the layers or without.

    A network whose layers lie on the grid of their strides is computed in ``tiles``, of any size, by whoever
    does that. ``size`` is the param that the sides came from, in proportion. Raises InputError on ``field``,
    which names the size that fits.
    """
    if tiles and is_on_grid(network, layers):
        return
    needed, budget = _bytes(network, layers, sides, gradient), compute.picture_bytes
    if needed <= budget:
        return
    fits = int(size * (budget / needed) ** 0.5)
    while fits > 1 and _bytes(network, layers, _scaled(sides, fits / size), gradient) > budget:
        fits -= 1
    raise InputError(
        field,
        f"{network.name} is not computed in tiles here, and at size {size} it would take "
        f"{needed / 1e9:.1f} GB of memory, of {budget / 1e9:.1f} GB: the largest size that fits is {fits}. "
        "IMPASTO_MAX_PICTURE_MEMORY_BYTES raises that.",
    )


def _scaled(sides: tuple[int, int], share: float) -> tuple[int, int]:
    return int(sides[0] * share), int(sides[1] * share)


def _bytes(network: Network, layers: Collection[str], sides: tuple[int, int], gradient: bool) -> int:
    """Memory of a forward pass of one picture, and a backward pass if there is to be a gradient.

    Counting takes as long as classifying a picture does, so that it is done once.
    """
    known = _KNOWN.setdefault(network, {})
    key = frozenset(layers), sides, gradient, network.dtype
    if key not in known:
        if len(known) >= MOST_KNOWN:
            known.clear()
        known[key] = _count_bytes(network, layers, sides, gradient)
    return known[key]


def _count_bytes(network: Network, layers: Collection[str], sides: tuple[int, int], gradient: bool) -> int:
    if min(sides) < network.minimum_side(layers):
        return 0
    costs = layer_costs(network, *sides, layers)
    item = torch.finfo(network.dtype).bits // 8
    # What is done in place takes none.
    numbers = [cost.numbers for cost in costs.values() if cost.numbers]
    # Without a gradient no layer is kept longer than the next one needs it.
    most = sum(numbers) if gradient else max(one + other for one, other in pairwise([0, *numbers]))
    return WITH_GRADIENT * item * most if gradient else item * most
