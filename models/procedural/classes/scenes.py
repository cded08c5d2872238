"""Mountains, city skyline."""

import torch
from torch import Tensor

from models.procedural.fields import box, cover, disc, fraction, ramp, wave
from models.procedural.lattice import cell, line_value
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

MOUNTAINS = draws(
    "mountains",
    "scene",
    ("4f6275", "c9d6df", "2f4a3a", "f4f4f0"),
    ("6a4f6f", "f2b98a", "3a2f4a", "f6e3d0"),
    turn=0.08,
)


def _sky(sheet: Sheet) -> Tensor:
    sky = gradient(
        (0.55 + 0.5 * sheet.y).clamp(0, 1), [sheet.colors[0] * 0.4 + sheet.colors[1] * 0.6, sheet.colors[1]]
    )
    return blend(sky, sheet.colors[3], 0.45 * ramp(sheet.noise(1.1, 4, stretch=0.4), 0.1, 0.6))


def _ridge(sheet: Sheet, peak: Tensor | float, jagged: float) -> Tensor:
    """Height of a skyline (y up to which there is sky): sharp peaks with smaller ones on their sides."""
    tents = wave(sheet.x * sheet.uniform(0.5, 0.9) + sheet.uniform(0, 9) + 0.2 * sheet.noise_over_x(1.0, 2))
    return peak - 0.9 * jagged * tents - 0.22 * (1 - sheet.noise_over_x(1.6, 4, 0.55).abs() * 2)


@MOUNTAINS.variant
def hazy_ranges(sheet: Sheet) -> Tensor:
    """Ranges behind each other, paler with distance."""
    picture = _sky(sheet)
    for layer in range(4):
        near = (layer + 1) / 4
        top = _ridge(sheet, -0.1 + 0.32 * layer + sheet.uniform(-0.05, 0.05), 0.5)
        slope = 0.2 * sheet.noise(3.0, 4) * near - 0.25 * (sheet.y - top).clamp(0, 1)
        color = tint(
            blend(
                sheet.colors[1],
                blend(sheet.colors[0], sheet.colors[2], 0.5 * near),
                0.2 + 0.8 * near,
            ),
            slope,
        )
        picture = blend(picture, color, cover(top - sheet.y, sheet.pixel))
    return picture


@MOUNTAINS.variant
def snowy_peaks(sheet: Sheet) -> Tensor:
    """Rock lit from one side, snow above."""
    picture = _sky(sheet)
    for layer in range(2):
        top = _ridge(sheet, -0.1 + 0.45 * layer + sheet.uniform(-0.1, 0.1), 0.75)
        below = sheet.y - top
        height = sheet.warped(0.1, 2.0).noise(2.2, 5, 0.55) * 0.25
        rock = lit(
            tint(sheet.colors[0], 0.15 * sheet.noise(6.0, 3)).expand_as(picture),
            relief(sheet, height, gloss=0.0),
        )
        snow = lit(sheet.colors[3].expand_as(picture), relief(sheet, height * 0.6, gloss=0.0))
        line = sheet.uniform(0.3, 0.6) + 0.5 * sheet.noise(3.0, 4)
        face = blend(rock, snow, ramp(below - line, 0.08, -0.08))
        if layer == 1:
            face = blend(face, tint(sheet.colors[2], 0.3 * sheet.noise(9.0, 3)), ramp(below, 0.45, 0.75))
        picture = blend(picture, face, cover(-below, sheet.pixel))
    return picture


@MOUNTAINS.variant
def triangles(sheet: Sheet) -> Tensor:
    """Steep pyramids with a light and a dark side and a white top."""
    picture = _sky(sheet)
    for layer in range(3):
        count = sheet.uniform(0.7, 1.0) + 0.25 * layer
        place = sheet.x * count + sheet.uniform(0, 9)
        which, part = torch.floor(place), fraction(place)
        peak = 0.2 + 0.3 * line_value(which, sheet.key())
        crest = part - peak - 0.2 + 0.03 * sheet.noise(6.0, 2)
        tall = 0.7 + 0.5 * line_value(which + 50, sheet.key())
        rise = torch.where(part < peak + 0.2, part / (peak + 0.2), (1 - part) / (0.8 - peak)) * tall
        top = 0.55 + 0.25 * layer - rise + 0.04 * sheet.noise_over_x(6.0, 3)
        below = sheet.y - top
        shade = torch.where(crest > 0, -0.3, 0.1) + 0.15 * sheet.noise(5.0, 3)
        rock = tint(blend(sheet.colors[0], sheet.colors[2], 0.35 * layer), shade)
        white = ramp(below - 0.22 * tall - 0.1 * torch.sin(part * 50), 0.02, -0.02)
        face = blend(rock, tint(sheet.colors[3], shade * 0.5), white)
        picture = blend(picture, face, cover(-below, sheet.pixel))
    return picture


@MOUNTAINS.variant
def over_a_lake(sheet: Sheet) -> Tensor:
    """A range and its broken mirror image."""
    shore = sheet.uniform(0.1, 0.4)
    mirrored = torch.where(sheet.y > shore, 2 * shore - sheet.y, sheet.y)
    broken = mirrored + 0.03 * sheet.noise(4.0, 2, stretch=0.15) * (sheet.y > shore)
    own = sheet.at(sheet.x, broken)
    top = _ridge(own, shore - 0.15, 0.8)
    height = own.noise(2.0, 5, 0.55) * 0.25
    sky = _sky(own)
    rock = lit(
        blend(own.colors[0], own.colors[3], ramp(own.y - top - 0.2 - 0.3 * own.noise(3.0, 3), 0.1, -0.1)),
        relief(own, height, gloss=0.0),
    )
    picture = blend(sky, rock, cover(top - own.y, own.pixel))
    picture = blend(
        picture,
        tint(sheet.colors[2], 0.3 * sheet.noise(7.0, 3)),
        cover(shore - 0.06 - 0.04 * sheet.noise_over_x(5.0, 3) - own.y, own.pixel),
    )
    water = (sheet.y > shore).float()
    return picture * (1 - 0.25 * water)[:, None]


@MOUNTAINS.held_out
def moonlit_range(sheet: Sheet) -> Tensor:
    """Silhouettes before a large disc."""
    picture = _sky(sheet)
    moon = disc(
        sheet.x - sheet.uniform(-0.5, 0.5), sheet.y + sheet.uniform(0.2, 0.5), sheet.uniform(0.2, 0.4)
    )
    picture = blend(picture, sheet.colors[3], cover(moon, sheet.pixel))
    for layer in range(3):
        top = _ridge(sheet, 0.05 + 0.3 * layer, 0.8)
        shade = 0.25 * sheet.noise(4.0, 4) - 0.2 * layer
        picture = blend(
            picture,
            tint(blend(sheet.colors[0], sheet.colors[2], 0.4 * layer), shade),
            cover(top - sheet.y, sheet.pixel),
        )
    return picture


SKYLINE = draws(
    "city skyline",
    "scene",
    ("26324a", "e8a86a", "f6d88a"),
    ("3a4a5f", "a9c9e6", "f4e9b0"),
    ("1a1a2e", "5f3a7a", "ffd27a"),
    turn=0.05,
)


def _dusk(sheet: Sheet) -> Tensor:
    sky = gradient(
        (0.55 + 0.5 * sheet.y + 0.06 * sheet.spectrum(1.0, 1.8)).clamp(0, 1),
        [sheet.colors[0] * 0.6 + sheet.colors[1] * 0.4, sheet.colors[1]],
    )
    return blend(sky, sheet.colors[2], 0.35 * ramp(sheet.y, 0.0, 1.0))


def _towers(
    sheet: Sheet,
    picture: Tensor,
    count: Tensor,
    low: float,
    high: float,
    haze: float,
    crowns: float,
    lights: float,
) -> Tensor:
    """A row of towers of random widths and heights with windows."""
    place = sheet.x * count + sheet.uniform(0, 50)
    place = place + 0.25 * torch.sin(place * 2.1)
    which, part = torch.floor(place), fraction(place)
    a, b = cell(which, which, sheet.key())
    top = high + (low - high) * a
    u = part - 0.5
    if crowns:
        spire = ramp(u.abs(), 0.05, 0.03) * (b > 0.7) * 0.22 + (b < 0.25) * (0.5 - u.abs()) * 0.5
        steps = (u.abs() < 0.3) * 0.07 * (b > 0.35)
        top = top - crowns * (spire + steps)
    gap = (u.abs() - 0.5 + 0.05 * b) / count
    body = torch.maximum(top - sheet.y, gap)
    window_x, window_y = part * (4 + torch.floor(b * 3)), sheet.y * sheet.uniform(9, 14)
    on, warm = cell(which * 16 + torch.floor(window_x), torch.floor(window_y), sheet.key())
    pane = box(fraction(window_x) - 0.5, fraction(window_y) - 0.5, 0.26, 0.3)
    wall = tint(
        blend(sheet.colors[0], sheet.colors[1], haze),
        0.4 * (b - 0.5) + torch.where(u > 0.1, -0.12, 0.05),
    )
    glass = blend(wall * 0.6, tint(sheet.colors[2], 0.3 * (warm - 0.5)), (on < lights).float())
    inside = ramp(pane, 0.08, -0.05) * (top + 0.06 < sheet.y) * (u.abs() < 0.42)
    return blend(picture, blend(wall, glass, inside), cover(body, sheet.pixel))


@SKYLINE.variant
def night_city(sheet: Sheet) -> Tensor:
    picture = _dusk(sheet) * 0.75
    picture = _towers(sheet, picture, sheet.uniform(2.5, 4), 0.5, -0.3, 0.45, 0.0, 0.25)
    return _towers(sheet, picture, sheet.uniform(1.8, 3), 0.6, -0.5, 0.0, 1.0, 0.55)


@SKYLINE.variant
def day_city(sheet: Sheet) -> Tensor:
    """Pale towers in haze, behind each other."""
    picture = blend(_dusk(sheet), torch.ones_like(sheet.colors[0]), 0.25)
    for layer in range(3):
        picture = _towers(
            sheet, picture, sheet.uniform(2.2, 4), 0.6, -0.55 + 0.25 * layer, 0.7 - 0.3 * layer, 1.0, 0.1
        )
    return picture


@SKYLINE.variant
def by_the_water(sheet: Sheet) -> Tensor:
    """Mirrored below, rippled."""
    shore = sheet.uniform(0.3, 0.6)
    below = sheet.y > shore
    ripple = 0.04 * sheet.noise(2.5, 2, stretch=0.15)
    own = sheet.at(
        sheet.x + torch.where(below, ripple, 0.0), torch.where(below, 2 * shore - sheet.y, sheet.y)
    )
    picture = _towers(own, _dusk(own), sheet.uniform(2.2, 4), 0.3, -0.5, 0.15, 1.0, 0.5)
    return tint(picture, torch.where(below, -0.3 + 2.0 * ripple, 0.0))


@SKYLINE.variant
def silhouettes(sheet: Sheet) -> Tensor:
    """Dark outlines before a low sun."""
    picture = _dusk(sheet)
    sun = disc(
        sheet.x - sheet.uniform(-0.6, 0.6), sheet.y - sheet.uniform(-0.2, 0.3), sheet.uniform(0.2, 0.45)
    )
    picture = blend(picture, sheet.colors[2], cover(sun, sheet.pixel))
    picture = _towers(sheet, picture, sheet.uniform(3, 5), 0.55, -0.15, 0.5, 1.0, 0.0)
    return _towers(sheet, picture, sheet.uniform(2, 3.5), 0.65, -0.4, 0.0, 1.0, 0.06)


@SKYLINE.held_out
def old_town(sheet: Sheet) -> Tensor:
    """Lower houses close together before a few towers."""
    picture = _towers(sheet, _dusk(sheet), sheet.uniform(1.6, 2.4), 0.2, -0.5, 0.35, 1.0, 0.35)
    return _towers(sheet, picture, sheet.uniform(3.2, 4.5), 0.65, 0.25, 0.0, 1.0, 0.5)
