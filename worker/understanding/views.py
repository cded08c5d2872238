"""A picture as a classifier is shown it."""

from collections.abc import Collection

from torch import Tensor

from app.errors import InputError
from app.kinds.fields import CROP_SHARE, DEFAULT_SIZE, MAX_SHEET_PIXELS
from models.network import Network
from worker.contract.compute import Compute
from worker.optim.memory import require_memory
from worker.optim.pyramids.scales import resize

# The share of the shorter side that is cut out.
CENTER = CROP_SHARE


def input_side(network: Network) -> int:
    """Side in pixels of the square that a network classifies."""
    return network.input_size or DEFAULT_SIZE


def require_side(
    network: Network, layers: Collection[str], side: int, compute: Compute, *, gradient: bool
) -> None:
    """Check that a square of ``side`` pixels leaves the layers positions, and fits into the memory.

    Raises InputError on ``size``, which names the size that does.
    """
    smallest = network.minimum_side(layers)
    if side < smallest:
        deepest = [name for name in network.stack if name in layers][-1]
        raise InputError(
            "size",
            f"Size {side} is too small for {deepest} of {network.name}: it needs {smallest} px at least.",
        )
    require_memory(network, layers, (side, side), side, compute, tiles=False, gradient=gradient)


def shown_short(picture: Tensor, short: int) -> Tensor:
    """A picture (N, 3, H, W) with its shorter side at ``short`` pixels, antialiased.

    Raises InputError on ``size`` if a long picture becomes too large for the memory.
    """
    height, width = picture.shape[2:]
    scale = short / min(height, width)
    sides = max(short, round(height * scale)), max(short, round(width * scale))
    if sides[0] * sides[1] > MAX_SHEET_PIXELS:
        raise InputError(
            "size",
            f"With {short:,} px at its shorter side the picture has {sides[1]:,} × {sides[0]:,}, and "
            f"{MAX_SHEET_PIXELS // 10**6} megapixels are allowed: choose a smaller size, or "
            "crop the picture.",
        )
    return resize(picture, *sides)


def as_input(picture: Tensor, side: int, center: float = CENTER) -> Tensor:
    """The square that a network classifies, (N, 3, side, side): shorter side to ``side / center``, center."""
    scaled = shown_short(picture, round(side / center))
    height, width = scaled.shape[2:]
    top, left = (height - side) // 2, (width - side) // 2
    return scaled[..., top : top + side, left : left + side]
