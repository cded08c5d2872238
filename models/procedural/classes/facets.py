"""Stained glass, low poly."""

import torch
from torch import Tensor

from models.procedural.fields import TAU, cover, disc, fraction, polar, ramp, rotate, wave
from models.procedural.lattice import cell, line_value, voronoi
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

GLASS = draws(
    "stained glass",
    "texture",
    ("1f4fa0", "c22a2e", "f0b429", "2a8c4a"),
    ("6a2c91", "2563b8", "e7602a", "f5d547"),
    turn=3.14,
)


def _leaded(sheet: Sheet, edge: Tensor, a: Tensor, b: Tensor, lead: Tensor) -> Tensor:
    """Panes lit from behind, in round lead cames; ``edge`` is the distance to the next lead in units."""
    pane = gradient(a, [*sheet.colors, sheet.colors[0]])
    glow = 0.25 * (b - 0.3) + 0.22 * sheet.noise(2.5, 3) + 0.18 * ramp(edge, 0.0, 0.2)
    strip = lit(
        (sheet.colors[0] * 0.08 + 0.06).expand_as(pane),
        relief(sheet, ramp(edge, lead, 0.0) * 0.02, gloss=0.5),
    )
    return blend(strip, tint(pane, glow), cover(lead - edge, sheet.pixel))


@GLASS.variant
def shards(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.3, 3.2)
    cells = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), 0.95)
    return _leaded(sheet, cells.edge / frequency, cells.a, cells.b, sheet.uniform(0.022, 0.045))


@GLASS.variant
def rose_window(sheet: Sheet) -> Tensor:
    """Rings of petals around a centre."""
    sheet = sheet.at(
        sheet.x - sheet.x.mean((1, 2), keepdim=True), sheet.y - sheet.y.mean((1, 2), keepdim=True)
    )
    radius, angle = polar(sheet.x + sheet.uniform(-0.4, 0.4), sheet.y + sheet.uniform(-0.4, 0.4))
    count = sheet.integer(6, 10)
    position = radius * sheet.uniform(2.2, 3.2)
    ring = torch.floor(position)
    around = angle / TAU * count * (1 + (ring > 1).float()) + 0.5 * torch.remainder(ring, 2)
    a, b = cell(torch.remainder(torch.floor(around), 3), ring, sheet.key())
    bow = wave(around) / count * TAU * radius / (1 + (ring > 1).float())
    edge = torch.minimum(wave(position) / 2.7, torch.where(ring < 1, wave(position) / 2.7, bow))
    return _leaded(sheet, edge, a, b, sheet.uniform(0.022, 0.04))


@GLASS.variant
def quarries(sheet: Sheet) -> Tensor:
    """Diamond panes with discs set in."""
    x, y = rotate(sheet.x, sheet.y * 0.75, 0.7854)
    frequency = sheet.log_uniform(1.1, 2.4)
    x, y = x * frequency, y * frequency
    a, b = cell(torch.floor(x), torch.floor(y), sheet.key())
    u, v = x - torch.floor(x) - 0.5, y - torch.floor(y) - 0.5
    ring = disc(u, v, 0.28) + (a > 0.65).float()
    edge = torch.minimum(torch.minimum(wave(x), wave(y)), ring.abs()) / frequency
    inner = (ring < 0).float()
    return _leaded(sheet, edge, fraction(a + 0.37 * inner), b, sheet.uniform(0.02, 0.04))


@GLASS.variant
def flowing(sheet: Sheet) -> Tensor:
    """Curved bands crossed by leads."""
    bent = sheet.warped(0.35, 0.9)
    frequency = sheet.log_uniform(1.2, 2.6)
    y = bent.y * frequency
    row = torch.floor(y)
    x = bent.x * frequency * 0.6 + line_value(row, sheet.key())
    a, b = cell(torch.floor(x), row, sheet.key())
    edge = torch.minimum(wave(y), wave(x) / 0.6) / frequency
    return _leaded(sheet, edge, a, b, sheet.uniform(0.022, 0.045))


@GLASS.held_out
def shards_and_suns(sheet: Sheet) -> Tensor:
    """Shards crossed by rings of another glass."""
    frequency = sheet.log_uniform(1.2, 2.4)
    cells = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), 0.85)
    u, v = sheet.x / 1.7 - torch.round(sheet.x / 1.7), sheet.y / 1.7 - torch.round(sheet.y / 1.7)
    ring = disc(u, v, sheet.uniform(0.26, 0.36)) * 1.7
    edge = torch.minimum(cells.edge / frequency, ring.abs())
    return _leaded(sheet, edge, fraction(cells.a + 0.5 * (ring < 0)), cells.b, sheet.uniform(0.022, 0.04))


LOW_POLY = draws(
    "low poly",
    "texture",
    ("2b6f8f", "7fc8c2", "e8f0d8"),
    ("f2855e", "b0413e", "f8d49a"),
    fine=True,
    turn=3.14,
)


def _triangles(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Triangles of a sheared square lattice: distance to the border, column and row (each its own)."""
    u, v = x - 0.57735 * y, 1.1547 * y
    column, row = torch.floor(u), torch.floor(v)
    p, q = u - column, v - row
    upper = (p + q > 1).float()
    edge = (
        torch.minimum(
            torch.minimum(torch.lerp(p, 1 - p, upper), torch.lerp(q, 1 - q, upper)), (1 - p - q).abs()
        )
        * 0.866
    )
    return edge, column * 2 + upper, row


def _creased(sheet: Sheet, amount: Tensor) -> Sheet:
    """Bend the plane along straight folds, so that straight edges stay straight between them."""
    x, y = sheet.x, sheet.y
    for _ in range(2):
        x = x + amount * (wave(y * sheet.uniform(0.5, 1.1) + sheet.uniform(0, 9)) * 2 - 0.5)
        y = y + amount * (wave(x * sheet.uniform(0.5, 1.1) + sheet.uniform(0, 9)) * 2 - 0.5)
    return sheet.at(x, y)


def _facets(sheet: Sheet, value: Tensor, a: Tensor, contrast: Tensor) -> Tensor:
    """Flat facets: a place in the gradient and a light of their own."""
    return tint(gradient(value, sheet.colors), contrast * (a - 0.5))


@LOW_POLY.variant
def creased_mesh(sheet: Sheet) -> Tensor:
    bent = _creased(sheet, sheet.uniform(0.08, 0.22))
    frequency = sheet.log_uniform(1.2, 2.8)
    edge, column, row = _triangles(bent.x * frequency, bent.y * frequency)
    a, b = cell(column, row, sheet.key())
    place = (
        0.5
        + 0.4 * torch.sin(column * 0.35 / frequency + row * 0.5 / frequency + sheet.uniform(0, 6))
        + 0.25 * (b - 0.5)
    )
    picture = _facets(sheet, place, a, sheet.uniform(0.5, 1.0))
    return tint(picture, -0.12 * cover(edge / frequency - 0.004, bent.pixel))


@LOW_POLY.variant
def cut_gem(sheet: Sheet) -> Tensor:
    """The upper envelope of many planes."""
    best = torch.full_like(sheet.x, -1e3)
    second = best
    which = torch.zeros_like(sheet.x)
    cx, cy = sheet.x.mean((1, 2), keepdim=True), sheet.y.mean((1, 2), keepdim=True)
    for number in range(14):
        angle, steep = sheet.uniform(0, TAU), sheet.uniform(0.1, 1.2)
        plane = (
            (sheet.x - cx) * torch.cos(angle) * steep
            + (sheet.y - cy) * torch.sin(angle) * steep
            - 0.35 * steep * steep
        )
        which = torch.where(plane > best, float(number), which)
        second = torch.maximum(second, torch.minimum(plane, best))
        best = torch.maximum(best, plane)
    a, b = cell(which, which, sheet.key())
    picture = _facets(sheet, b, a, sheet.uniform(0.5, 0.9))
    return tint(picture, 0.35 * ramp(best - second, 0.03, 0.0))


@LOW_POLY.variant
def hills(sheet: Sheet) -> Tensor:
    """Facets shaded as a landscape: light from their side, colour from their height."""
    bent = _creased(sheet, sheet.uniform(0.05, 0.2))
    frequency = sheet.log_uniform(1.4, 3.0)
    _, column, row = _triangles(bent.x * frequency, bent.y * frequency)
    upper = torch.remainder(column, 2) - 0.5
    a, b = cell(column, row, sheet.key())
    coarse, _ = cell(torch.floor(column / 4), torch.floor(row / 2), sheet.key())
    return _facets(
        sheet, 0.7 * coarse + 0.3 * b, 0.5 + 0.5 * upper + 0.7 * (a - 0.5), sheet.uniform(0.4, 0.8)
    )


@LOW_POLY.variant
def crystal(sheet: Sheet) -> Tensor:
    """Cells cut into wedges around their points, each wedge with its own light."""
    frequency = sheet.log_uniform(0.9, 1.9)
    cells = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), 0.9)
    _, angle = polar(cells.dx, cells.dy)
    wedge = torch.floor(angle / TAU * 5 + cells.a)
    a, b = cell(wedge, torch.floor(cells.a * 4096), sheet.key())
    return tint(
        _facets(sheet, 0.6 * cells.b + 0.4 * b, a, sheet.uniform(0.5, 0.9)), 0.2 * ramp(cells.edge, 0.03, 0.0)
    )


@LOW_POLY.held_out
def two_meshes(sheet: Sheet) -> Tensor:
    """A coarse mesh and a fine one, their lights multiplied."""
    bent = _creased(sheet, sheet.uniform(0.1, 0.25))
    frequency = sheet.log_uniform(0.8, 1.4)
    _, column, row = _triangles(bent.x * frequency, bent.y * frequency)
    coarse, place = cell(column, row, sheet.key())
    x, y = rotate(bent.x, bent.y, 0.5)
    _, column, row = _triangles(x * frequency * 2.3, y * frequency * 2.3)
    fine, _ = cell(column, row, sheet.key())
    return _facets(sheet, place, 0.6 * coarse + 0.4 * fine, sheet.uniform(0.7, 1.1))
