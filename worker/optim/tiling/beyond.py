"""What lies beyond the edges of a picture, for parts of it that reach there: no padded copy is made."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

Edge = Literal["reflect", "replicate", "wrap"]
"""What lies beyond the edges of a picture: its reflection, its edge pixels, or its other side."""


def beyond(length: int, margin: int, edge: Edge) -> Tensor:
    """The places along an axis of a picture that those of the padded one are: (length + 2 * margin,).

    A margin that is reflected is below ``length``; one that wraps may go around several times.
    """
    places = torch.arange(-margin, length + margin)
    match edge:
        case "wrap":
            return places % length
        case "replicate":
            return places.clamp(0, length - 1)
        case "reflect":
            return (length - 1) - ((length - 1) - places.abs()).abs()


def select_around(picture: Tensor, axis: int, seen: slice, margin: int, places: Tensor) -> Tensor:
    """The part ``seen`` of a padded picture along an axis, from the picture without its ``margin``.

    ``places`` are those of :func:`beyond`. A view if nothing of the margin is seen.
    """
    start, stop = seen.start - margin, seen.stop - margin
    if start >= 0 and stop <= picture.shape[axis]:
        return picture.narrow(axis, start, stop - start)
    return picture.index_select(axis, places[seen].to(picture.device))


def add_around(whole: Tensor, part: Tensor, axes: Sequence[tuple[int, slice, Tensor]], margin: int) -> None:
    """The adjoint of :func:`select_around` along several ``axes``: adds ``part`` to ``whole``, in place.

    Each of the axes, in order, comes with what is seen along it, and its :func:`beyond`.
    """
    (axis, seen, places), *others = axes
    start, stop = seen.start - margin, seen.stop - margin
    inside = start >= 0 and stop <= whole.shape[axis]
    index = places[seen].to(whole.device)
    if not inside:
        start, stop = int(index.min()), int(index.max()) + 1
    within = whole.narrow(axis, start, stop - start)
    if not others:
        within.add_(part) if inside else within.index_add_(axis, index - start, part)
        return
    if not inside:
        folded = part.new_zeros([*part.shape[:axis], stop - start, *part.shape[axis:][1:]])
        part = folded.index_add_(axis, index - start, part)
    add_around(within, part, others, margin)
