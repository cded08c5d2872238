"""What lies behind things: 1/f noise, dead leaves, diamond-square terrain, soft light; in natural colours."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from models.procedural import noise
from models.procedural.fields import box, cover, disc, rotate
from models.procedural.lattice import marks
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.sheet import Sheet

Background = Callable[[Sheet], Tensor]
"""Fills a sheet with four colours: (n, 3, h, w), about in [0, 1]."""


@dataclass(frozen=True)
class Scenery:
    """What lies behind things, each as often as it is there; ``clean`` is the share of clean pictures."""

    backgrounds: tuple[Background, ...]
    clean: float = 0.0


def spectral(sheet: Sheet) -> Tensor:
    """Two 1/f fields, one for the place in a gradient of three colours, one for its warmth."""
    value = 0.5 + 0.28 * sheet.spectrum(1.0, 2.2)
    picture = gradient(value, sheet.colors[:3])
    return tint(picture, 0.1 * sheet.spectrum(0.9, 1.6), sheet.uniform(0, 0.12) * sheet.spectrum(1.0, 2.0))


def leaves(sheet: Sheet) -> Tensor:
    """Dead leaves: shapes of all sizes that cover one another (Lee, Mumford and Huang 2001)."""
    picture = gradient(0.5 + 0.25 * sheet.spectrum(1.0, 2.0), sheet.colors[:2])
    for frequency in (0.9, 2.0, 4.5):
        x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3.1, 3.1))
        scale = sheet.log_uniform(0.7, 1.3) * frequency
        pixel = sheet.pixel * scale
        square = sheet.chance(0.4)
        x, y = x * scale + sheet.uniform(0, 99), y * scale + sheet.uniform(0, 99)
        for index, mark in enumerate(marks(x, y, sheet.key(), jitter=0.8)):
            radius = 0.12 + 0.4 * mark.c * mark.c
            round_one = disc(mark.dx, mark.dy * (1 + mark.d), radius)
            if index % 3 == 1:
                flat = box(mark.dx + 0.3 * mark.dy, mark.dy, radius, radius * 0.7)
                round_one = torch.lerp(round_one, flat, square)
            colored = blend(sheet.colors[index % 4], sheet.colors[(index + 1) % 4], mark.d)
            colored = colored * (0.75 + 0.5 * mark.b)[:, None] + (mark.dy * 0.25)[:, None]
            picture = blend(picture, colored.clamp(0, 1), cover(round_one, pixel))
    return picture


def terrain(sheet: Sheet) -> Tensor:
    """Diamond-square heights under a lamp, coloured by height."""
    height = noise.diamond_square(sheet.key(), sheet.size, sheet.uniform(0.42, 0.62)[:, 0, 0])[:, 0]
    picture = gradient(0.5 + 0.25 * height, sheet.colors)
    return lit(picture, relief(sheet, height * sheet.uniform(0.01, 0.06), gloss=0.0))


def studio(sheet: Sheet) -> Tensor:
    """A wall with light falling across it, slightly uneven."""
    x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3.1, 3.1))
    value = 0.5 + 0.35 * y + 0.15 * x * x + 0.05 * sheet.spectrum(0.6, 1.2)
    return gradient(value, sheet.colors[:2])


BACKGROUNDS: tuple[Background, ...] = (
    spectral,
    spectral,
    leaves,
    leaves,
    terrain,
    terrain,
    studio,
)

ROUGH = Scenery(BACKGROUNDS)
"""There is something to see everywhere."""
