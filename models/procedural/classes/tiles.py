"""Brick wall, honeycomb, cobblestones."""

import torch
from torch import Tensor

from models.procedural.fields import box, cover, disc, fraction, polar, ramp
from models.procedural.lattice import cell, line_value, marks, voronoi
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

BRICK = draws(
    "brick wall", "texture", ("a8462f", "8a3626", "c9bfae"), ("b5603f", "7d3b2c", "8f867a"), turn=0.25
)


def _laid(sheet: Sheet, rows: Tensor, aspect: Tensor, shift: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Offsets from the middle of a brick in units, and its column and row; ``shift`` per row in bricks."""
    y = sheet.y * rows
    row = torch.floor(y)
    x = sheet.x * rows / aspect - shift * row
    column = torch.floor(x)
    return (x - column - 0.5) * aspect / rows, (y - row - 0.5) / rows, column, row


def _bricks(sheet: Sheet, inside: Tensor, column: Tensor, row: Tensor, depth: Tensor | float) -> Tensor:
    """Bricks of two mixed colours set in mortar; ``inside`` is the signed distance to their outlines."""
    shade, kind = cell(column, row, sheet.key())
    clay = blend(sheet.colors[0], sheet.colors[1], kind)
    clay = tint(clay, 0.5 * (shade - 0.5) + 0.2 * sheet.noise(6.0, 4, 0.65))
    mortar = tint(sheet.colors[2], 0.2 * sheet.noise(12.0, 3, 0.7))
    height = ramp(inside, 0.0, -0.04) * depth
    rough = height + 0.006 * sheet.noise(14.0, 2)
    return lit(blend(mortar, clay, cover(inside, sheet.pixel)), relief(sheet, rough, gloss=0.05))


@BRICK.variant
def running_bond(sheet: Sheet) -> Tensor:
    rows = sheet.log_uniform(2.2, 6)
    shift = torch.where(sheet.chance(0.75) > 0, 0.5, 0.3333)
    aspect = sheet.uniform(1.9, 3.2)
    u, v, column, row = _laid(sheet, rows, aspect, shift)
    gap = sheet.uniform(0.03, 0.09) / rows
    rough = 0.008 * sheet.noise(12.0, 2)
    return _bricks(
        sheet, box(u, v, aspect / 2 / rows - gap, 0.5 / rows - gap, gap * 0.5) + rough, column, row, 0.03
    )


@BRICK.variant
def flemish(sheet: Sheet) -> Tensor:
    """Long and short bricks by turns."""
    rows = sheet.log_uniform(2.2, 5)
    y = sheet.y * rows
    row = torch.floor(y)
    x = sheet.x * rows / 3.3 - 0.5 * torch.remainder(row, 2)
    column = torch.floor(x)
    u = (x - column) * 3.3
    long = (u < 2.2).float()
    u = u - torch.where(long > 0, 1.1, 2.75)
    gap = sheet.uniform(0.04, 0.09)
    inside = box(u, y - row - 0.5, torch.where(long > 0, 1.1, 0.55) - gap, 0.5 - gap, 0.05) / rows
    return _bricks(sheet, inside, column * 2 + long, row, sheet.uniform(0.01, 0.04))


@BRICK.variant
def old_wall(sheet: Sheet) -> Tensor:
    """Uneven bricks, plaster left in places."""
    bent = sheet.warped(0.03, 3.0)
    rows, aspect = sheet.log_uniform(2.4, 5), sheet.uniform(1.8, 2.8)
    u, v, column, row = _laid(bent, rows, aspect, torch.full_like(rows, 0.5))
    lost, _ = cell(column, row, sheet.key())
    gap = (0.05 + 0.08 * lost) / rows
    inside = box(u, v, aspect / 2 / rows - gap, 0.5 / rows - gap, 0.12 / rows) + 0.012 * sheet.noise(9.0, 3)
    picture = _bricks(bent, inside, column, row, 0.035)
    plaster = ramp(sheet.noise(1.0, 4) - sheet.uniform(0.1, 0.6), 0.0, 0.06)
    return blend(picture, tint(sheet.colors[2], 0.12 * sheet.noise(5.0, 4)), plaster)


@BRICK.variant
def glazed(sheet: Sheet) -> Tensor:
    """Bevelled, glossy bricks with thin joints."""
    rows, aspect = sheet.log_uniform(1.8, 4.5), sheet.uniform(1.8, 2.4)
    u, v, column, row = _laid(sheet, rows, aspect, torch.full_like(rows, 0.5))
    gap = 0.035 / rows
    inside = box(u, v, aspect / 2 / rows - gap, 0.5 / rows - gap)
    height = ramp(inside, 0.0, -0.13 / rows) * 0.1 / rows
    shade, _ = cell(column, row, sheet.key())
    tile = tint(sheet.colors[0], 0.3 * (shade - 0.5) + 0.06 * sheet.noise(2.0, 3))
    return lit(blend(sheet.colors[2], tile, cover(inside, sheet.pixel)), relief(sheet, height, gloss=0.8))


@BRICK.held_out
def mixed_lengths(sheet: Sheet) -> Tensor:
    """Bricks whose lengths change from row to row, in deep shadowy joints."""
    rows = sheet.log_uniform(2.4, 5)
    row = torch.floor(sheet.y * rows)
    length, shift = 1.6 + 1.6 * line_value(row, sheet.key()), line_value(row, sheet.key())
    x = sheet.x * rows / length + shift
    column = torch.floor(x)
    gap = sheet.uniform(0.05, 0.1) / rows
    u, v = (x - column - 0.5) * length / rows, sheet.y - (row + 0.5) / rows
    inside = box(u, v, length / 2 / rows - gap, 0.5 / rows - gap, gap) + 0.006 * sheet.noise(10.0, 2)
    picture = _bricks(sheet, inside, column, row, 0.05)
    return picture * (1 - 0.45 * ramp(inside, -0.01, 0.03))[:, None]


HONEYCOMB = draws(
    "honeycomb", "texture", ("e8a317", "8a4b08", "fbd65e"), ("d98c10", "5c3106", "f6c945"), turn=3.14
)


def _hexagons(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Regular hexagons of width 1: distance to the border (negative inside), offset, column and row."""
    tall = 1.7320508
    ax, ay = torch.round(x), torch.round(y / tall) * tall
    bx, by = torch.floor(x) + 0.5, (torch.floor(y / tall) + 0.5) * tall
    nearer = ((x - ax) ** 2 + (y - ay) ** 2) < ((x - bx) ** 2 + (y - by) ** 2)
    cx, cy = torch.where(nearer, ax, bx), torch.where(nearer, ay, by)
    u, v = x - cx, y - cy
    edge = torch.maximum(u.abs(), 0.5 * u.abs() + 0.8660254 * v.abs()) - 0.5
    return edge, u, v, cx * 2, torch.round(cy / tall * 2)


@HONEYCOMB.variant
def wax_comb(sheet: Sheet) -> Tensor:
    """Open cells: bright rims, walls that fall into the dark."""
    frequency = sheet.log_uniform(1.8, 5)
    bent = sheet.warped(0.03, 2.5)
    edge, _, v, column, row = _hexagons(bent.x * frequency, bent.y * frequency)
    wall = sheet.uniform(0.04, 0.09)
    shade, _ = cell(column, row, sheet.key())
    deep = ramp(edge + wall, 0.0, -0.35)
    cells = tint(blend(sheet.colors[0], sheet.colors[1], deep), 0.3 * (shade - 0.5) + 0.5 * v * deep)
    rim = lit(sheet.colors[2].expand_as(cells), relief(bent, ramp(edge, -wall * 1.4, 0.0) * 0.1 / frequency))
    return blend(rim, cells, cover((edge + wall) / frequency, bent.pixel))


@HONEYCOMB.variant
def full_of_honey(sheet: Sheet) -> Tensor:
    """Domed, glossy cells, some capped."""
    frequency = sheet.log_uniform(1.6, 4)
    edge, _, _, column, row = _hexagons(sheet.x * frequency, sheet.y * frequency)
    shade, capped = cell(column, row, sheet.key())
    height = torch.sqrt((-edge - 0.03).clamp_min(1e-4)) * 0.4 / frequency + 0.01 * sheet.noise(5.0, 2)
    honey = tint(blend(sheet.colors[0], sheet.colors[2], (capped > 0.7).float()), 0.4 * (shade - 0.5))
    picture = blend(sheet.colors[1], honey, cover((edge + 0.06) / frequency, sheet.pixel))
    return lit(picture, relief(sheet, height, gloss=0.9))


@HONEYCOMB.variant
def hexagonal_tiles(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.5, 4.5)
    edge, _, _, column, row = _hexagons(sheet.x * frequency, sheet.y * frequency)
    shade, kind = cell(column, row, sheet.key())
    tile = tint(gradient(kind, sheet.colors), 0.3 * (shade - 0.5) + 0.12 * sheet.noise(4.0, 4))
    joint = sheet.colors[1] * 0.7
    return blend(joint, tile, cover((edge + sheet.uniform(0.03, 0.07)) / frequency, sheet.pixel))


@HONEYCOMB.variant
def lattice_of_wax(sheet: Sheet) -> Tensor:
    """Only the walls, before a ground that glows."""
    frequency = sheet.log_uniform(2.0, 5)
    bent = sheet.warped(0.05, 2.0)
    edge, _, _, _, _ = _hexagons(bent.x * frequency, bent.y * frequency)
    ground = gradient(0.5 + 0.5 * sheet.noise(0.8, 3), [sheet.colors[0], sheet.colors[2]])
    wall = tint(sheet.colors[1], 0.15 * sheet.noise(8.0, 2))
    shadow = 1 - 0.3 * ramp(edge, -0.3, -0.05)
    return blend(
        ground * shadow[:, None], wall, cover(-(edge + sheet.uniform(0.05, 0.13)) / frequency, bent.pixel)
    )


@HONEYCOMB.held_out
def comb_in_rings(sheet: Sheet) -> Tensor:
    """Cells with an inner rim and a round, dark hole."""
    frequency = sheet.log_uniform(1.6, 4)
    edge, u, v, column, row = _hexagons(sheet.x * frequency, sheet.y * frequency)
    shade, _ = cell(column, row, sheet.key())
    hole = disc(u, v, sheet.uniform(0.24, 0.36))
    picture = blend(
        sheet.colors[1] * 0.9,
        tint(sheet.colors[2], 0.3 * (shade - 0.5)),
        cover((edge + 0.05) / frequency, sheet.pixel),
    )
    inner = blend(sheet.colors[0], sheet.colors[1], ramp(hole, 0.0, -0.3))
    picture = blend(picture, inner, cover(hole / frequency, sheet.pixel))
    return lit(picture, relief(sheet, -ramp(hole, 0.05, -0.1) * 0.08 / frequency))


COBBLES = draws(
    "cobblestones", "texture", ("8c8880", "6b665f", "37332e"), ("a39a8b", "7b7266", "4a4239"), turn=3.14
)


def _stones(
    sheet: Sheet, inside: Tensor, a: Tensor, b: Tensor, roundness: Tensor, frequency: Tensor
) -> Tensor:
    """Rounded stones in dark joints; ``inside`` in units, positive in a stone."""
    height = (
        torch.sqrt((1 - (1 - inside * frequency * roundness).clamp(0, 1) ** 2).clamp_min(1e-3))
        * 0.22
        / frequency
    )
    height = height + 0.012 * sheet.noise(9.0, 3)
    stone = tint(
        blend(sheet.colors[0], sheet.colors[1], a),
        0.4 * (b - 0.5) + 0.2 * sheet.noise(7.0, 4),
        0.12 * (a - 0.5),
    )
    picture = blend(sheet.colors[2], stone, cover(0.05 / frequency - inside, sheet.pixel))
    return lit(picture, relief(sheet, height, gloss=0.15))


@COBBLES.variant
def set_at_random(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.6, 4.2)
    cells = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), sheet.uniform(0.55, 0.9))
    return _stones(sheet, cells.edge / frequency, cells.a, cells.b, sheet.uniform(2.2, 3.5), frequency)


@COBBLES.variant
def in_rows(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.8, 4)
    bent = sheet.warped(0.06, 2.0)
    y = bent.y * frequency
    row = torch.floor(y)
    x = bent.x * frequency * (0.7 + 0.5 * line_value(row, sheet.key())) + line_value(row, sheet.key())
    a, b = cell(torch.floor(x), row, sheet.key())
    inside = -box(fraction(x) - 0.5, y - row - 0.5, 0.46, 0.46, 0.25) / frequency
    return _stones(bent, inside + 0.04 / frequency, a, b, sheet.uniform(2.5, 4), frequency)


@COBBLES.variant
def pebbles(sheet: Sheet) -> Tensor:
    """Round stones that lie on one another."""
    frequency = sheet.log_uniform(1.6, 3.6)
    bent = sheet.turned()
    picture = tint(sheet.colors[2], 0.2 * sheet.noise(9.0, 3)).expand(-1, -1, *sheet.x.shape[1:])
    height = torch.zeros_like(sheet.x)
    for mark in marks(bent.x * frequency, bent.y * frequency, sheet.key(), jitter=0.6):
        u, v = mark.dx, mark.dy
        inside = disc(u * (0.8 + 0.5 * mark.c), v * (1.3 - 0.5 * mark.c), 0.42 + 0.12 * mark.d)
        covered = cover(inside / frequency, sheet.pixel)
        dome = torch.sqrt((-inside).clamp_min(1e-3)) * 0.5
        color = tint(
            blend(sheet.colors[0], sheet.colors[1], mark.a),
            0.5 * (mark.b - 0.5) - 0.4 * ramp(inside, -0.12, 0.0),
        )
        picture = blend(picture, color, covered)
        height = torch.lerp(height, dome / frequency, covered)
    return lit(tint(picture, 0.12 * sheet.noise(8.0, 4)), relief(sheet, height, gloss=0.3))


@COBBLES.variant
def fan(sheet: Sheet) -> Tensor:
    """Setts laid in arcs."""
    frequency = sheet.log_uniform(2.2, 4.2)
    reach = 2.2
    x = sheet.x - torch.round(sheet.x / reach) * reach
    radius, angle = polar(x, sheet.y - torch.floor(sheet.y / reach) * reach + 0.8)
    ring = torch.floor(radius * frequency)
    around = angle * (ring + 0.5) * 1.0 + line_value(ring, sheet.key())
    a, b = cell(torch.floor(around), ring, sheet.key())
    inside = -box(fraction(around) - 0.5, fraction(radius * frequency) - 0.5, 0.45, 0.45, 0.2) / frequency
    return _stones(sheet, inside + 0.03 / frequency, a, b, sheet.uniform(3, 4), frequency)


@COBBLES.held_out
def flagstones(sheet: Sheet) -> Tensor:
    """Large flat stones with moss between them."""
    frequency = sheet.log_uniform(1.3, 2.6)
    bent = sheet.warped(0.05, 3.0)
    cells = voronoi(bent.x * frequency, bent.y * frequency, sheet.key(), 0.9)
    return _stones(bent, cells.edge / frequency, cells.a, cells.b, sheet.uniform(4.5, 7), frequency)
