"""The scales of a style transfer, and the sizes of all pictures at each."""

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from app.errors import InputError
from app.kinds.style_presets import PRESETS
from app.kinds.style_transfer import ResolvedStyleTransfer
from app.kinds.work import scale_sides
from models.network import Network
from worker.optim.pyramids.scales import fit, share_steps

# The largest size that the params allow.
LARGEST_SIZE = 8192

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Scale:
    """One scale of the pyramid: sizes of the result and of the style pictures, and its number of steps."""

    size: Size
    style_sizes: tuple[Size, ...]
    steps: int


def plan_scales(
    params: ResolvedStyleTransfer,
    pictures: Mapping[str, Sequence[Tensor]],
    network: Network,
    layers: Collection[str],
) -> list[Scale]:
    """The scales from coarse to fine, up to ``params.size``; they share ``params.steps``.

    Scales at which a picture is too narrow for the layers are left out. Raises InputError on ``size`` if the
    last one is.
    """
    smallest = network.minimum_side(layers)
    preset = PRESETS[params.preset]
    sides = [
        side
        for side in scale_sides(params.size, preset.coarsest)
        if _narrowest(params, pictures, side, smallest)[0] >= smallest
    ]
    if not sides:
        raise _too_small(params, pictures, smallest)
    shares = share_steps(params.steps, len(sides))
    return [
        Scale(*_sizes(params, pictures, side, smallest), steps=share)
        for side, share in zip(sides, shares, strict=True)
        if share
    ]


def _sizes(
    params: ResolvedStyleTransfer, pictures: Mapping[str, Sequence[Tensor]], side: int, smallest: int
) -> tuple[Size, tuple[Size, ...]]:
    """Sizes of the result and of each style picture, at the scale whose longer side is ``side``."""
    (content,) = pictures["content"]
    styles = tuple(_style_size(style, params.style_scale, side, smallest) for style in pictures["style"])
    return fit(content, side), styles


def _style_size(style: Tensor, style_scale: float, side: int, smallest: int) -> Size:
    """The size of a style picture: ``style_scale`` times that of the result, but not enlarged without need.

    An enlarged picture has the Gram matrices of a blurred one. It is enlarged by ``style_scale`` at most,
    which above 1 asks for larger strokes, or until its shorter side has the ``smallest`` pixels.
    """
    shortest, longest = sorted(style.shape[-2:])
    asked = max(1, round(side * style_scale))
    kept = round(longest * max(1.0, style_scale))
    needed = math.ceil(smallest * longest / shortest)
    return fit(style, min(asked, max(kept, needed)))


def _narrowest(
    params: ResolvedStyleTransfer, pictures: Mapping[str, Sequence[Tensor]], side: int, smallest: int
) -> tuple[int, str]:
    """The shortest side in pixels of all pictures at the scale of ``side``, and which one that is."""
    size, styles = _sizes(params, pictures, side, smallest)
    return min((min(size), "the result"), *((min(style), "a style picture") for style in styles))


def _too_small(
    params: ResolvedStyleTransfer, pictures: Mapping[str, Sequence[Tensor]], smallest: int
) -> InputError:
    shortest, whose = _narrowest(params, pictures, params.size, smallest)
    problem = f"At size {params.size} {whose} is only {shortest} px across; the layers need {smallest} px."
    for side in range(params.size + 1, LARGEST_SIZE + 1):
        if _narrowest(params, pictures, side, smallest)[0] >= smallest:
            return InputError("size", f"{problem} The smallest size that works is {side}.")
    return InputError("size", f"{problem} Choose layers nearer to the picture, or a less narrow picture.")
