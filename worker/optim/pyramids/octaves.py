"""Octaves: the sizes at which a picture is dreamt, and how what was dreamt goes from one to the next."""

from dataclasses import dataclass

import torch
from torch import Tensor

from worker.optim.pyramids.scales import resize
from worker.optim.randomness import generator_at


@dataclass(frozen=True)
class Octave:
    """One size, height and width in pixels; ``place`` counts from the coarsest, also those left out."""

    place: int
    height: int
    width: int


def plan_octaves(height: int, width: int, count: int, scale: float, smallest: int) -> list[Octave]:
    """Octaves from coarse to fine, each ``scale`` times the last, up to ``height`` by ``width``.

    Those with a side below ``smallest`` are left out: the network would see nothing there.
    """
    octaves = []
    for place in range(count):
        factor = scale ** (count - 1 - place)
        octave = Octave(place, round(height / factor), round(width / factor))
        if min(octave.height, octave.width) >= max(1, smallest):
            octaves.append(octave)
    return octaves


def next_octave(start: Tensor, dreamt: Tensor, octave: Octave) -> Tensor:
    """What to begin an octave with: the start picture at its size, and what was dreamt so far laid over it.

    Only what was added to the start is enlarged, so that the start keeps the detail that each size of it has.
    ``start`` is (1, 3, H, W); ``dreamt`` the picture that the octave before ended with.
    """
    before = resize(start, *dreamt.shape[-2:])
    # Not within [0, 1]: it is a difference.
    added = torch.nn.functional.interpolate(
        dreamt - before, (octave.height, octave.width), mode="bicubic", align_corners=False
    )
    return (resize(start, octave.height, octave.width) + added).clamp(0, 1)


def draw_roll(reach: int, octave: Octave, seed: int, *step: int) -> tuple[int, int]:
    """Rows and columns to roll the picture by at a step: up to ``reach`` either way."""
    generator = generator_at(seed, octave.place, *step)
    rows, columns = torch.randint(-reach, reach + 1, (2,), generator=generator).tolist()
    return rows, columns
