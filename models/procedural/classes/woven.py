"""Basket weave, knitting, wire mesh, maze, fish scales, feathers."""

import torch
from torch import Tensor

from models.procedural.fields import TAU, box, capsule, cover, disc, fraction, ramp, wave
from models.procedural.lattice import cell, line_value
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

BASKET = draws(
    "basket weave", "texture", ("c89f62", "8a5f2d", "3e2813"), ("d9bd86", "a3793f", "4a311a"), turn=3.14
)


def _strand(sheet: Sheet, along: Tensor, across: Tensor, fibres: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """One strand seen from above: height, signed distance and fibre; both coordinates in [-0.5, 0.5]."""
    inside = across.abs() - 0.44
    arch = torch.cos(along * 3.1416).clamp_min(0.05)
    profile = torch.sqrt((1 - (across / 0.46) ** 2).clamp_min(0.01))
    return profile * 0.16 + arch * 0.16, inside, torch.sin(across * fibres) * 0.12


def _weave(sheet: Sheet, frequency: Tensor, over: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Two sets of strands; where ``over`` (0 or 1) is set, the one along x lies above."""
    u, v = fraction(x) - 0.5, fraction(y) - 0.5
    shade_x = line_value(torch.floor(y), sheet.key()) - 0.5
    shade_y = line_value(torch.floor(x), sheet.key()) - 0.5
    fibres = sheet.uniform(12, 40)
    height_x, inside_x, fibre_x = _strand(sheet, u, v, fibres)
    height_y, inside_y, fibre_y = _strand(sheet, v, u, fibres)
    height = torch.lerp(height_y, height_x, over)
    inside = torch.lerp(inside_y, inside_x, over)
    color_x = tint(sheet.colors[0], 0.35 * shade_x + fibre_x)
    color_y = tint(sheet.colors[1], 0.35 * shade_y + fibre_y)
    picture = blend(sheet.colors[2], blend(color_y, color_x, over), cover(inside / frequency, sheet.pixel))
    picture = tint(picture, 0.12 * sheet.noise(7.0, 3))
    hollow = 0.55 + 0.45 * ramp(height, 0.05, 0.28)
    return lit(picture, relief(sheet, height * 0.8 / frequency, gloss=0.25) * hollow)


@BASKET.variant
def plain_weave(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.6, 5)
    x, y = sheet.x * frequency, sheet.y * frequency
    return _weave(sheet, frequency, torch.remainder(torch.floor(x) + torch.floor(y), 2), x, y)


@BASKET.variant
def twill_weave(sheet: Sheet) -> Tensor:
    """Over two, under two, a step further in each row."""
    frequency = sheet.log_uniform(2.2, 5)
    x, y = sheet.x * frequency, sheet.y * frequency
    return _weave(sheet, frequency, (torch.remainder(torch.floor(x) + torch.floor(y), 4) < 2).float(), x, y)


@BASKET.variant
def wicker(sheet: Sheet) -> Tensor:
    """Thin rods around stakes."""
    frequency = sheet.log_uniform(1.6, 3)
    rods = frequency * sheet.uniform(1.8, 2.6)
    y = sheet.y * rods
    row = torch.floor(y)
    phase = sheet.x * frequency * 3.1416 + 3.1416 * torch.remainder(row, 2)
    front = torch.sin(phase)
    v = y - row - 0.5
    height = torch.sqrt((1 - 4 * v * v).clamp_min(0.01)) * 0.2 / rods * 2 + 0.12 * front / frequency
    shade = line_value(row, sheet.key()) - 0.5
    rod = tint(sheet.colors[0], 0.35 * shade + 0.12 * sheet.noise(16.0, 2) + 0.15 * front)
    stake = tint(sheet.colors[1], 0.1 * front) * 0.6
    behind = ramp(front, -0.75, -0.9)
    picture = blend(blend(rod, stake, behind), sheet.colors[2], ramp(v.abs(), 0.4, 0.5) * 0.8)
    return lit(picture, relief(sheet, height, gloss=0.3))


@BASKET.variant
def splints(sheet: Sheet) -> Tensor:
    """Groups of three strips that cross in squares."""
    frequency = sheet.log_uniform(1.0, 2.4)
    x, y = sheet.x * frequency, sheet.y * frequency
    column, row = torch.floor(x), torch.floor(y)
    turned = torch.remainder(column + row, 2)
    u, v = x - column - 0.5, y - row - 0.5
    across, along = torch.lerp(u, v, turned), torch.lerp(v, u, turned)
    strip = fraction(across * 3 + 0.5) - 0.5
    shade, _ = cell(column * 3 + torch.floor(across * 3 + 0.5), row, sheet.key())
    arch = torch.cos(along * 3.1416)
    height = torch.sqrt((1 - 4.3 * strip**2).clamp_min(0.01)) * 0.07 + 0.12 * arch
    wood = tint(
        blend(sheet.colors[0], sheet.colors[1], shade), 0.15 * sheet.noise(10.0, 2) + 0.2 * (arch - 0.6)
    )
    gap = cover((0.45 - strip.abs()) / 3 / frequency, sheet.pixel)
    return lit(blend(wood, sheet.colors[2], gap), relief(sheet, height / frequency, gloss=0.3))


@BASKET.held_out
def broken_twill(sheet: Sheet) -> Tensor:
    """Over three, under one, and back: points instead of diagonals."""
    frequency = sheet.log_uniform(2.2, 4.5)
    x, y = sheet.x * frequency, sheet.y * frequency
    row = torch.remainder(torch.floor(y), 6)
    step = torch.minimum(row, 6 - row)
    return _weave(sheet, frequency, (torch.remainder(torch.floor(x) + step, 4) < 2).float(), x, y)


KNITTING = draws(
    "knitting", "texture", ("b8332f", "f0e6d2", "2f4b6e"), ("d8cbb2", "8b6f55", "f4eee0"), turn=3.14
)


def _stitches(sheet: Sheet, x: Tensor, y: Tensor, steep: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Rows of V: height in [0, 1], column, row, and the thread's twist."""
    column = torch.floor(x)
    u = x - column - 0.5
    slanted = y + steep * u.abs()
    row = torch.floor(slanted)
    v = slanted - row - 0.5
    leg = (u.abs() - 0.25) / 0.25
    height = torch.sqrt((1 - leg * leg).clamp_min(0.0) + 1e-3) * torch.sqrt((1 - 3.2 * v * v).clamp_min(0.02))
    return height, column, row, torch.sin((v * 2 + leg * 0.6) * 9)


def _knit(sheet: Sheet, height: Tensor, wool: Tensor, twist: Tensor, frequency: Tensor) -> Tensor:
    """Fuzzy yarn under a lamp, dark between the stitches."""
    fuzz = 0.12 * sheet.noise(26.0, 2) + 0.07 * twist
    shade = relief(sheet, height * 0.35 / frequency + 0.01 * twist / frequency, gloss=0.05)
    return lit(tint(wool, fuzz), shade * (0.35 + 0.65 * ramp(height, 0.05, 0.6)))


@KNITTING.variant
def stocking_stitch(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(2.0, 5)
    bent = sheet.warped(0.03, 2.0)
    height, _, row, twist = _stitches(
        sheet, bent.x * frequency, bent.y * frequency * 1.3, sheet.uniform(1.0, 1.6)
    )
    stripe = line_value(torch.floor(row / 3), sheet.key())
    wool = blend(sheet.colors[0], sheet.colors[1], (stripe > 0.7).float() * sheet.chance(0.5))
    return _knit(bent, height, wool, twist, frequency)


@KNITTING.variant
def fair_isle(sheet: Sheet) -> Tensor:
    """A pattern of three colours that repeats."""
    frequency = sheet.log_uniform(3.0, 5.5)
    height, column, row, twist = _stitches(
        sheet, sheet.x * frequency, sheet.y * frequency * 1.2, sheet.uniform(0.9, 1.3)
    )
    folded = (torch.remainder(column, 6) - 3).abs()
    pattern, _ = cell(folded, torch.remainder(row, 7), sheet.key())
    wool = blend(sheet.colors[0], sheet.colors[1], (pattern > 0.55).float())
    wool = blend(wool, sheet.colors[2], (pattern > 0.82).float())
    return _knit(sheet, height, wool, twist, frequency)


@KNITTING.variant
def rib(sheet: Sheet) -> Tensor:
    """Columns that stand out, and columns that sink."""
    frequency = sheet.log_uniform(2.0, 4.5)
    height, _, _, twist = _stitches(
        sheet, sheet.x * frequency, sheet.y * frequency * 1.3, sheet.uniform(1.0, 1.5)
    )
    across = fraction(sheet.x * frequency / 3)
    # 3.1416 is past pi, where the sine is below 0 and has no such power.
    ridge = torch.sin(across * 3.1416).clamp_min(0) ** 0.7
    picture = _knit(sheet, height, sheet.colors[0], twist, frequency)
    return lit(picture, relief(sheet, ridge * 0.5 / frequency, gloss=0.0) * (0.45 + 0.55 * ridge))


@KNITTING.variant
def cable(sheet: Sheet) -> Tensor:
    """Strands that cross in plaits, between plain stitches."""
    frequency = sheet.log_uniform(2.2, 4)
    x, y = sheet.x * frequency, sheet.y * frequency
    u = fraction(x / 5) * 5 - 2.5
    swing = 0.8 * torch.sin(y * 1.3)
    front = torch.cos(y * 1.3) > 0
    one, other = (u - swing) / 0.75, (u + swing) / 0.75
    rope_one = torch.sqrt((1 - one * one).clamp_min(0.0) + 1e-4)
    rope_other = torch.sqrt((1 - other * other).clamp_min(0.0) + 1e-4)
    top = torch.where(front, rope_one, rope_other)
    rope = torch.where(top > 0.3, top, torch.maximum(rope_one, rope_other) * 0.9)
    stitch, _, _, twist = _stitches(
        sheet, x + torch.where(front, -swing, swing) * (u.abs() < 1.6), y * 1.3, sheet.uniform(1.0, 1.4)
    )
    picture = _knit(sheet, stitch, sheet.colors[0], twist, frequency)
    return lit(
        picture,
        relief(sheet, rope * 0.9 / frequency, gloss=0.0)
        * (0.55 + 0.45 * ramp(rope + (u.abs() > 1.7), 0, 0.7)),
    )


@KNITTING.held_out
def moss_stitch(sheet: Sheet) -> Tensor:
    """Knit and purl by turns: small Vs beside small bows."""
    frequency = sheet.log_uniform(2.4, 4.5)
    x, y = sheet.x * frequency, sheet.y * frequency * 1.2
    height, _, _, twist = _stitches(sheet, x, y, sheet.uniform(1.0, 1.4))
    u, v = fraction(x) - 0.5, fraction(y) - 0.5
    bow = torch.sqrt((1 - ((v + u * u) / 0.3) ** 2).clamp_min(0.0) + 1e-3) * torch.sqrt(
        (1 - 4 * u * u).clamp_min(0.02)
    )
    purl = torch.remainder(torch.floor(x / 2) + torch.floor(y / 2), 2)
    wool = blend(sheet.colors[0], sheet.colors[1], 0.25 * purl)
    return _knit(sheet, torch.lerp(height, bow, purl), wool, twist, frequency)


MESH = draws("wire mesh", "texture", ("a9adb0", "5f7f4f", "8fb6d6"), ("7d7468", "8fa4b2", "3f5232"), turn=0.5)


def _behind(sheet: Sheet) -> Tensor:
    """What is seen through the mesh, out of focus."""
    return gradient(0.5 + 0.3 * sheet.spectrum(1.4, 2.2), [sheet.colors[1], sheet.colors[2]])


def _wires(sheet: Sheet, distance: Tensor, radius: Tensor, twist: Tensor | float = 0.0) -> Tensor:
    """Round wires over the ground with their shadow; ``distance`` is to their axes, in units."""
    height = torch.sqrt((radius * radius - distance * distance).clamp_min(1e-7))
    metal = tint(sheet.colors[0], 0.15 * sheet.noise(8.0, 3) + twist).expand(-1, -1, *sheet.x.shape[1:])
    metal = lit(metal, relief(sheet, height * 1.2, gloss=0.9))
    ground = _behind(sheet) * (1 - 0.4 * ramp(distance, radius * 3.0, radius * 1.0))[:, None]
    return blend(ground, metal, cover(distance - radius, sheet.pixel))


@MESH.variant
def chain_link(sheet: Sheet) -> Tensor:
    """Bent wires hooked into each other: diamonds."""
    frequency = sheet.log_uniform(1.3, 3.2)
    x, y = sheet.x * frequency, sheet.y * frequency * sheet.uniform(0.8, 1.1)
    swing = (wave(y) * 2 - 0.5) * 0.55
    here = torch.minimum((fraction(x) - 0.5 - swing).abs(), (fraction(x + 0.5) - 0.5 + swing).abs())
    return _wires(sheet, here * 0.7 / frequency, sheet.uniform(0.018, 0.035), 0.12 * torch.sin(y * 12))


@MESH.variant
def square_mesh(sheet: Sheet) -> Tensor:
    """Crimped wires, over and under."""
    frequency = sheet.log_uniform(1.8, 4.5)
    x, y = sheet.x * frequency, sheet.y * frequency
    parity = torch.remainder(torch.round(x) + torch.round(y), 2)
    across, down = wave(x), wave(y)
    radius = sheet.uniform(0.07, 0.13)
    top = torch.lerp(across, down, parity)
    under = torch.lerp(down, across, parity)
    distance = torch.where(top < radius, top, under)
    lifted = 0.2 * torch.cos(torch.where(top < radius, under, top) * TAU)
    return _wires(sheet, distance / frequency, radius / frequency, lifted - 0.1)


@MESH.variant
def chicken_wire(sheet: Sheet) -> Tensor:
    """Hexagons with twisted upright sides."""
    frequency = sheet.log_uniform(1.3, 3)
    x, y = sheet.x * frequency, sheet.y * frequency * 0.6
    row = torch.floor(y * 1.0)
    u = x - 0.5 * torch.remainder(row, 2)
    v = y - row
    upright = torch.where(v < 0.4, wave(u), (wave(u) - (v - 0.4) / 0.6 * 0.5).abs() * 0.85)
    return _wires(
        sheet,
        upright / frequency,
        sheet.uniform(0.012, 0.026),
        torch.where(v < 0.4, 0.25 * torch.sin(v * 60), 0.0),
    )


@MESH.variant
def welded_grid(sheet: Sheet) -> Tensor:
    """Rods of two thicknesses."""
    frequency, aspect = sheet.log_uniform(1.4, 3.5), sheet.uniform(1.0, 2.2)
    x, y = sheet.x * frequency, sheet.y * frequency * aspect
    radius = sheet.uniform(0.016, 0.034)
    down, across = wave(x) / frequency, wave(y) / frequency / aspect
    return _wires(sheet, torch.where(down < radius, down, across * 1.3), radius)


@MESH.held_out
def expanded_metal(sheet: Sheet) -> Tensor:
    """Flat diamonds cut from a sheet, wider at their knots."""
    frequency = sheet.log_uniform(1.5, 3)
    x, y = sheet.x * frequency, sheet.y * frequency * sheet.uniform(1.5, 2.0)
    u, v = x - torch.round(x), y - torch.round(y)
    odd = (u.abs() + v.abs() > 0.5).float()
    u, v = torch.where(odd > 0, u - torch.sign(u) * 0.5, u), torch.where(odd > 0, v - torch.sign(v) * 0.5, v)
    distance = (0.5 - torch.sqrt((u * 1.0) ** 2 + 1e-3) - v.abs()).abs() * 0.6
    return _wires(sheet, distance / frequency, sheet.uniform(0.02, 0.036))


MAZE = draws("maze", "texture", ("2b4b3a", "e6dfc8"), ("1f2430", "f0c34e"), ("efe9dc", "30405c"), turn=3.14)


def _paint_paths(sheet: Sheet, distance: Tensor, width: Tensor) -> Tensor:
    """Paths (signed by their width) on a ground, with an edge in relief."""
    inside = distance - width
    picture = blend(sheet.colors[0], sheet.colors[1], cover(inside, sheet.pixel))
    picture = tint(picture, 0.14 * sheet.noise(5.0, 4))
    return lit(picture, relief(sheet, ramp(inside, 0.02, -0.03) * sheet.uniform(0.0, 0.05), gloss=0.2))


def _arcs(sheet: Sheet, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Truchet's tile of two quarter circles, turned at random: distance to them, and a number of the tile."""
    column, row = torch.floor(x), torch.floor(y)
    a, b = cell(column, row, sheet.key())
    u, v = x - column - 0.5, y - row - 0.5
    u = torch.where(a < 0.5, u, -u)
    near = torch.minimum(disc(u - 0.5, v - 0.5, 0.5).abs(), disc(u + 0.5, v + 0.5, 0.5).abs())
    return near, b


@MAZE.variant
def quarter_arcs(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(2.0, 5)
    distance, _ = _arcs(sheet, sheet.x * frequency, sheet.y * frequency)
    return _paint_paths(sheet, distance / frequency, sheet.uniform(0.1, 0.25) / frequency)


@MAZE.variant
def diagonals(sheet: Sheet) -> Tensor:
    """One of two diagonals in every cell."""
    frequency = sheet.log_uniform(2.2, 5)
    x, y = sheet.x * frequency, sheet.y * frequency
    column, row = torch.floor(x), torch.floor(y)
    best = torch.full_like(x, 9.0)
    key = sheet.key()
    # The neighbours' ends are round, and reach into this cell at its corners.
    for i, j in ((0, 0), (1, 0), (-1, 0), (0, 1), (0, -1)):
        a, _ = cell(column + i, row + j, key)
        u, v = x - column - 0.5 - i, y - row - 0.5 - j
        distance, _ = capsule(torch.where(a < 0.5, u, -u), v, -0.5, -0.5, 0.5, 0.5)
        best = torch.minimum(best, distance)
    return _paint_paths(sheet, best / frequency, sheet.uniform(0.12, 0.2) / frequency)


@MAZE.variant
def right_angles(sheet: Sheet) -> Tensor:
    """A binary-tree maze: from every post a wall to the right or downwards."""
    frequency = sheet.log_uniform(2.2, 5)
    x, y = sheet.x * frequency, sheet.y * frequency
    column, row = torch.floor(x), torch.floor(y)
    best = torch.full_like(x, 9.0)
    key = sheet.key()
    for i, j in ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1), (1, 1), (-1, 1), (1, -1)):
        a, _ = cell(column + i, row + j, key)
        u, v = x - column - i, y - row - j
        right = (a < 0.5).float()
        best = torch.minimum(
            best, box(u - 0.5 * right, v - 0.5 * (1 - right), 0.5 * right, 0.5 * (1 - right))
        )
    return _paint_paths(sheet, best / frequency, sheet.uniform(0.14, 0.24) / frequency)


@MAZE.variant
def pipes(sheet: Sheet) -> Tensor:
    """Round tubes along the arcs."""
    frequency = sheet.log_uniform(1.8, 4)
    distance, _ = _arcs(sheet, sheet.x * frequency, sheet.y * frequency)
    radius = sheet.uniform(0.2, 0.32)
    height = torch.sqrt((radius * radius - distance * distance).clamp_min(1e-4)) / frequency
    ground = tint(sheet.colors[0], -0.4 * ramp(distance, 0.5, radius)).expand(-1, -1, *sheet.x.shape[1:])
    tube = lit(sheet.colors[1].expand_as(ground), relief(sheet, height, gloss=0.7))
    return blend(ground, tube, cover((distance - radius) / frequency, sheet.pixel))


@MAZE.held_out
def double_arcs(sheet: Sheet) -> Tensor:
    """Two parallel lines along every arc."""
    frequency = sheet.log_uniform(1.8, 3.6)
    distance, _ = _arcs(sheet, sheet.x * frequency, sheet.y * frequency)
    lines = (distance - sheet.uniform(0.13, 0.18)).abs()
    return _paint_paths(sheet, lines / frequency, sheet.uniform(0.05, 0.09) / frequency)
