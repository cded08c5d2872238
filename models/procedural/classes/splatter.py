"""Paint splatter."""

import torch
from torch import Tensor

from models.procedural.fields import (
    TAU,
    capsule,
    cover,
    disc,
    fraction,
    lens,
    polar,
    ramp,
)
from models.procedural.lattice import line_value, marks
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

SPLATTER = draws(
    "paint splatter",
    "texture",
    ("f3efe6", "c4202f", "1f5fa8", "f0b020"),
    ("efe9dd", "1a1a1c", "d9572b", "2f8f7a"),
    turn=3.14,
)


def _ground(sheet: Sheet) -> Tensor:
    return tint(sheet.colors[0], 0.08 * sheet.noise(4.0, 4)).expand(-1, -1, *sheet.x.shape[1:])


def _wet(sheet: Sheet, picture: Tensor, color: Tensor, distance: Tensor) -> Tensor:
    """Thick wet paint where the distance is negative."""
    height = torch.sqrt((-distance).clamp(0, 0.06) + 1e-4) * 0.12
    paint = lit(color.expand_as(picture), relief(sheet, height, gloss=0.6))
    return blend(picture, paint, cover(distance, sheet.pixel))


def _splash(sheet: Sheet, frequency: Tensor, rays: float) -> Tensor:
    """Blots with rays and drops around them; signed distance in units."""
    x, y = sheet.x * frequency, sheet.y * frequency
    best = torch.full_like(x, 9.0)
    for mark in marks(x, y, sheet.key(), jitter=0.8):
        radius, angle = polar(mark.dx, mark.dy)
        spread = (
            torch.sin(angle * 5 + mark.a * 40)
            + torch.sin(angle * 9 + mark.b * 40)
            + torch.sin(angle * 13 + mark.d * 40)
        )
        blot = radius - (0.1 + 0.16 * mark.c) * (1 + rays * ramp(spread, 0.6, 2.6))
        spoke = angle / TAU * 17 + mark.d * 9
        thrown = line_value(torch.round(spoke) + torch.round(mark.a * 999), sheet.seeds & 0xFFFF)
        reach = 0.3 + 0.25 * thrown + 0.1 * mark.c
        drop = disc(
            radius - reach, (spoke - torch.round(spoke)) / 17 * TAU * radius, 0.012 + 0.03 * (1 - thrown)
        )
        best = torch.minimum(best, torch.minimum(blot, drop))
    return best / frequency


@SPLATTER.variant
def blots(sheet: Sheet) -> Tensor:
    picture = _ground(sheet)
    for color in sheet.colors[1:]:
        picture = _wet(sheet, picture, color, _splash(sheet, sheet.log_uniform(0.9, 1.6), 1.2))
    return picture


@SPLATTER.variant
def drips(sheet: Sheet) -> Tensor:
    """Paint that runs down from blots."""
    picture = _ground(sheet)
    for color in sheet.colors[1:3]:
        frequency = sheet.log_uniform(1.0, 1.7)
        best = _splash(sheet, frequency, 0.8) * frequency
        for mark in marks(sheet.x * frequency * 2, sheet.y * frequency, sheet.key(), jitter=0.7):
            run, along = capsule(mark.dx, mark.dy * 2, 0.0, -0.6, 0.0, 0.3 + 0.9 * mark.c)
            best = torch.minimum(best, run / 2 - 0.025 - 0.03 * mark.d - 0.02 * ramp(along, 0.8, 1.0))
        picture = _wet(sheet, picture, color, best / frequency)
    return picture


@SPLATTER.variant
def threads(sheet: Sheet) -> Tensor:
    """Flung threads of paint that cross, with drops."""
    picture = tint(sheet.colors[0], 0.25 * sheet.noise(1.0, 3)).expand(-1, -1, *sheet.x.shape[1:])
    for index in range(5):
        bent = sheet.warped(0.5, 0.9)
        field = bent.noise(sheet.log_uniform(0.8, 1.4), 2)
        (xx, yy) = torch.gradient(field, dim=(-2, -1))
        steep = torch.sqrt(xx * xx + yy * yy + 1e-8) / sheet.pixel
        line = field.abs() / steep.clamp_min(0.25) - 0.016 - 0.022 * (sheet.noise(2.0, 2)).clamp_min(-0.4)
        frequency = sheet.log_uniform(2.0, 3.5)
        for mark in marks(sheet.x * frequency, sheet.y * frequency, sheet.key(), jitter=0.9):
            drop = disc(mark.dx, mark.dy, 0.13 * mark.c**3) / frequency
            line = torch.minimum(line, drop)
            if index:
                break
        picture = _wet(sheet, picture, sheet.colors[1 + index % 3], line)
    return picture


@SPLATTER.variant
def spray(sheet: Sheet) -> Tensor:
    """Drops of all sizes, thrown from one side."""
    picture = _ground(sheet)
    for color in sheet.colors[1:]:
        stretched = sheet.turned()
        for frequency in (1.2, 3.0):
            scale = frequency * sheet.log_uniform(0.8, 1.25)
            best = torch.full_like(sheet.x, 9.0)
            for mark in marks(stretched.x * scale * 0.7, stretched.y * scale, sheet.key(), jitter=0.9):
                best = torch.minimum(
                    best, lens(mark.dx, mark.dy, 0.08 + 0.3 * mark.c**3, 0.04 + 0.16 * mark.c**3)
                )
            picture = _wet(sheet, picture, color, best / scale)
    return picture


@SPLATTER.held_out
def burst(sheet: Sheet) -> Tensor:
    """One large splash: a ragged blot and streaks away from it."""
    x, y = sheet.x - sheet.x.mean((1, 2), keepdim=True), sheet.y - sheet.y.mean((1, 2), keepdim=True)
    picture = _ground(sheet)
    for color in sheet.colors[1:3]:
        radius, angle = polar(x + sheet.uniform(-0.4, 0.4), y + sheet.uniform(-0.4, 0.4))
        count = sheet.integer(16, 26)
        spoke = angle / TAU * count
        thrown = line_value(torch.remainder(torch.round(spoke), count), sheet.key())
        blot = radius - sheet.uniform(0.2, 0.4) * (
            1 + 0.3 * sheet.at(torch.cos(angle), torch.sin(angle)).noise(2.5, 2)
        )
        side = (spoke - torch.round(spoke)) / count * TAU * radius
        streak = torch.maximum(side.abs() - 0.035 * (1.2 - radius), radius - 0.45 - 0.6 * thrown)
        drop = disc(radius - 0.55 - 0.6 * thrown, side, 0.02 + 0.05 * fraction(thrown * 7))
        picture = _wet(sheet, picture, color, torch.minimum(torch.minimum(blot, streak), drop))
    return picture
