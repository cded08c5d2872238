"""The smallest size at which layers see something of every picture, for errors that name it."""

from bisect import bisect_left
from collections.abc import Callable

import torch
from torch import Tensor

from worker.media.pictures import reduced_sides

# The largest size that the params allow.
LARGEST_SIZE = 8192

Size = tuple[int, int]
"""Height and width in pixels."""


def smallest_size(
    above: int, narrowest: Callable[[int], int], needed: int, most: int = LARGEST_SIZE
) -> int | None:
    """A size above one at which ``narrowest`` is at least ``needed``, and is not at one less.

    None if there is none up to ``most``, what the params allow. ``narrowest`` gives the shortest side in
    pixels at a size.
    """
    # In growing steps, since a large size may take long to try.
    low, step = above, 1
    while narrowest(high := min(low + step, most)) < needed:
        if high == most:
            return None
        low, step = high, 2 * step
    return bisect_left(range(high + 1), needed, lo=low + 1, hi=high, key=narrowest)


def as_loaded(file: Size, side: int | None) -> Tensor:
    """A picture (1, 3, H, W) with the sides of a file that is loaded at most ``side`` pixels long.

    A view of one number, so that nothing is allocated.
    """
    return torch.empty(1).expand(1, 3, *reduced_sides(*file, side))
