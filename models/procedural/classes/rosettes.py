"""Cobweb, mandala."""

import math

import torch
from torch import Tensor

from models.procedural.fields import (
    TAU,
    capsule,
    cover,
    disc,
    fold_angle,
    fraction,
    level,
    polar,
    ramp,
    rotate,
    wave,
)
from models.procedural.lattice import cell
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

COBWEB = draws(
    "cobweb",
    "scene",
    ("f2f2ee", "cfd6d8", "2f3b33", "6b7a63"),
    ("e8ecef", "b4bdc2", "23262e", "5a5148"),
    turn=3.14,
)


def _web(
    sheet: Sheet, spokes: Tensor, rings: Tensor, sag: Tensor, spiral: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Distance to the nearest thread in units, radius, and place around the capture threads."""
    radius, angle = polar(sheet.x, sheet.y)
    uneven = (
        angle
        + 0.12 * torch.sin(angle * 2 + sheet.uniform(0, 6))
        + 0.06 * torch.sin(angle * 5 + sheet.uniform(0, 6))
    )
    position = uneven / TAU * spokes
    spoke = wave(position) * TAU * radius / spokes
    middle = wave(position + 0.5)
    chord = radius * (1 + sag * (0.25 - middle * middle) * 4) * rings + spiral * angle / TAU
    chord = chord + 0.15 * torch.sin(torch.floor(position) * 2.4)
    ring = torch.where((radius < 0.12) | (radius > 0.93), 1.0, wave(chord) / rings)
    return torch.minimum(spoke, ring), radius, chord


def _garden(sheet: Sheet) -> Tensor:
    """What lies behind the web, out of focus."""
    return gradient(0.5 + 0.25 * sheet.spectrum(1.5, 2.3), [sheet.colors[2], sheet.colors[3]])


def _thread(
    sheet: Sheet, distance: Tensor, radius: Tensor, extent: Tensor, strength: Tensor | float
) -> Tensor:
    """Fine threads over the ground, never thinner than what a pixel can show."""
    width = sheet.uniform(0.007, 0.016)
    mask = cover(distance - torch.maximum(width, 0.45 * sheet.pixel), sheet.pixel)
    shine = 0.25 * sheet.noise(2.0, 2)
    picture = tint(blend(sheet.colors[1], sheet.colors[0], (0.6 + shine).clamp(0, 1)), shine)
    return blend(_garden(sheet), picture, mask * cover(radius - extent, sheet.pixel) * strength)


@COBWEB.variant
def orb_web(sheet: Sheet) -> Tensor:
    sheet = sheet.off_center(0.35)
    distance, radius, _ = _web(
        sheet, sheet.integer(10, 18), sheet.uniform(6, 11), sheet.uniform(0.1, 0.22), 0.0
    )
    return _thread(sheet, distance, radius, sheet.uniform(1.0, 1.6), 0.95)


@COBWEB.variant
def torn_web(sheet: Sheet) -> Tensor:
    """Holes where something flew through."""
    sheet = sheet.off_center(0.35)
    bent = sheet.warped(0.06, 1.5)
    distance, radius, _ = _web(bent, sheet.integer(9, 15), sheet.uniform(5, 9), sheet.uniform(0.1, 0.25), 0.0)
    hole = ramp(sheet.noise(1.2, 3), -0.45, -0.38)
    return _thread(bent, distance, radius, sheet.uniform(1.0, 1.5), hole)


@COBWEB.variant
def dewy_web(sheet: Sheet) -> Tensor:
    """Drops on all the threads."""
    sheet = sheet.off_center(0.35)
    spokes, rings = sheet.integer(9, 14), sheet.uniform(5, 8)
    distance, radius, chord = _web(sheet, spokes, rings, sheet.uniform(0.12, 0.2), 0.0)
    picture = _thread(sheet, distance, radius, sheet.uniform(1.0, 1.4), 0.8)
    _, angle = polar(sheet.x, sheet.y)
    ring = torch.round(chord)
    beads = torch.floor(ring.abs() * 2.5 + 6)
    drop = disc(
        (chord - ring) / rings, wave(angle / TAU * beads) * TAU * radius / beads, sheet.uniform(0.018, 0.03)
    )
    bead = cover(drop, sheet.pixel) * cover(radius - 0.93, sheet.pixel) * (radius > 0.12)
    return blend(picture, (sheet.colors[0] * 1.05).clamp(0, 1), bead)


@COBWEB.variant
def corner_web(sheet: Sheet) -> Tensor:
    """A quarter of a web, hung in a corner: few spokes, deep sag."""
    corner = sheet.at((sheet.x + 1.0) * 0.6, (sheet.y + 1.0) * 0.6)
    distance, radius, _ = _web(
        corner, sheet.integer(22, 30), sheet.uniform(7, 10), sheet.uniform(0.15, 0.3), 0.0
    )
    quarter = ramp(torch.minimum(corner.x, corner.y), -0.01, 0.01)
    return _thread(corner, distance, radius, sheet.uniform(0.9, 1.2), quarter)


@COBWEB.held_out
def spiral_web(sheet: Sheet) -> Tensor:
    """One capture thread that winds outwards, the hub off to one side."""
    sheet = sheet.off_center(0.35)
    shifted = sheet.at(sheet.x + 0.2 + 0.15 * sheet.x * sheet.x, sheet.y)
    distance, radius, _ = _web(
        shifted, sheet.integer(12, 20), sheet.uniform(7, 12), sheet.uniform(0.08, 0.2), 1.0
    )
    return _thread(shifted, distance, radius, sheet.uniform(1.0, 1.5), 0.95)


MANDALA = draws(
    "mandala",
    "scene",
    ("7a1f4b", "e8a33d", "f5e9cf", "1f6f78"),
    ("243b6b", "d9603b", "f2d9a0", "4a8c6a"),
    turn=3.14,
)


@MANDALA.variant
def petal_rings(sheet: Sheet) -> Tensor:
    """Rings of petals, each ring over the next one out."""
    sheet = sheet.off_center(0.12)
    picture = tint(sheet.colors[0], 0.12 * sheet.noise(2.0, 3)).expand(-1, -1, *sheet.x.shape[1:])
    count = sheet.integer(6, 12)
    turn = 0.0
    for ring in range(4):
        reach = 1.15 - 0.27 * ring
        x, y = rotate(sheet.x, sheet.y, turn * math.pi / count)
        u, v, _ = fold_angle(x, y, count)
        wide = reach * torch.sin(math.pi / count) * sheet.uniform(0.75, 1.05)
        petal = torch.maximum(disc(u - reach * 0.55, v * reach * 0.5 / wide, reach * 0.42), u - reach)
        color = sheet.colors[(ring + 1) % 4]
        shaded = tint(color, 0.35 * (u / reach - 0.6) - 0.35 * ramp(v.abs(), 0.03, 0.0))
        shaded = blend(
            shaded, sheet.colors[(ring + 2) % 4], ramp(petal, -0.07, -0.05) * ramp(petal, -0.02, -0.035)
        )
        picture = blend(picture, shaded, cover(petal, sheet.pixel))
        turn = 1.0 - turn
    radius, _ = polar(sheet.x, sheet.y)
    return blend(picture, sheet.colors[2], cover(radius - 0.13, sheet.pixel))


@MANDALA.variant
def harmonics(sheet: Sheet) -> Tensor:
    """Level lines of a mirrored wave."""
    sheet = sheet.off_center(0.12)
    u, v, _ = fold_angle(sheet.x, sheet.y, sheet.integer(6, 12))
    v = v.abs()
    value = torch.zeros_like(u)
    for _ in range(4):
        a, b = sheet.uniform(-9, 9), sheet.uniform(-9, 9)
        value = (
            value + torch.sin(a * u + b * v + sheet.uniform(0, 6)) + 0.5 * torch.sin(sheet.uniform(6, 14) * u)
        )
    picture = gradient(
        0.5 + 0.5 * torch.sin(value * 0.8), [sheet.colors[0], sheet.colors[3], sheet.colors[2]]
    )
    return blend(picture, sheet.colors[1], level(torch.cos(value * sheet.uniform(1.5, 2.5)), 0.75))


@MANDALA.variant
def dot_mandala(sheet: Sheet) -> Tensor:
    """Dots on rings, larger further out, each with a dot inside."""
    sheet = sheet.off_center(0.12)
    radius, angle = polar(sheet.x, sheet.y)
    picture = tint(sheet.colors[0] * 0.7, 0.12 * sheet.noise(2.0, 3)).expand(-1, -1, *sheet.x.shape[1:])
    position = torch.log(radius / 0.1 + 1e-6) * sheet.uniform(3.0, 3.8)
    ring = torch.round(position)
    count = sheet.integer(10, 16)
    around = angle / TAU * count + 0.5 * torch.remainder(ring, 2)
    size = radius * torch.minimum(TAU / count, torch.full_like(count, 0.31))
    dot = disc((position - ring) / 3.4 * radius, (around - torch.round(around)) * radius * TAU / count, 0.0)
    choice, _ = cell(ring, ring, sheet.key())
    outer = gradient(choice, sheet.colors[1:])
    inner = gradient(fraction(choice + 0.4), sheet.colors)
    picture = blend(picture, outer, cover(dot - 0.4 * size, sheet.pixel))
    return blend(picture, inner, cover(dot - (0.12 + 0.16 * choice) * size, sheet.pixel))


@MANDALA.variant
def lace(sheet: Sheet) -> Tensor:
    """Drawn lines: arches, circles and spokes."""
    sheet = sheet.off_center(0.12)
    count = sheet.integer(8, 14)
    u, v, _ = fold_angle(sheet.x, sheet.y, count)
    v = v.abs()
    line = torch.full_like(u, 9.0)
    for ring in range(5):
        center = 0.18 + 0.22 * ring + sheet.uniform(-0.03, 0.03)
        size = center * torch.tan(math.pi / count) * sheet.uniform(0.7, 1.3)
        line = torch.minimum(line, disc(u - center, v, size).abs())
        line = torch.minimum(line, disc(u - center - size, v, size * 0.4).abs())
        joined, _ = capsule(u, v, center, 0.0, center + 0.2, size)
        line = torch.minimum(line, joined)
    ground = gradient(fraction(polar(u, v)[0] * sheet.uniform(0.8, 1.6)), [sheet.colors[0], sheet.colors[3]])
    return blend(ground, sheet.colors[2], cover(line - sheet.uniform(0.012, 0.025), sheet.pixel))


@MANDALA.held_out
def star_rosette(sheet: Sheet) -> Tensor:
    """Interlaced star polygons, as on tiles."""
    sheet = sheet.off_center(0.12)
    count = sheet.integer(6, 10)
    picture = tint(sheet.colors[0], 0.1 * sheet.noise(3.0)).expand(-1, -1, *sheet.x.shape[1:])
    for ring in range(4):
        u, v, _ = fold_angle(sheet.x, sheet.y, count)
        reach = 1.1 - 0.27 * ring
        point = u + v.abs() * sheet.uniform(0.8, 1.8) - reach
        shaded = tint(sheet.colors[(ring + 1) % 4], torch.where(v > 0, 0.12, -0.12))
        picture = blend(picture, sheet.colors[2], cover((point - 0.04) * 0.6, sheet.pixel))
        picture = blend(picture, shaded, cover(point * 0.6, sheet.pixel))
    return picture
