"""Marble, wood grain, water caustics, sand ripples, tree bark."""

import torch
from torch import Tensor

from models.procedural.fields import TAU, cover, disc, ellipse, fraction, polar, ramp, slope, wave
from models.procedural.lattice import cell, line_value, marks, voronoi
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, dark_to_light, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

MARBLE = draws("marble", "texture", ("f1eeea", "8d8f94", "3e4046"), ("1f3d33", "6fa58c", "dfeae0"), turn=3.14)


def _veins(sheet: Sheet, frequency: Tensor | float, sharp: float) -> Tensor:
    """1 on thin wandering lines, falling off beside them."""
    bent = sheet.warped(0.28, 1.1, 3)
    return torch.exp(-bent.noise(frequency, 3).abs() * sharp)


@MARBLE.variant
def carrara(sheet: Sheet) -> Tensor:
    """Grey veins on a pale ground."""
    ground = blend(
        sheet.colors[0], sheet.colors[1], (0.25 + 0.35 * sheet.warped(0.4, 0.8, 3).noise(0.8, 4)).clamp(0, 1)
    )
    thick, thin = _veins(sheet, 0.9, 16.0), _veins(sheet, 1.8, 28.0)
    strength = ramp(sheet.noise(0.7, 2), -0.5, 0.3)
    return blend(blend(ground, sheet.colors[1], 0.6 * thin), sheet.colors[2], 0.85 * thick * strength)


@MARBLE.variant
def turbulent(sheet: Sheet) -> Tensor:
    """Perlin's marble: a wave shifted by noise."""
    turn = sheet.turned()
    phase = turn.x * sheet.log_uniform(0.8, 2.0) * TAU + sheet.uniform(4, 8) * sheet.noise(1.0, 5, 0.55)
    value = (0.5 + 0.5 * torch.sin(phase)).clamp_min(0)
    picture = gradient(value**0.7, [sheet.colors[2], sheet.colors[1], sheet.colors[0]])
    return tint(picture, 0.08 * sheet.noise(6.0, 3))


@MARBLE.variant
def breccia(sheet: Sheet) -> Tensor:
    """Broken pieces in a dark cement."""
    bent = sheet.warped(0.22, 2.0, 3)
    frequency = sheet.log_uniform(1.2, 2.6)
    cells = voronoi(bent.x * frequency, bent.y * frequency, sheet.key(), 1.0)
    piece = tint(
        blend(sheet.colors[0], sheet.colors[1], cells.a), 0.25 * (cells.b - 0.5) + 0.12 * bent.noise(3.0, 4)
    )
    vein = torch.exp(-cells.edge * 14.0 * (0.6 + cells.a))
    return blend(piece, sheet.colors[2], vein * 0.9)


@MARBLE.variant
def marbled_paper(sheet: Sheet) -> Tensor:
    """Inks combed through each other."""
    bent = sheet.warped(0.35, 0.9).warped(0.25, 1.6)
    comb = bent.y + 0.22 * torch.sin(bent.x * sheet.uniform(4, 8))
    position = comb * sheet.log_uniform(3.0, 6.0) + 0.5 * bent.noise(1.2, 2)
    band, part = torch.floor(position), fraction(position)
    key = sheet.key()
    value = torch.lerp(line_value(band, key), line_value(band + 1, key), ramp(part, 0.7, 1.0))
    return tint(gradient(value, sheet.colors), 0.06 * sheet.noise(8.0, 2))


@MARBLE.held_out
def onyx(sheet: Sheet) -> Tensor:
    """Translucent layers with hair-thin veins across them."""
    bent = sheet.warped(0.3, 0.9, 4)
    value = 0.5 + 0.3 * torch.sin(bent.x * sheet.uniform(2, 5)) + 0.25 * bent.noise(1.5, 4)
    picture = gradient(value, [sheet.colors[1], sheet.colors[0], sheet.colors[2]])
    return blend(picture, sheet.colors[0], 0.8 * _veins(sheet, 1.1, 30.0))


WOOD = draws(
    "wood grain", "texture", ("c48a4f", "8a5426", "4b2a12"), ("d9b283", "a8763e", "5f3c1d"), turn=3.14
)


def _grain(sheet: Sheet, rings: Tensor, frequency: Tensor) -> Tensor:
    """Colours of growth rings: light early wood that darkens to a sharp edge; fibres along x."""
    position = rings * frequency
    growth = fraction(position)
    value = ramp(growth, 0.3, 0.85) ** 2 * ramp(growth, 1.0, 0.85)
    fibre = sheet.noise(0.9, 2, stretch=0.055)
    picture = gradient(0.12 + 0.6 * value + 0.1 * fibre, [sheet.colors[0], sheet.colors[1], sheet.colors[2]])
    pores = ramp(sheet.at(sheet.x, sheet.y * 1.0).noise(2.0, 1, stretch=0.11), 0.5, 0.8)
    return tint(
        picture, 0.3 * fibre - 0.35 * pores + 0.1 * (line_value(torch.floor(position), sheet.key()) - 0.5)
    )


@WOOD.variant
def flat_sawn(sheet: Sheet) -> Tensor:
    """Long arches."""
    bent = sheet.warped(0.12, 0.7)
    arch = torch.sqrt((bent.y * 1.0) ** 2 + (0.25 * (bent.x - torch.round(bent.x / 6) * 6)) ** 2 + 0.02)
    return _grain(sheet, arch + 0.05 * sheet.noise(1.0, 2, stretch=0.3), sheet.log_uniform(3.0, 7))


@WOOD.variant
def with_knots(sheet: Sheet) -> Tensor:
    """Grain that flows around knots."""
    apart = sheet.uniform(1.2, 2.0)
    shift, knots = torch.zeros_like(sheet.x), torch.full_like(sheet.x, 9.0)
    for mark in marks(sheet.x / apart, sheet.y / apart, sheet.key(), jitter=0.7):
        around = disc(mark.dx * 0.7, mark.dy, 0.0) * apart
        present = (mark.c > 0.35).float()
        shift = shift + present * 0.12 * torch.tanh(mark.dy * 6) * torch.exp(-around * around * 12)
        knots = torch.minimum(knots, around + (1 - present) * 9)
    picture = _grain(
        sheet, sheet.y + shift * 2.0 + 0.06 * sheet.noise(0.9, 2, stretch=0.4), sheet.log_uniform(3.0, 6)
    )
    size = sheet.uniform(0.08, 0.16)
    rings = 0.2 * torch.sin(knots / size * 16)
    knot = tint(blend(sheet.colors[1], sheet.colors[2], ramp(knots, size, 0.0)), rings)
    return blend(picture, knot, ramp(knots, size * 1.15, size * 0.85))


@WOOD.variant
def planks(sheet: Sheet) -> Tensor:
    """Boards with gaps, each from another tree."""
    frequency = sheet.log_uniform(1.0, 2.4)
    row = torch.floor(sheet.y * frequency)
    a, b = cell(row, row, sheet.key())
    own = sheet.at(sheet.x + a * 17, sheet.y + b * 5)
    bent = own.warped(0.08, 0.8)
    rings = (
        torch.sqrt(((sheet.y * frequency - row - 0.5 * b) / frequency) ** 2 + (0.1 * bent.x) ** 2)
        + 0.1 * bent.y
    )
    picture = tint(_grain(own, rings, sheet.log_uniform(4, 8)), 0.35 * (a - 0.5))
    gap = wave(sheet.y * frequency) / frequency
    return picture * (1 - 0.75 * cover(gap - 0.014, sheet.pixel))[:, None]


@WOOD.variant
def end_grain(sheet: Sheet) -> Tensor:
    """A sawn trunk: rings around a pith, with cracks."""
    x, y = sheet.x - sheet.x.mean((1, 2), keepdim=True), sheet.y - sheet.y.mean((1, 2), keepdim=True)
    bent = sheet.at(x + sheet.uniform(-0.5, 0.5), y + sheet.uniform(-0.5, 0.5)).warped(0.06, 1.4)
    radius, angle = polar(bent.x, bent.y)
    position = radius * sheet.log_uniform(6, 11) + 0.25 * sheet.noise(2.0, 2)
    ring = fraction(position)
    width = line_value(torch.floor(position), sheet.key())
    picture = gradient(0.15 + 0.6 * ramp(ring, 0.2, 0.95) * ramp(ring, 1.0, 0.93), sheet.colors)
    picture = tint(picture, 0.2 * (width - 0.5) + 0.14 * sheet.noise(12.0, 3) - 0.12 * radius)
    split = wave(angle / TAU * sheet.integer(3, 5) + 0.1 * sheet.noise(2.0, 2)) * radius
    crack = cover(split - 0.035 * ramp(radius, 0.0, 0.6), sheet.pixel)
    return picture * (1 - 0.7 * crack)[:, None]


@WOOD.held_out
def wavy_veneer(sheet: Sheet) -> Tensor:
    """Straight fine grain with flames of light across it."""
    bent = sheet.warped(0.05, 1.2)
    picture = _grain(bent, bent.y + 0.06 * torch.sin(bent.x * 1.5), sheet.log_uniform(4, 9))
    flame = torch.sin(bent.x * sheet.uniform(5, 10) + 2.0 * sheet.noise(1.2, 3))
    return tint(picture, 0.16 * flame)


CAUSTICS = draws(
    "water caustics", "texture", ("0f5c7a", "2fa7b8", "e6fbf4"), ("0b3f66", "3d9bd1", "f2fdff"), turn=3.14
)


def _pool(sheet: Sheet, light: Tensor) -> Tensor:
    """Light on the floor of clear water; ``light`` in about [0, 1]."""
    floor = (0.25 * sheet.noise(0.6, 3)).clamp(-0.3, 0.3)
    return gradient((0.2 + 0.75 * light + floor).clamp(0, 1), dark_to_light(sheet.colors))


@CAUSTICS.variant
def net_of_light(sheet: Sheet) -> Tensor:
    """Bent cell borders, two nets over each other."""
    light = torch.zeros_like(sheet.x)
    for scale in (1.0, 1.7):
        bent = sheet.warped(0.18 / scale, 1.6 * scale)
        frequency = sheet.log_uniform(1.3, 2.4) * scale
        cells = voronoi(bent.x * frequency, bent.y * frequency, sheet.key(), 0.8)
        light = light + torch.exp(-cells.edge * 11) * (0.75 / scale)
    return _pool(sheet, light)


@CAUSTICS.variant
def folded_light(sheet: Sheet) -> Tensor:
    """The plane folded over itself twice: bright where the folds are, since there the map has no area."""
    frequency = sheet.log_uniform(1.0, 1.7)
    bent = sheet.warped(0.5 / frequency, frequency).warped(0.22 / frequency, frequency * 1.8)
    (xx, xy), (yx, yy) = slope(bent.x), slope(bent.y)
    area = (xx * yy - xy * yx).abs() / (sheet.pixel * sheet.pixel)
    return _pool(sheet, 0.32 / (area + 0.3))


@CAUSTICS.variant
def pool_tiles(sheet: Sheet) -> Tensor:
    """A tiled floor seen through the surface."""
    dx, dy = sheet.noises(2, 1.8, 2)
    bent = sheet.at(sheet.x + 0.06 * dx, sheet.y + 0.06 * dy)
    frequency = sheet.log_uniform(1.2, 2.6)
    cells = voronoi(sheet.x * 1.8 + dx * 0.5, sheet.y * 1.8 + dy * 0.5, sheet.key(), 0.8)
    light = torch.exp(-cells.edge * 12)
    joint = torch.minimum(wave(bent.x * frequency), wave(bent.y * frequency)) / frequency
    a, _ = cell(torch.floor(bent.x * frequency), torch.floor(bent.y * frequency), sheet.key())
    picture = tint(_pool(sheet, 0.15 + 0.8 * light), 0.2 * (a - 0.5))
    return tint(picture, 0.3 * cover(joint - 0.015, sheet.pixel))


@CAUSTICS.variant
def glitter_lines(sheet: Sheet) -> Tensor:
    """Thin bright level lines of a warped surface."""
    bent = sheet.warped(0.25, 1.2)
    first, second = bent.noises(2, sheet.log_uniform(1.8, 3.2), 2)
    light = torch.exp(-first.abs() * 9) * 0.7 + torch.exp(-second.abs() * 11) * 0.6
    return _pool(sheet, light + 0.3 * torch.exp(-(first * first + second * second) * 14))


@CAUSTICS.held_out
def focused(sheet: Sheet) -> Tensor:
    """The true thing: how a wavy surface focuses parallel light, to first order."""
    frequency = sheet.log_uniform(1.5, 2.8)
    surface = sheet.warped(0.1, 1.5).noise(frequency, 2, 0.35)
    right, down = slope(surface)
    (xx, _), (_, yy) = slope(right), slope(down)
    curve = (xx + yy) / (sheet.pixel * sheet.pixel * frequency * frequency)
    light = 0.16 / ((0.4 + 0.11 * curve).abs() + 0.14)
    return _pool(sheet, light.clamp(0, 1.1))


SAND = draws(
    "sand ripples", "texture", ("e0bd86", "b98a52", "8a6136"), ("d8c4a2", "ab8f68", "6f5a40"), turn=3.14
)


def _dune(sheet: Sheet, phase: Tensor, steep: Tensor, height: Tensor | float, frequency: Tensor) -> Tensor:
    """Ridges with a long windward and a short lee side, of sand."""
    part = fraction(phase)
    profile = torch.where(part < steep, part / steep, (1 - part) / (1 - steep))
    profile = ramp(profile, 0.0, 1.0)
    grains = 0.002 * sheet.noise(40.0, 1)
    shade = relief(sheet, profile * height / frequency + grains, gloss=0.0)
    picture = gradient(0.75 - 0.5 * profile + 0.2 * sheet.noise(0.8, 3), sheet.colors)
    return lit(tint(picture, 0.1 * sheet.noise(36.0, 1)), shade)


@SAND.variant
def wind_ripples(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(2.0, 5)
    bend = sheet.noise(0.8, 3) * sheet.uniform(0.15, 0.4) + 0.05 * sheet.noise(3.0, 2)
    return _dune(
        sheet, (sheet.y + bend) * frequency, sheet.uniform(0.65, 0.82), sheet.uniform(0.25, 0.45), frequency
    )


@SAND.variant
def forked_ripples(sheet: Sheet) -> Tensor:
    """Crests that split and join."""
    frequency = sheet.log_uniform(1.8, 4)
    one, other, bend = sheet.noises(3, 0.7, 2)
    phase = sheet.y * frequency + torch.atan2(one, other) / TAU + 0.5 * bend
    return _dune(sheet, phase, sheet.uniform(0.6, 0.8), sheet.uniform(0.25, 0.4), frequency)


@SAND.variant
def dunes(sheet: Sheet) -> Tensor:
    """Large crests with sharp shadows, small ripples on their backs."""
    frequency = sheet.log_uniform(0.7, 1.3)
    phase = (sheet.y + 0.3 * sheet.noise(0.7, 2)) * frequency
    part = fraction(phase)
    lee = ramp(part, 0.72, 0.76) * ramp(part, 1.0, 0.9)
    small = torch.sin((sheet.y * 0.4 + sheet.x + 0.2 * sheet.noise(1.0, 2)) * 28) * 0.012 * (1 - lee)
    shade = relief(sheet, ramp(part, 0.0, 0.75) * 0.3 * ramp(part, 1.0, 0.75) / frequency + small, gloss=0.0)
    picture = gradient(0.3 + 0.3 * sheet.noise(0.7, 3), sheet.colors)
    return lit(picture, shade * (1 - 0.45 * lee))


@SAND.variant
def crossed_ripples(sheet: Sheet) -> Tensor:
    """Two systems of waves: a net of hollows."""
    frequency = sheet.log_uniform(1.6, 3.2)
    first = torch.sin((sheet.y + 0.2 * sheet.noise(0.9, 2)) * frequency * TAU)
    second = torch.sin((0.8 * sheet.x + 0.5 * sheet.y + 0.2 * sheet.noise(0.9, 2)) * frequency * 5.0)
    height = torch.maximum(first, second * sheet.uniform(0.5, 1.0)) * 0.07 / frequency
    picture = gradient(0.4 + 0.25 * first, sheet.colors)
    return lit(tint(picture, 0.12 * sheet.noise(36.0, 1)), relief(sheet, height * 1.6, gloss=0.0))


@SAND.held_out
def tongues(sheet: Sheet) -> Tensor:
    """Short crescents in staggered rows."""
    frequency = sheet.log_uniform(1.8, 3.4)
    x = sheet.x * frequency * 0.7
    row = sheet.y * frequency + 0.25 * sheet.noise(1.0, 2)
    bow = (
        0.35 * torch.cos((x + 0.5 * torch.remainder(torch.floor(row), 2)) * TAU) * ramp(wave(row), 0.0, 0.25)
    )
    return _dune(sheet, row + bow, sheet.uniform(0.65, 0.8), sheet.uniform(0.25, 0.4), frequency)


BARK = draws(
    "tree bark", "texture", ("7a6149", "4a3828", "a8917a"), ("8b857c", "4b4640", "bdb5a8"), turn=0.25
)


@BARK.variant
def furrowed(sheet: Sheet) -> Tensor:
    """Deep upright furrows that fork."""
    frequency = sheet.log_uniform(1.8, 3.6)
    bent = sheet.warped(0.1, 1.5)
    ridge = 1 - bent.noise(frequency, 4, 0.55, stretch=3.2).abs() * 2.2
    height = ramp(ridge, 0.0, 1.0)
    picture = gradient(1 - ridge.clamp(0, 1), [sheet.colors[1] * 0.7, sheet.colors[0], sheet.colors[2]])
    rough = 0.02 * sheet.noise(12.0, 3, stretch=2.0)
    return lit(
        tint(picture, 0.25 * sheet.noise(9.0, 3)),
        relief(sheet, rough - height * 0.14 / frequency * 2, gloss=0.0),
    )


@BARK.variant
def plates(sheet: Sheet) -> Tensor:
    """A pine's: flakes between dark cracks."""
    frequency = sheet.log_uniform(1.4, 2.8)
    bent = sheet.warped(0.1, 2.5)
    cells = voronoi(bent.x * frequency, bent.y * frequency * 0.45, sheet.key(), 0.95)
    layers = 0.02 * sheet.warped(0.1, 2.0).noise(2.5, 3)
    height = ramp(cells.edge, 0.0, 0.14) * 0.12 / frequency + layers
    plate = tint(blend(sheet.colors[0], sheet.colors[2], cells.a), layers * 6 + 0.2 * sheet.noise(9.0, 3))
    picture = blend(sheet.colors[1] * 0.6, plate, ramp(cells.edge, 0.02, 0.09))
    return lit(picture, relief(sheet, height, gloss=0.0))


@BARK.variant
def birch(sheet: Sheet) -> Tensor:
    """Smooth, with dark horizontal dashes and scars."""
    frequency = sheet.log_uniform(1.8, 3.4)
    light = dark_to_light(sheet.colors)
    picture = tint(light[2], 0.12 * sheet.noise(2.0, 4, stretch=0.3)).clamp(0, 1)
    for mark in marks(sheet.x * frequency * 0.7, sheet.y * frequency * 2, sheet.key(), jitter=0.9):
        dash = ellipse(mark.dx, mark.dy, 0.08 + 0.35 * mark.c * mark.c, 0.06 + 0.1 * mark.d * mark.c)
        picture = blend(picture, light[0], cover(dash / frequency, sheet.pixel) * 0.9)
    scar = ramp(sheet.warped(0.1, 3.0).noise(0.9, 3, stretch=0.6), 0.45, 0.6)
    rough = tint(light[1], 0.4 * sheet.noise(7.0, 3))
    return lit(blend(picture, rough, scar), relief(sheet, 0.04 * scar * sheet.noise(6.0, 3), gloss=0.0))


@BARK.variant
def ropes(sheet: Sheet) -> Tensor:
    """Interlaced ridges in long diamonds, as on an ash."""
    frequency = sheet.log_uniform(1.6, 2.8)
    bent = sheet.warped(0.09, 1.8)
    x, y = bent.x * frequency, bent.y * frequency * 0.4
    swing = 0.42 * (wave(y) * 2 - 0.5)
    near = torch.minimum(wave(x + swing), wave(x + 0.5 - swing))
    height = torch.sqrt((0.16 - near).clamp_min(0.0) + 1e-3)
    picture = gradient(
        (0.9 - near * 3.5).clamp(0, 1), [sheet.colors[1] * 0.6, sheet.colors[0], sheet.colors[2]]
    )
    rough = 0.02 * sheet.noise(9.0, 3, stretch=2.0)
    return lit(
        tint(picture, 0.3 * sheet.noise(8.0, 3, stretch=2.5)),
        relief(sheet, height * 0.3 / frequency + rough, gloss=0.0),
    )


@BARK.held_out
def shaggy(sheet: Sheet) -> Tensor:
    """Long strips that peel away, with shadows under them."""
    frequency = sheet.log_uniform(1.6, 2.8)
    bent = sheet.warped(0.08, 1.4)
    x = bent.x * frequency
    strip = torch.floor(x)
    shift = line_value(strip, sheet.key())
    part = fraction(bent.y * 0.5 + shift)
    curl = fraction(x) * 0.5 + 0.4 * part
    picture = tint(blend(sheet.colors[0], sheet.colors[2], curl), 0.3 * sheet.noise(12.0, 3, stretch=5.0))
    dark = torch.maximum(ramp(fraction(x), 0.14, 0.0), ramp(part, 0.08, 0.0))
    shade = relief(sheet, curl * 0.3 / frequency + 0.015 * sheet.noise(10.0, 2, stretch=4.0), gloss=0.0)
    return lit(picture, shade * (1 - 0.75 * dark))
