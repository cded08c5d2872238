"""Stripes, chequerboard, polka dots, halftone."""

import torch
from torch import Tensor

from models.procedural.fields import bands, cover, disc, level, ramp, rotate, wave
from models.procedural.lattice import cell, marks
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

STRIPES = draws(
    "stripes", "texture", ("f4efe4", "b3262e", "2a3f77"), ("f6f2e7", "1f3d7a", "c23b38"), turn=3.14
)


@STRIPES.variant
def awning(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.8, 7)
    mask = bands(sheet.x, frequency, sheet.uniform(0.35, 0.6), sheet.pixel)
    folds = 1 + 0.12 * torch.sin(sheet.x * frequency * 1.57 + sheet.uniform(0, 6)) + 0.06 * sheet.noise(3.0)
    return (blend(sheet.colors[0], sheet.colors[1], mask) * folds[:, None]).clamp(0, 1)


@STRIPES.variant
def ticking(sheet: Sheet) -> Tensor:
    """Wide stripes between pairs of thin ones, on cloth."""
    frequency = sheet.log_uniform(1.3, 3.0)
    wide = bands(sheet.x, frequency, sheet.uniform(0.2, 0.35), sheet.pixel)
    position = wave(sheet.x * frequency) - sheet.uniform(0.3, 0.42)
    thin = cover((position.abs() - 0.035) / frequency, sheet.pixel)
    thread = sheet.at(sheet.x * 3, sheet.y).noise(14.0, 2, stretch=6.0)
    picture = blend(blend(sheet.colors[0], sheet.colors[1], wide), sheet.colors[2], thin)
    return tint(picture, 0.12 * thread)


@STRIPES.variant
def painted_boards(sheet: Sheet) -> Tensor:
    """Bands of random widths and three colours, brushed."""
    frequency = sheet.log_uniform(2.5, 6)
    bent = sheet.warped(0.02, 4.0)
    across = bent.x * frequency
    shifted = across + 0.35 * torch.sin(across * 1.7 + sheet.uniform(0, 6))
    steps = torch.remainder(torch.floor(shifted), 3)
    edge = cover(-wave(shifted) / frequency + sheet.pixel * 0.7, sheet.pixel)
    picture = torch.where((steps == 0)[:, None], sheet.colors[0], sheet.colors[1])
    picture = torch.where((steps == 2)[:, None], sheet.colors[2], picture)
    return tint(picture, 0.1 * sheet.noise(9.0, 3, stretch=8.0) - 0.35 * (1 - edge))


@STRIPES.variant
def corrugated(sheet: Sheet) -> Tensor:
    """Round ribs under a lamp, every second one painted."""
    frequency = sheet.log_uniform(2.0, 5.0)
    across = sheet.x * frequency
    height = torch.sqrt((0.25 - wave(across + 0.5) ** 2 * 0.98).clamp_min(1e-3)) / frequency
    mask = cover((wave(across / 2) - 0.25) * 2 / frequency, sheet.pixel)
    picture = blend(sheet.colors[0], sheet.colors[1], mask)
    return lit(tint(picture, 0.08 * sheet.noise(5.0)), relief(sheet, height, gloss=0.3))


@STRIPES.held_out
def woven_stripes(sheet: Sheet) -> Tensor:
    """Soft blanket stripes in a gradient of widths with frayed edges."""
    frequency = sheet.log_uniform(1.6, 3.5)
    frayed = sheet.x + 0.012 * sheet.noise(8.0, 2, stretch=0.2)
    value = torch.sin(frayed * frequency * 6.283) + 0.6 * torch.sin(
        frayed * frequency * 12.57 + sheet.uniform(0, 6)
    )
    picture = blend(sheet.colors[1], sheet.colors[0], level(value, sheet.uniform(-0.3, 0.3)))
    picture = blend(picture, sheet.colors[2], level(value, 0.95))
    return tint(picture, 0.14 * sheet.noise(5.0, 2, stretch=0.15))


CHEQUERBOARD = draws(
    "chequerboard", "texture", ("f1ead9", "23201f"), ("ead7b0", "6a3b1f"), ("f3f3f0", "1f2d3d"), turn=3.14
)


def _squares(sheet: Sheet, frequency: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Coverage of every second square, and the column and row of each."""
    x, y = sheet.x * frequency, sheet.y * frequency
    # A product of two triangle waves changes its sign at every edge.
    to_x, to_y = wave(x), wave(y)
    parity = torch.remainder(torch.floor(x) + torch.floor(y), 2) * 2 - 1
    distance = torch.minimum(to_x, to_y) * parity / frequency
    return cover(distance, sheet.pixel), torch.floor(x), torch.floor(y)


@CHEQUERBOARD.variant
def floor_tiles(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.4, 4.5)
    mask, column, row = _squares(sheet, frequency)
    shade, _ = cell(column, row, sheet.key())
    joint = torch.minimum(wave(sheet.x * frequency), wave(sheet.y * frequency)) / frequency
    picture = tint(
        blend(sheet.colors[0], sheet.colors[1], mask), (shade - 0.5) * 0.25 + 0.12 * sheet.noise(5.0, 4)
    )
    return picture * (1 - 0.4 * cover(joint - 0.012, sheet.pixel))[:, None]


@CHEQUERBOARD.variant
def flag(sheet: Sheet) -> Tensor:
    """A cloth in folds."""
    wind = torch.sin(sheet.x * sheet.uniform(1.5, 3) + sheet.y * sheet.uniform(-1, 1) + sheet.uniform(0, 6))
    amount = sheet.uniform(0.04, 0.14)
    mask, _, _ = _squares(
        sheet.at(sheet.x + amount * 0.4 * wind, sheet.y + amount * wind), sheet.log_uniform(1.8, 4.5)
    )
    return (blend(sheet.colors[0], sheet.colors[1], mask) * (0.92 + 0.3 * amount * 5 * wind)[:, None]).clamp(
        0, 1
    )


@CHEQUERBOARD.variant
def wooden_board(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.3, 3.5)
    mask, column, row = _squares(sheet, frequency)
    shift, shade = cell(column, row, sheet.key())
    grain = sheet.at(sheet.x + shift * 9, sheet.y).noise(3.0, 4, stretch=0.12)
    return tint(blend(sheet.colors[0], sheet.colors[1], mask), 0.22 * grain + 0.2 * (shade - 0.5))


@CHEQUERBOARD.variant
def bulged(sheet: Sheet) -> Tensor:
    """Raised, polished squares."""
    frequency = sheet.log_uniform(1.5, 4.0)
    mask, _, _ = _squares(sheet, frequency)
    to_edge = torch.minimum(wave(sheet.x * frequency), wave(sheet.y * frequency))
    height = ramp(to_edge, 0.0, 0.16) * 0.09 / frequency
    picture = blend(sheet.colors[0], sheet.colors[1], mask)
    return lit(tint(picture, 0.08 * sheet.noise(3.0, 4)), relief(sheet, height, gloss=0.5))


@CHEQUERBOARD.held_out
def lozenges(sheet: Sheet) -> Tensor:
    """Squares on their corners, drawn out, worn."""
    x, y = rotate(sheet.x, sheet.y * sheet.uniform(0.55, 0.8), 0.7854)
    frequency = sheet.log_uniform(1.8, 4.0)
    mask, column, row = _squares(sheet.at(x, y), frequency)
    shade, warmth = cell(column, row, sheet.key())
    worn = ramp(sheet.noise(4.0, 4), 0.25, 0.7)
    picture = tint(blend(sheet.colors[0], sheet.colors[1], mask), (shade - 0.5) * 0.3, (warmth - 0.5) * 0.1)
    return blend(picture, sheet.colors[0] * 0.8, 0.5 * worn)


POLKA_DOTS = draws(
    "polka dots", "texture", ("c8202f", "fbf7ee"), ("24438a", "f7f3e8"), ("f6c9d0", "fffaf2"), turn=3.14
)


def _dotted(sheet: Sheet, frequency: Tensor, hexagonal: Tensor) -> tuple[Tensor, Tensor]:
    """Offset from the nearest point of a square or a hexagonal lattice, in lattice units."""
    squeeze = torch.where(hexagonal > 0, 1.1547, 1.0)
    y = sheet.y * frequency * squeeze
    row = torch.round(y)
    x = sheet.x * frequency - 0.5 * torch.remainder(row, 2) * hexagonal
    return x - torch.round(x), (y - row) / squeeze


@POLKA_DOTS.variant
def printed(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.8, 6)
    u, v = _dotted(sheet, frequency, sheet.chance(0.6))
    mask = cover(disc(u, v, sheet.uniform(0.18, 0.36)) / frequency, sheet.pixel)
    weave = 0.08 * sheet.noise(24.0, 2)
    return tint(blend(sheet.colors[0], sheet.colors[1], mask), weave)


@POLKA_DOTS.variant
def two_sizes(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.4, 3.6)
    u, v = _dotted(sheet, frequency, torch.zeros_like(frequency))
    large = disc(u, v, sheet.uniform(0.22, 0.32))
    u, v = _dotted(
        sheet.at(sheet.x + 0.5 / frequency, sheet.y + 0.5 / frequency), frequency, torch.zeros_like(frequency)
    )
    small = disc(u, v, sheet.uniform(0.09, 0.16))
    mask = cover(torch.minimum(large, small) / frequency, sheet.pixel)
    return tint(blend(sheet.colors[0], sheet.colors[1], mask), 0.14 * sheet.noise(2.0, 4))


@POLKA_DOTS.variant
def buttons(sheet: Sheet) -> Tensor:
    """Raised round dots."""
    frequency = sheet.log_uniform(1.8, 4.5)
    u, v = _dotted(sheet, frequency, sheet.chance(0.5))
    radius = sheet.uniform(0.24, 0.4)
    inside = disc(u, v, radius)
    height = torch.sqrt((-inside).clamp_min(0) * radius * 2 + 1e-4) * 0.45 / frequency
    picture = blend(sheet.colors[0], sheet.colors[1], cover(inside / frequency, sheet.pixel))
    contact = 1 - 0.35 * ramp(inside, 0.12, 0.0) * (inside > 0)
    return lit(picture, relief(sheet, height, gloss=0.5)) * contact[:, None]


@POLKA_DOTS.variant
def hand_painted(sheet: Sheet) -> Tensor:
    """Dots of uneven size and place in watered colour."""
    frequency = sheet.log_uniform(1.8, 4.5)
    bent = sheet.warped(0.05, 3.0)
    picture = tint(sheet.colors[0], 0.15 * sheet.noise(2.0, 4))
    for mark in marks(bent.x * frequency, bent.y * frequency, sheet.key(), jitter=0.3):
        inside = disc(mark.dx, mark.dy, 0.2 + 0.14 * mark.c)
        dot = tint(sheet.colors[1], 0.3 * (mark.d - 0.5) - 0.15 * ramp(inside, -0.12, 0.0))
        picture = blend(picture, dot, cover(inside / frequency, bent.pixel))
    return picture


@POLKA_DOTS.held_out
def rings_and_dots(sheet: Sheet) -> Tensor:
    """Dots with a pale rim, on a ground of two tones."""
    frequency = sheet.log_uniform(1.8, 4.0)
    u, v = _dotted(sheet, frequency, torch.ones_like(frequency))
    radius = sheet.uniform(0.26, 0.36)
    inside = disc(u, v, radius)
    rim = inside + sheet.uniform(0.07, 0.12)
    ground = tint(sheet.colors[0], 0.18 * torch.sin(sheet.y * 1.5 + sheet.uniform(0, 6)))
    picture = blend(
        ground, sheet.colors[1] * 0.6 + sheet.colors[0] * 0.4, cover(inside / frequency, sheet.pixel)
    )
    return blend(picture, sheet.colors[1], cover(rim / frequency, sheet.pixel))


HALFTONE = draws(
    "halftone",
    "texture",
    ("f3eee0", "1d1b1c"),
    ("fbe9c4", "d0312d"),
    ("f5f1e6", "1e5fa5"),
    turn=3.14,
    fine=True,
)


def _tone(sheet: Sheet) -> Tensor:
    """What the screen prints: a soft picture in [0, 1] with some edges."""
    soft = 0.5 + 0.6 * sheet.noise(0.8, 2)
    ball = disc(sheet.x - torch.round(sheet.x / 3) * 3, sheet.y - torch.round(sheet.y / 3) * 3, 0.7)
    return (soft + 0.35 * ramp(ball, 0.05, -0.05) * (0.5 - soft)).clamp(0.03, 0.97)


@HALFTONE.variant
def round_dots(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(7, 13)
    x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3, 3))
    u, v = x * frequency - torch.round(x * frequency), y * frequency - torch.round(y * frequency)
    mask = cover(disc(u, v, 0.72 * torch.sqrt(_tone(sheet))) / frequency, sheet.pixel)
    return blend(sheet.colors[0], sheet.colors[1], mask)


@HALFTONE.variant
def line_screen(sheet: Sheet) -> Tensor:
    """Lines that swell with the tone, broken by fine dots in the lights."""
    frequency = sheet.log_uniform(6, 11)
    x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3, 3))
    swell = 0.06 + 0.4 * _tone(sheet)
    beads = swell + 0.14 * (0.25 - wave(y * frequency * 0.9))
    mask = cover((wave(x * frequency) - beads) / frequency, sheet.pixel)
    return blend(sheet.colors[0], sheet.colors[1], mask)


@HALFTONE.variant
def two_inks(sheet: Sheet) -> Tensor:
    """Two screens at different angles, the inks multiplying."""
    picture = (0.6 + 0.4 * sheet.colors[0]).expand(-1, -1, *sheet.x.shape[1:])
    frequency = sheet.log_uniform(6, 11)
    second = torch.roll(sheet.colors[1], 1, 1)
    for ink in (sheet.colors[1], second):
        x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3, 3))
        u, v = x * frequency - torch.round(x * frequency), y * frequency - torch.round(y * frequency)
        mask = cover(disc(u, v, 0.62 * torch.sqrt(_tone(sheet))) / frequency, sheet.pixel)
        picture = picture * (1 - mask[:, None] * (1 - ink))
    return picture


@HALFTONE.variant
def comic_dots(sheet: Sheet) -> Tensor:
    """Large dots in hexagonal order fading along one direction."""
    frequency = sheet.log_uniform(5, 9)
    u, v = _dotted(sheet.turned(), frequency, torch.ones_like(frequency))
    fall = 0.5 + 0.5 * torch.sin(sheet.x * sheet.uniform(0.8, 1.6) + sheet.y * sheet.uniform(0.8, 1.6))
    mask = cover(disc(u, v, 0.08 + 0.5 * fall) / frequency, sheet.pixel)
    return blend(sheet.colors[0], sheet.colors[1], mask)


@HALFTONE.held_out
def diamond_dots(sheet: Sheet) -> Tensor:
    """The cosine screen: dots that turn into a chequer at half tone, then into holes."""
    frequency = sheet.log_uniform(6, 11) * 6.283
    x, y = rotate(sheet.x, sheet.y, sheet.uniform(-3, 3))
    screen = 0.5 + 0.25 * (torch.cos(x * frequency) + torch.cos(y * frequency))
    return blend(sheet.colors[0], sheet.colors[1], level(_tone(sheet) - screen))
