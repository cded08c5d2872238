"""Zebra, leopard, brain coral, giraffe, fur."""

import torch
from torch import Tensor

from models.procedural import noise
from models.procedural.fields import TAU, cover, disc, ellipse, fold_angle, level, polar, ramp, turn
from models.procedural.flow import around, strokes
from models.procedural.lattice import marks, voronoi
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

ZEBRA = draws("zebra", "texture", ("f1ebe0", "1c1917"), ("e6dccb", "2a2220"), turn=3.14)


def _coat(sheet: Sheet, picture: Tensor, strength: float = 0.16) -> Tensor:
    """Short hair over a picture, and the roundness of a body."""
    hair = sheet.turned(-0.3, 0.3).noise(26.0, 2, stretch=6.0)
    return tint(picture, strength * hair + 0.16 * sheet.noise(0.8, 2))


def _forked(sheet: Sheet, frequency: Tensor) -> Tensor:
    """A wave across x whose crests fork: its phase winds around the zeros of two noises."""
    one, other, bend = sheet.noises(3, 0.9, 2)
    return torch.sin(sheet.x * frequency * TAU + torch.atan2(one, other) + 3.0 * bend)


@ZEBRA.variant
def flank(sheet: Sheet) -> Tensor:
    value = _forked(sheet, sheet.log_uniform(1.1, 2.6))
    return _coat(sheet, blend(sheet.colors[0], sheet.colors[1], level(value, sheet.uniform(-0.25, 0.25))))


@ZEBRA.variant
def tapering(sheet: Sheet) -> Tensor:
    """Stripes that swell and run out to points."""
    value = _forked(sheet, sheet.log_uniform(1.2, 2.8)) + 0.9 * sheet.noise(0.9, 2)
    return _coat(sheet, blend(sheet.colors[0], sheet.colors[1], level(value, 0.0)))


@ZEBRA.variant
def spine(sheet: Sheet) -> Tensor:
    """Stripes that meet along the back."""
    bent = sheet.warped(0.16, 1.0)
    period = 3.0
    side = bent.x - torch.round(bent.x / period) * period
    slanted = bent.y + torch.sqrt(side * side + 0.02) * sheet.uniform(0.5, 1.1)
    value = torch.sin(slanted * sheet.log_uniform(1.4, 2.8) * TAU + 1.6 * sheet.noise(1.0, 2))
    back = ramp(side.abs(), 0.06, 0.03)
    mask = torch.maximum(level(value, sheet.uniform(-0.2, 0.2)), back)
    return _coat(sheet, blend(sheet.colors[0], sheet.colors[1], mask))


@ZEBRA.variant
def with_shadow_stripes(sheet: Sheet) -> Tensor:
    """Faint stripes between the dark ones."""
    frequency = sheet.log_uniform(0.9, 1.8)
    one, other, bend = sheet.noises(3, 0.8, 2)
    phase = sheet.x * frequency * TAU + torch.atan2(one, other) + 2.5 * bend
    picture = blend(sheet.colors[0], sheet.colors[1], level(torch.sin(phase), 0.1))
    faint = level(-torch.sin(phase), 0.88)
    return _coat(sheet, blend(picture, sheet.colors[1], 0.45 * faint))


@ZEBRA.held_out
def legs(sheet: Sheet) -> Tensor:
    """Close, wavy stripes that break off."""
    bent = sheet.warped(0.22, 1.6)
    value = torch.sin(bent.x * sheet.log_uniform(2.0, 3.6) * TAU) - 0.25
    broken = value - 1.4 * ramp(sheet.noise(1.8, 2), 0.35, 0.6)
    return _coat(sheet, blend(sheet.colors[0], sheet.colors[1], level(broken, 0.0)))


LEOPARD = draws(
    "leopard", "texture", ("d9a45b", "2b1a10", "a8682c"), ("e3c08a", "1f1612", "b57a3e"), turn=3.14
)


def _blots(
    sheet: Sheet, frequency: Tensor, squeeze: float, gap: Tensor, width: Tensor, dots: float
) -> Tensor:
    """Rosettes: broken rings of an uneven outline, darker inside."""
    bent = sheet.warped(0.07, 2.4)
    ground = tint(sheet.colors[0], 0.15 * sheet.noise(0.8, 2))
    ring = torch.full_like(sheet.x, 9.0)
    inner = torch.zeros_like(sheet.x)
    for mark in marks(bent.x * frequency, bent.y * frequency * squeeze, sheet.key(), jitter=0.45):
        u, v = mark.dx, mark.dy / squeeze
        radius, angle = polar(u, v)
        outline = 0.27 + 0.06 * mark.c + 0.045 * torch.sin(angle * 3 + mark.d * 9)
        inside = radius - outline
        open_part = gap * ramp(
            torch.sin(angle * 2 + mark.c * 9) + torch.sin(angle * 3 + mark.b * 7), -0.1, 0.9
        )
        band = inside.abs() - width * (1 - 1.25 * open_part)
        if dots:
            band = torch.minimum(band, disc(u - 0.06, v - 0.04 * mark.d, 0.05 * dots))
        ring = torch.minimum(ring, band)
        inner = torch.maximum(inner, ramp(inside, 0.0, -0.1))
    picture = blend(ground, sheet.colors[2], 0.85 * inner)
    return _coat(sheet, blend(picture, sheet.colors[1], cover(ring / frequency, sheet.pixel)))


@LEOPARD.variant
def rosettes(sheet: Sheet) -> Tensor:
    return _blots(
        sheet, sheet.log_uniform(1.6, 3.6), 1.0, sheet.uniform(0.6, 1.0), sheet.uniform(0.06, 0.1), 0.0
    )


@LEOPARD.variant
def jaguar(sheet: Sheet) -> Tensor:
    """Large rosettes with a dot inside."""
    return _blots(
        sheet, sheet.log_uniform(1.2, 2.2), 1.0, sheet.uniform(0.4, 0.8), sheet.uniform(0.05, 0.08), 1.0
    )


@LEOPARD.variant
def cheetah(sheet: Sheet) -> Tensor:
    """Solid, uneven spots."""
    frequency = sheet.log_uniform(2.2, 4.5)
    bent = sheet.warped(0.06, 3.5)
    spot = torch.full_like(sheet.x, 9.0)
    for mark in marks(bent.x * frequency, bent.y * frequency, sheet.key(), jitter=0.5):
        spot = torch.minimum(spot, disc(mark.dx * (0.8 + 0.5 * mark.c), mark.dy, 0.2 + 0.12 * mark.d))
    ground = tint(
        blend(sheet.colors[0], sheet.colors[2], 0.5 + 0.5 * sheet.noise(0.7, 2)), 0.1 * sheet.noise(2.0)
    )
    return _coat(sheet, blend(ground, sheet.colors[1], cover(spot / frequency, sheet.pixel)), 0.22)


@LEOPARD.variant
def clusters(sheet: Sheet) -> Tensor:
    """Rosettes of four or five separate dabs around a darker middle."""
    frequency = sheet.log_uniform(1.5, 2.8)
    bent = sheet.warped(0.06, 2.0)
    dab = torch.full_like(sheet.x, 9.0)
    middle = torch.zeros_like(sheet.x)
    for mark in marks(bent.x * frequency, bent.y * frequency, sheet.key(), jitter=0.4):
        x, y = turn(mark.dx, mark.dy, mark.c * TAU)
        u, v, sector = fold_angle(x, y, 5.0)
        size = 0.1 + 0.025 * torch.sin(sector * 2.6 + mark.d * 9)
        dab = torch.minimum(dab, ellipse(u - 0.25, v, size * 0.8, size * 1.25))
        middle = torch.maximum(middle, ramp(disc(mark.dx, mark.dy, 0.27), 0.0, -0.1))
    ground = blend(tint(sheet.colors[0], 0.15 * sheet.noise(0.8, 2)), sheet.colors[2], 0.8 * middle)
    return _coat(sheet, blend(ground, sheet.colors[1], cover(dab / frequency, sheet.pixel)))


@LEOPARD.held_out
def snow_leopard(sheet: Sheet) -> Tensor:
    """Wide, pale, broken rings."""
    frequency = sheet.log_uniform(1.3, 2.6)
    return _blots(sheet, frequency, 1.3, sheet.uniform(0.7, 1.0), sheet.uniform(0.07, 0.11), 0.0)


CORAL = draws(
    "brain coral", "texture", ("c98a5b", "6e4a35", "e9cfa4"), ("7fa07a", "3f5a4c", "cfd9a8"), turn=3.14
)


def _meander(sheet: Sheet, low: float, high: float, lean: Tensor | None = None) -> Tensor:
    periods = sheet.log_uniform(low, high)[:, 0, 0]
    return noise.labyrinth(sheet.key(), sheet.size, periods, 4, None if lean is None else lean[:, 0, 0])


@CORAL.variant
def ridges(sheet: Sheet) -> Tensor:
    """Rounded ridges between deep grooves."""
    field = _meander(sheet, 5, 11)
    picture = blend(sheet.colors[1], sheet.colors[0], ramp(field, -0.5, 0.5))
    picture = blend(picture, sheet.colors[2], 0.7 * ramp(field, 0.6, 1.0))
    return lit(
        tint(picture, 0.1 * sheet.noise(9.0, 3)), relief(sheet, field * sheet.uniform(0.03, 0.07), gloss=0.2)
    )


@CORAL.variant
def walls(sheet: Sheet) -> Tensor:
    """Thin bright walls with a groove along their top."""
    field = _meander(sheet, 4, 8)
    picture = blend(sheet.colors[0], sheet.colors[1], ramp(field.abs(), 0.1, 0.95))
    picture = blend(picture, sheet.colors[2], 1 - level(field.abs(), 0.35))
    picture = blend(picture, sheet.colors[1], 0.6 * (1 - level(field.abs(), 0.1)))
    teeth = 0.012 * sheet.noise(20.0, 2)
    return lit(picture, relief(sheet, teeth - field.abs() * 0.05, gloss=0.1))


@CORAL.variant
def dome(sheet: Sheet) -> Tensor:
    """A head of coral, round."""
    field = _meander(sheet, 7, 12)
    x, y = sheet.x - sheet.x.mean((1, 2), keepdim=True), sheet.y - sheet.y.mean((1, 2), keepdim=True)
    radius = disc(x, y, 0.0) / disc(x, y, 0.0).amax((1, 2), keepdim=True)
    bulge = torch.sqrt((1.15 - radius * radius).clamp_min(0.02))
    picture = blend(sheet.colors[1], sheet.colors[2], level(field, 0.0))
    picture = blend(picture, sheet.colors[0], 0.35 + 0.3 * sheet.noise(1.0))
    return lit(picture, relief(sheet, field * 0.035 + bulge * 0.9, gloss=0.15))


@CORAL.variant
def flat_pattern(sheet: Sheet) -> Tensor:
    """Two flat colours, as on a puffer fish."""
    field = _meander(sheet, 5, 12) + sheet.uniform(-0.25, 0.25)
    picture = blend(sheet.colors[1], sheet.colors[2], level(field, 0.0))
    return tint(picture, 0.14 * sheet.noise(3.0, 4))


@CORAL.held_out
def combed(sheet: Sheet) -> Tensor:
    """Grooves that run mostly one way, in relief."""
    field = _meander(sheet, 6, 11, sheet.uniform(0.4, 0.65))
    picture = gradient(0.5 + 0.5 * field, [sheet.colors[1], sheet.colors[0], sheet.colors[2]])
    return lit(tint(picture, 0.12 * sheet.noise(6.0, 3)), relief(sheet, field * sheet.uniform(0.03, 0.06)))


GIRAFFE = draws(
    "giraffe", "texture", ("a5652c", "ecd9b0", "6b3a17"), ("8a4b22", "f0e2c4", "4f2a12"), turn=3.14
)


def _patches(sheet: Sheet, edge: Tensor, near: Tensor, shade: Tensor, gap: Tensor) -> Tensor:
    """Dark patches, darker in the middle, on a pale ground; ``edge`` in units."""
    patch = blend(sheet.colors[0], sheet.colors[2], ramp(near, 0.4, 0.05) * 0.7)
    patch = tint(patch, 0.3 * (shade - 0.5))
    return _coat(sheet, blend(sheet.colors[1], patch, cover(gap - edge, sheet.pixel)))


@GIRAFFE.variant
def reticulated(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.2, 2.8)
    cells = voronoi(sheet.x * frequency, sheet.y * frequency * 0.85, sheet.key(), 0.75)
    return _patches(sheet, cells.edge / frequency, cells.near, cells.a, sheet.uniform(0.05, 0.11) / frequency)


@GIRAFFE.variant
def jagged(sheet: Sheet) -> Tensor:
    """Patches like vine leaves."""
    frequency = sheet.log_uniform(1.2, 2.4)
    bent = sheet.warped(0.13, 4.5)
    cells = voronoi(bent.x * frequency, bent.y * frequency, sheet.key(), 0.75)
    _, angle = polar(cells.dx, cells.dy)
    cut = 0.05 * torch.sin(angle * 6 + cells.b * 9)
    return _patches(sheet, cells.edge / frequency, cells.near, cells.a, (0.13 + cut) / frequency)


@GIRAFFE.variant
def rounded(sheet: Sheet) -> Tensor:
    """Soft-cornered patches, wide apart."""
    frequency = sheet.log_uniform(1.3, 2.6)
    bent = sheet.warped(0.06, 1.8)
    cells = voronoi(bent.x * frequency, bent.y * frequency, sheet.key(), 0.6)
    soft = torch.minimum(cells.edge * 1.4, 0.62 - cells.near * 1.05)
    return _patches(sheet, soft / frequency, cells.near, cells.a, sheet.uniform(0.1, 0.18) / frequency)


@GIRAFFE.variant
def large_and_small(sheet: Sheet) -> Tensor:
    """Small patches in the gaps of the large ones."""
    frequency = sheet.log_uniform(1.0, 1.9)
    large = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), 0.7)
    small = voronoi(sheet.x * frequency * 2.4, sheet.y * frequency * 2.4, sheet.key(), 0.7)
    between = torch.minimum(0.22 - large.edge, (small.edge - 0.08) / 2.4)
    edge = torch.maximum(large.edge - 0.24, torch.minimum(between, 0.17 - large.edge))
    return _patches(sheet, edge / frequency, large.near, large.a, torch.full_like(frequency, 0.005))


@GIRAFFE.held_out
def split_patches(sheet: Sheet) -> Tensor:
    """Patches with cracks that run in from their rims."""
    frequency = sheet.log_uniform(1.1, 2.2)
    cells = voronoi(sheet.x * frequency, sheet.y * frequency, sheet.key(), 0.8)
    _, angle = polar(cells.dx, cells.dy)
    crack = ramp(torch.sin(angle * 5 + cells.b * 20), 0.93, 1.0) * ramp(cells.near, 0.15, 0.35)
    edge = cells.edge - 0.1 * crack
    return _patches(sheet, edge / frequency, cells.near, cells.a, sheet.uniform(0.06, 0.1) / frequency)


FUR = draws("fur", "texture", ("8b5e34", "d9b27c", "3b2413"), ("8d8a86", "dcd8d0", "3d3a37"), turn=3.14)


def _hair(sheet: Sheet, u: Tensor, v: Tensor, length: Tensor, depth: float) -> Tensor:
    """Hair along a direction: fine strokes, and locks of several hairs."""
    fine = strokes(sheet, u, v, length)[:, 0]
    locks = strokes(sheet, u, v, length * 1.3, grain=5.0)[:, 0]
    height = 0.5 * fine + 0.5 * locks
    patches = 0.5 + 0.35 * sheet.noise(0.9, 3) + 0.2 * locks
    picture = gradient(patches, [sheet.colors[2], sheet.colors[0], sheet.colors[1]])
    right, down = around(height)
    side = (right * torch.sin(sheet.uniform(0, 6)) - down) * 0.25
    return tint(picture, depth * (0.2 * height + side.clamp(-0.6, 0.6)))


@FUR.variant
def combed_fur(sheet: Sheet) -> Tensor:
    """One direction that bends slowly."""
    angle = 0.9 * sheet.noise(0.5, 2) + sheet.uniform(0, TAU)
    return _hair(sheet, torch.cos(angle), torch.sin(angle), sheet.uniform(0.05, 0.1), 1.0)


@FUR.variant
def swirls(sheet: Sheet) -> Tensor:
    """Whorls, as on a calf."""
    u, v = around(sheet.noise(0.9, 1) + 0.2 * sheet.x)
    return _hair(sheet, u, v, sheet.uniform(0.05, 0.1), 1.0)


@FUR.variant
def tufts(sheet: Sheet) -> Tensor:
    """Locks that lie over each other like shingles."""
    frequency = sheet.log_uniform(1.6, 3.2)
    bent = sheet.warped(0.1, 1.5)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    for mark in marks(bent.x * frequency, -bent.y * frequency * 0.8, sheet.key(), jitter=0.4, brick=0.5):
        u, v = mark.dx, mark.dy
        width = 0.42 * ramp(v, -0.9, 0.3)
        hairs = torch.sin(u / (width + 0.08) * 16 + mark.a * 9)
        inside = u.abs() - width + 0.05 * hairs * ramp(v, 0.2, -0.6)
        lock = blend(sheet.colors[0], sheet.colors[1], ramp(v, 0.2, -0.8) * 0.8)
        lock = tint(lock, 0.14 * hairs + 0.35 * (mark.b - 0.5) - 0.5 * ramp(v, -0.1, 0.7))
        picture = blend(picture, lock, cover(inside / frequency, sheet.pixel))
    return tint(picture, 0.2 * sheet.noise(28.0, 2, stretch=5.0))


@FUR.variant
def long_hair(sheet: Sheet) -> Tensor:
    """Long waves of hair."""
    wave = torch.sin(sheet.y * sheet.uniform(2, 4) + 1.5 * sheet.noise(0.6, 2)) * sheet.uniform(0.08, 0.2)
    bent = sheet.at(sheet.x + wave, sheet.y)
    fine, locks = bent.noise(16.0, 2, stretch=24.0), bent.noise(3.5, 2, stretch=9.0)
    picture = gradient(0.5 + 0.8 * locks, [sheet.colors[2], sheet.colors[0], sheet.colors[1]])
    return lit(tint(picture, 0.8 * fine), relief(sheet, 0.02 * fine + 0.05 * locks, gloss=0.3))


@FUR.held_out
def parted_fur(sheet: Sheet) -> Tensor:
    """Hair that falls away from both sides of a line, coarse."""
    side = torch.tanh(4 * (sheet.x - torch.round(sheet.x / 2) * 2 + 0.2 * sheet.noise(1.0, 2)))
    angle = side * sheet.uniform(0.5, 1.0) + 0.4 * sheet.noise(1.2, 2)
    return _hair(sheet, torch.sin(angle), torch.cos(angle), sheet.uniform(0.05, 0.1), 1.3)
