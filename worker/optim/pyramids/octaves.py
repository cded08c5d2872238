"""Octaves of DeepDream: their sizes, and what one passes on to the next."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.optim.pyramids.scales import resize
from worker.optim.randomness import generator_at


@dataclass(frozen=True)
class Octave:
    """Height and width in pixels; ``place`` counts from the coarsest, including those left out."""

    place: int
    height: int
    width: int


def plan_octaves(height: int, width: int, count: int, scale: float, smallest: int) -> list[Octave]:
    """Octaves from coarse to fine, each ``scale`` times the previous one, up to ``height`` by ``width``.

    Those with a side below ``smallest``, too small for the network, are left out.
    """
    octaves = []
    for place in range(count):
        factor = scale ** (count - 1 - place)
        octave = Octave(place, round(height / factor), round(width / factor))
        if min(octave.height, octave.width) >= max(1, smallest):
            octaves.append(octave)
    return octaves


def next_octave(start: Tensor, dreamt: Tensor, octave: Octave) -> Tensor:
    """The start of an octave: the start picture at its size, plus the detail added so far.

    Only the added detail is enlarged, so that the start picture keeps its own detail at each size. ``start``
    is (1, 3, H, W); ``dreamt`` is the result of the previous octave.
    """
    before = resize(start, *dreamt.shape[-2:])
    # A difference, so not limited to [0, 1].
    added = torch.nn.functional.interpolate(
        dreamt - before, (octave.height, octave.width), mode="bicubic", align_corners=False
    )
    return (resize(start, octave.height, octave.width) + added).clamp(0, 1)


def draw_roll(reach: int, octave: Octave, seed: int, *step: int) -> tuple[int, int]:
    """Rows and columns to roll the picture by at a step: up to ``reach`` either way."""
    generator = generator_at(seed, octave.place, *step)
    rows, columns = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
    return rows, columns
