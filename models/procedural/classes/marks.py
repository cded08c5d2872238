"""Brush strokes, cross-hatching, pointillism."""

import math

import torch
from torch import Tensor

from models.procedural.fields import (
    TAU,
    box,
    cover,
    disc,
    polar,
    ramp,
    rotate,
    turn,
    wave,
)
from models.procedural.flow import around, strokes
from models.procedural.lattice import cell, marks, voronoi
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

BRUSH = draws(
    "brush strokes",
    "texture",
    ("d9722e", "2f5f8f", "f0d9a0", "7a3040"),
    ("3f7f6a", "e3b23c", "c9543a", "20304a"),
    turn=3.14,
)


def _laid_strokes(
    sheet: Sheet, frequency: Tensor, wander: Tensor, length: Tensor | float, width: Tensor | float
) -> Tensor:
    """Three layers of strokes with bristle marks, in relief."""
    picture = gradient(0.5 + 0.5 * sheet.noise(0.8, 2), sheet.colors)
    height = torch.zeros_like(sheet.x)
    base, wave_x, wave_y = sheet.uniform(0, TAU), sheet.uniform(-2, 2), sheet.uniform(-2, 2)
    for layer in range(3):
        scale = frequency * (1.0 + 0.35 * layer)
        x, y = sheet.x * scale, sheet.y * scale
        for mark in marks(x, y, sheet.key(), jitter=0.8):
            cx, cy = (x - mark.dx) / scale, (y - mark.dy) / scale
            angle = base + wander * torch.sin(cx * wave_x + cy * wave_y) + 0.5 * (mark.c - 0.5)
            u, v = turn(mark.dx, mark.dy, angle)
            v = v + 0.25 * (mark.a - 0.5) * u * u
            bristles = torch.sin(v * 55 + mark.b * 40) * 0.5 + torch.sin(v * 97 + mark.d * 40) * 0.5
            inside = box(u + 0.03 * bristles, v, length, width, width * 0.5) + 0.02 * bristles * ramp(
                u, 0.0, 0.5
            )
            place = (
                0.5 + 0.4 * torch.sin(cx * wave_y * 0.9 - cy * wave_x + base) + 0.5 * (mark.d - 0.5)
            ).clamp(0, 1)
            paint = tint(gradient(place, sheet.colors), 0.12 * bristles + 0.3 * (mark.c - 0.5))
            mask = cover(inside / scale, sheet.pixel)
            picture = blend(picture, paint, mask)
            height = torch.lerp(
                height, (0.5 + 0.25 * bristles + 0.4 * mark.b) * ramp(inside, 0.0, -0.1), mask
            )
    return lit(picture, relief(sheet, height * 0.03 / frequency, gloss=0.3))


@BRUSH.variant
def daubs(sheet: Sheet) -> Tensor:
    return _laid_strokes(
        sheet, sheet.log_uniform(1.8, 3.6), sheet.uniform(0.2, 1.5), 0.55, sheet.uniform(0.17, 0.28)
    )


@BRUSH.variant
def palette_knife(sheet: Sheet) -> Tensor:
    """Broad slabs of paint."""
    return _laid_strokes(
        sheet, sheet.log_uniform(1.1, 2.0), sheet.uniform(0.0, 0.5), 0.48, sheet.uniform(0.28, 0.4)
    )


@BRUSH.variant
def wet_paint(sheet: Sheet) -> Tensor:
    """One coat of mixed colours, drawn along curves."""
    u, v = around(sheet.noise(0.8, 1) + 0.4 * sheet.x)
    smeared = strokes(sheet, u, v, sheet.uniform(0.07, 0.1), grain=2.2, channels=2)
    broad = strokes(sheet, u, v, sheet.uniform(0.08, 0.1), grain=7.0)[:, 0]
    picture = gradient(0.5 + 0.25 * broad + 0.12 * smeared[:, 0] + 0.3 * sheet.noise(0.7, 2), sheet.colors)
    return lit(picture, relief(sheet, 0.012 * smeared[:, 1] + 0.012 * broad, gloss=0.4))


@BRUSH.variant
def dry_brush(sheet: Sheet) -> Tensor:
    """A few long strokes across, broken by the grain of the paper."""
    paper = tint(sheet.colors[2], 0.12 * sheet.noise(14.0, 2))
    tooth = sheet.noise(14.0, 2)
    for _ in range(5):
        x, y = rotate(sheet.x, sheet.y, sheet.uniform(-0.3, 0.3))
        v = (
            y
            - torch.round(y / 2.2) * 2.2
            - sheet.uniform(-1, 1)
            + 0.1 * torch.sin(x * 1.5 + sheet.uniform(0, 6))
        )
        hair = sheet.at(x, v).noise(1.0, 2, stretch=0.04)
        load = (
            sheet.uniform(0.1, 0.8)
            + 0.5 * torch.sin(x * sheet.uniform(0.6, 1.5) + sheet.uniform(0, 6))
            + 1.7 * hair
            + 0.4 * tooth
        )
        mask = ramp(load, 0.1, 0.4) * cover(v.abs() - sheet.uniform(0.15, 0.4), sheet.pixel * 2)
        paint = blend(sheet.colors[0], sheet.colors[1], (sheet.chance(0.5) * 0.9 + 0.3 * hair).clamp(0, 1))
        paper = blend(paper, blend(paint, sheet.colors[3], sheet.chance(0.3)), mask)
    return paper


@BRUSH.held_out
def short_dashes(sheet: Sheet) -> Tensor:
    """Thin curved dashes that follow each other."""
    return _laid_strokes(
        sheet, sheet.log_uniform(2.0, 3.2), sheet.uniform(1.0, 2.2), 0.6, sheet.uniform(0.11, 0.16)
    )


HATCHING = draws(
    "cross-hatching", "texture", ("f2ead8", "2a2622"), ("e9e2d0", "3b2f4a"), ("efe6cf", "5a2f1c"), turn=3.14
)


def _shadow_tone(sheet: Sheet) -> Tensor:
    """How dark the drawing is: lit balls and soft folds, in [0, 1]."""
    period = 2.2
    u, v = sheet.x - torch.round(sheet.x / period) * period, sheet.y - torch.round(sheet.y / period) * period
    radius = sheet.uniform(0.5, 0.9)
    ball = ((u * 0.7 + v * 0.7) / radius * 0.6 + 0.5).clamp(0.05, 1)
    outside = 0.5 + 0.45 * sheet.noise(0.9, 2)
    return torch.where(u * u + v * v < radius * radius, ball, outside * 0.75)


def _lines(sheet: Sheet, position: Tensor, frequency: Tensor, width: Tensor) -> Tensor:
    """Pen lines across ``position``; width in periods, none where it is not positive."""
    pressure = width * (1 + 0.35 * sheet.noise(4.0, 2))
    return cover((wave(position * frequency) - pressure) / frequency, sheet.pixel) * ramp(width, 0.0, 0.06)


def _hatched(sheet: Sheet, tone: Tensor, frequency: Tensor, angles: tuple[float, ...], bent: float) -> Tensor:
    """Layers of lines, each from a darker tone on."""
    first = sheet.uniform(0, TAU)
    ink = torch.zeros_like(sheet.x)
    shaky = sheet.warped(0.015 + bent, 1.5 if bent else 5.0)
    for layer, angle in enumerate(angles):
        x, _ = rotate(shaky.x, shaky.y, first + angle)
        start = 0.12 + layer * 0.62 / len(angles)
        width = ((tone - start) * 0.55).clamp(-0.1, 0.24)
        ink = torch.maximum(ink, _lines(sheet, x, frequency * (1 + 0.06 * layer), width))
    return blend(tint(sheet.colors[0], 0.08 * sheet.noise(5.0, 4)), sheet.colors[1], 0.92 * ink)


@HATCHING.variant
def three_angles(sheet: Sheet) -> Tensor:
    return _hatched(sheet, _shadow_tone(sheet), sheet.log_uniform(6, 11), (0.0, 1.05, 2.1), 0.0)


@HATCHING.variant
def right_angles(sheet: Sheet) -> Tensor:
    return _hatched(sheet, _shadow_tone(sheet) * 1.15, sheet.log_uniform(6, 11), (0.0, 1.5708), 0.0)


@HATCHING.variant
def engraved(sheet: Sheet) -> Tensor:
    """Curved lines, as on banknotes."""
    return _hatched(sheet, _shadow_tone(sheet), sheet.log_uniform(6, 10), (0.0, 1.2), 0.14)


@HATCHING.variant
def sketched_patches(sheet: Sheet) -> Tensor:
    """Patches of short lines, each at its own angle, over one another."""
    ink = torch.zeros_like(sheet.x)
    tone = _shadow_tone(sheet)
    lines = sheet.log_uniform(5, 9)
    for _ in range(3):
        frequency = sheet.log_uniform(1.0, 1.8)
        cells = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), 0.9)
        x, _ = turn(sheet.x, sheet.y, cells.a * math.pi)
        width = (tone + 0.5 * (cells.b - 0.5) - 0.2).clamp(-0.1, 0.5) * 0.35 * ramp(cells.edge, -0.02, 0.06)
        ink = torch.maximum(ink, _lines(sheet, x, lines, width))
    return blend(tint(sheet.colors[0], 0.08 * sheet.noise(5.0, 4)), sheet.colors[1], 0.9 * ink)


@HATCHING.held_out
def lozenge_shading(sheet: Sheet) -> Tensor:
    """Two sets of lines at a sharp angle, with dots in the gaps of the darks."""
    tone = _shadow_tone(sheet)
    picture = _hatched(sheet, tone, sheet.log_uniform(5, 8), (0.0, 0.55), 0.05)
    frequency = sheet.log_uniform(7, 10)
    u, v = (
        sheet.x * frequency - torch.round(sheet.x * frequency),
        sheet.y * frequency - torch.round(sheet.y * frequency),
    )
    dot = cover((disc(u, v, 0.0) - 0.25 * ramp(tone, 0.5, 0.9)) / frequency, sheet.pixel) * (tone > 0.5)
    return blend(picture, sheet.colors[1], dot)


POINTILLISM = draws(
    "pointillism",
    "texture",
    ("2f6fae", "f2c14e", "e8713c", "3f8f5a"),
    ("f5e6b8", "6a9fd0", "c95f7a", "4a7f4f"),
    turn=3.14,
)


def _dabs(sheet: Sheet, tone: Tensor, frequency: Tensor, size: float, layers: int, contrast: float) -> Tensor:
    """Dots in layers, each coloured near the ``tone`` at it, with strays from the whole palette."""
    picture = tint(gradient(tone, sheet.colors), 0.1 * sheet.noise(8.0, 2))
    for _ in range(layers):
        turned = sheet.turned()
        x, y = turned.x * frequency, turned.y * frequency
        for mark in marks(x, y, sheet.key(), jitter=0.7):
            inside = disc(mark.dx, mark.dy * (0.8 + 0.4 * mark.d), size * (0.7 + 0.6 * mark.c))
            stray = (mark.a > 0.75).float() * (mark.b - 0.5) * 1.6
            color = tint(
                gradient((tone + stray + 0.25 * (mark.d - 0.5)).clamp(0, 1), sheet.colors),
                contrast * (mark.c - 0.5),
            )
            picture = blend(picture, color, cover(inside / frequency, sheet.pixel))
    return picture


@POINTILLISM.variant
def dabs(sheet: Sheet) -> Tensor:
    tone = (0.5 + 0.6 * sheet.noise(0.7, 3)).clamp(0, 1)
    return _dabs(sheet, tone, sheet.log_uniform(4.0, 7), 0.4, 2, 0.7)


@POINTILLISM.variant
def landscape_in_dots(sheet: Sheet) -> Tensor:
    """Bands of sky, water and land."""
    bent = sheet.y + 0.15 * sheet.noise(0.8, 2)
    period = wave(bent / 2.4) * 2
    return _dabs(sheet, ramp(period, 0.1, 0.9), sheet.log_uniform(4.5, 8), 0.38, 2, 0.7)


@POINTILLISM.variant
def on_bare_ground(sheet: Sheet) -> Tensor:
    """Dots well apart on a pale ground."""
    frequency = sheet.log_uniform(4.0, 7)
    picture = tint(sheet.colors[0] * 0.3 + 0.65, 0.06 * sheet.noise(8.0, 2)).expand(
        -1, -1, *sheet.x.shape[1:]
    )
    tone = (0.5 + 0.6 * sheet.noise(0.8, 2)).clamp(0, 1)
    for mark in marks(sheet.x * frequency, sheet.y * frequency, sheet.key(), jitter=0.6):
        color = gradient((tone + 0.5 * (mark.b - 0.5)).clamp(0, 1), sheet.colors[1:])
        inside = disc(mark.dx, mark.dy, 0.2 + 0.2 * mark.c)
        picture = blend(picture, color, cover(inside / frequency, sheet.pixel))
    return picture


@POINTILLISM.variant
def around_a_light(sheet: Sheet) -> Tensor:
    """Dots in rings around lamps."""
    period = 2.0
    u, v = sheet.x - torch.round(sheet.x / period) * period, sheet.y - torch.round(sheet.y / period) * period
    radius, angle = polar(u, v)
    rings = sheet.uniform(7, 11)
    ring = torch.round(radius * rings)
    count = torch.floor(ring * TAU * 0.9).clamp_min(1)
    along = angle / TAU * count
    a, b = cell(torch.round(along), ring, sheet.key())
    dot = disc((radius - ring / rings), (along - torch.round(along)) / count * TAU * radius, 0.0)
    color = gradient((1 - radius * 0.8 + 0.5 * (a - 0.5)).clamp(0, 1), sheet.colors)
    ground = tint(gradient((1 - radius * 0.8).clamp(0, 1), sheet.colors), -0.3)
    return blend(ground, tint(color, 0.4 * (b - 0.4)), cover(dot - (0.34 + 0.15 * a) / rings, sheet.pixel))


@POINTILLISM.held_out
def large_and_small_dabs(sheet: Sheet) -> Tensor:
    """Large and small dots, in contrast."""
    tone = (0.5 + 0.5 * torch.sin(sheet.x * 1.4 + 1.5 * sheet.noise(0.6, 2))).clamp(0, 1)
    coarse = _dabs(sheet, tone, sheet.log_uniform(3.0, 4.5), 0.3, 1, 0.6)
    fine = _dabs(sheet, 1 - tone, sheet.log_uniform(6.0, 9), 0.34, 1, 0.6)
    return blend(coarse, fine, ramp(sheet.noise(1.6, 2), -0.1, 0.1))
