"""Zigzag, tartan."""

import torch
from torch import Tensor

from models.procedural.fields import bands, cover, fraction, ramp, wave
from models.procedural.lattice import line_value
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

ZIGZAG = draws("zigzag", "texture", ("f4efe3", "e0752f", "3b3a44"), ("f3ead6", "1f7a7d", "d9a033"), turn=3.14)


def _tooth(sheet: Sheet, frequency: Tensor, steep: Tensor) -> Tensor:
    """y less a triangle wave over x."""
    return sheet.y - steep * (wave(sheet.x * frequency) * 2 - 0.5) / frequency


@ZIGZAG.variant
def chevrons(sheet: Sheet) -> Tensor:
    frequency, steep = sheet.log_uniform(1.0, 3.0), sheet.uniform(0.45, 1.0)
    across = _tooth(sheet, frequency, steep)
    mask = bands(across, sheet.log_uniform(1.8, 4.5), sheet.uniform(0.4, 0.6), sheet.pixel)
    return tint(blend(sheet.colors[0], sheet.colors[1], mask), 0.12 * sheet.noise(5.0, 4))


@ZIGZAG.variant
def herringbone(sheet: Sheet) -> Tensor:
    """Twill whose slant turns from column to column."""
    frequency = sheet.log_uniform(1.0, 2.4)
    across = _tooth(sheet, frequency, sheet.uniform(0.8, 1.2))
    fine = sheet.log_uniform(3.5, 7.0)
    mask = bands(across, fine, sheet.uniform(0.4, 0.6), sheet.pixel)
    spine = ramp(wave(sheet.x * frequency * 2), 0.05, 0.0)
    thread = 0.2 * sheet.noise(30.0, 2)
    return tint(blend(sheet.colors[0], sheet.colors[2], mask), thread - 0.2 * spine)


@ZIGZAG.variant
def three_bands(sheet: Sheet) -> Tensor:
    """Knitted zigzags of three colours."""
    frequency, steep = sheet.log_uniform(1.2, 2.6), sheet.uniform(0.5, 0.9)
    fine = sheet.log_uniform(2.0, 5.0)
    across = _tooth(sheet, frequency, steep) * fine
    which = line_value(torch.floor(across), sheet.key())
    step = torch.remainder(torch.floor(across), 3)
    picture = torch.where((step == 0)[:, None], sheet.colors[0], sheet.colors[1])
    picture = torch.where((step == 2)[:, None], sheet.colors[2], picture)
    seam = ramp(wave(across) / fine, 1.2 * sheet.pixel, 0.0)
    return tint(picture, 0.25 * (which - 0.5) - 0.25 * seam + 0.1 * sheet.noise(16.0, 2))


@ZIGZAG.variant
def folded_paper(sheet: Sheet) -> Tensor:
    """Pleats in relief: every face has its own light."""
    frequency = sheet.log_uniform(0.9, 2.0)
    across = _tooth(sheet, frequency, sheet.uniform(0.5, 1.0))
    fine = sheet.log_uniform(1.4, 3.2)
    height = (wave(across * fine) - 0.25) * sheet.uniform(0.6, 1.1) / fine
    mask = bands(across, fine / 2, 0.5, sheet.pixel)
    return lit(
        blend(sheet.colors[0], sheet.colors[1], mask * sheet.uniform(0, 1)), relief(sheet, height, gloss=0.0)
    )


@ZIGZAG.held_out
def rickrack(sheet: Sheet) -> Tensor:
    """Single zigzag ribbons, rounded, well apart, with a shadow."""
    frequency = sheet.log_uniform(1.4, 3.0)
    bend = torch.asin(0.9 * torch.sin(sheet.x * frequency * 6.283)) * sheet.uniform(0.2, 0.32) / frequency
    apart = sheet.log_uniform(1.2, 2.4)
    ribbon = wave((sheet.y - bend) * apart) - sheet.uniform(0.12, 0.2)
    shadow = wave((sheet.y - bend) * apart - 0.06) - 0.18
    which = line_value(torch.round((sheet.y - bend) * apart), sheet.key())
    color = blend(sheet.colors[1], sheet.colors[2], (which > 0.5).float())
    ground = sheet.colors[0] * (1 - 0.35 * cover(shadow / apart, sheet.pixel * 3))[:, None]
    return tint(blend(ground, color, cover(ribbon / apart, sheet.pixel)), 0.08 * sheet.noise(20.0, 2))


TARTAN = draws(
    "tartan",
    "texture",
    ("a3202c", "1e3a5c", "1c3d2e", "e9c84b"),
    ("274e37", "1b2b4b", "7a1f28", "f0ead8"),
    turn=3.14,
)


def _sett(sheet: Sheet, position: Tensor, phase: Tensor) -> Tensor:
    """The sequence of threads along one direction, mirrored at its ends; a picture (n, 3, h, w)."""
    bands = wave(position)
    picture = blend(sheet.colors[0], sheet.colors[1], cover(bands - 0.12 - 0.12 * phase, sheet.pixel))
    second = (bands - 0.33).abs() - 0.03 - 0.05 * phase
    picture = blend(picture, sheet.colors[2], cover(second, sheet.pixel))
    thin = torch.minimum((bands - 0.2 - 0.1 * phase).abs(), (bands - 0.46).abs()) - 0.012
    return blend(picture, sheet.colors[3], cover(thin, sheet.pixel))


def _plaid(sheet: Sheet, frequency: Tensor, twill: Tensor) -> Tensor:
    """Warp and weft by turns, as the twill has them above."""
    phase = sheet.uniform(0, 1)
    scaled = sheet.at(sheet.x * frequency, sheet.y * frequency)
    return blend(_sett(scaled, scaled.x, phase), _sett(scaled, scaled.y, phase), twill)


@TARTAN.variant
def kilt(sheet: Sheet) -> Tensor:
    diagonal = ramp(torch.sin((sheet.x + sheet.y) * sheet.log_uniform(30, 50)), -0.8, 0.8)
    picture = _plaid(sheet, sheet.log_uniform(0.8, 2.2), 0.15 + 0.7 * diagonal)
    return tint(picture, 0.1 * (diagonal - 0.5) + 0.08 * sheet.noise(3.0, 4))


@TARTAN.variant
def blanket(sheet: Sheet) -> Tensor:
    """Warp and weft half and half, fuzzy."""
    bent = sheet.warped(0.02, 14.0)
    picture = _plaid(bent, sheet.log_uniform(0.7, 1.8), torch.full_like(sheet.x, 0.5))
    return tint(picture, 0.16 * sheet.noise(22.0, 2))


@TARTAN.variant
def gingham(sheet: Sheet) -> Tensor:
    """Two colours, three tones."""
    frequency = sheet.log_uniform(1.6, 4.5)
    across, down = (
        bands(sheet.x, frequency, 0.5, sheet.pixel),
        bands(sheet.y, frequency, 0.5, sheet.pixel),
    )
    picture = blend(sheet.colors[3], sheet.colors[0], (across + down) / 2)
    weave = torch.sin(sheet.x * 60) * torch.sin(sheet.y * 60)
    return tint(picture, 0.05 * weave + 0.06 * sheet.noise(3.0, 3))


@TARTAN.variant
def windowpane(sheet: Sheet) -> Tensor:
    """Thin double lines over broad translucent bands."""
    frequency = sheet.log_uniform(1.0, 2.4)
    picture = sheet.colors[0].expand(-1, -1, *sheet.x.shape[1:])
    for position in (sheet.x, sheet.y):
        broad = bands(position, frequency, sheet.uniform(0.3, 0.5), sheet.pixel)
        picture = blend(picture, sheet.colors[1], 0.55 * broad)
        line = (wave(position * frequency + 0.5) - sheet.uniform(0.05, 0.12)).abs() - 0.02
        picture = blend(picture, sheet.colors[3], 0.85 * cover(line / frequency, sheet.pixel))
    return tint(picture, 0.1 * sheet.noise(24.0, 2, stretch=4.0))


@TARTAN.held_out
def ruana(sheet: Sheet) -> Tensor:
    """Stripes of random colours along both directions, multiplied, with a coarse weave."""
    frequency = sheet.log_uniform(2.5, 5.0)
    picture = sheet.colors[3].expand(-1, -1, *sheet.x.shape[1:])
    for position in (sheet.x, sheet.y):
        scaled = position * frequency
        key = sheet.key()
        here, after = line_value(torch.floor(scaled), key), line_value(torch.floor(scaled) + 1, key)
        # Crossing over within a pixel of the border between two bands.
        value = here + (after - here) * ramp(fraction(scaled), 1 - 1.5 * sheet.pixel * frequency, 1.0)
        picture = 0.5 * picture + 0.5 * gradient(value, sheet.colors)
    weave = torch.sin(sheet.x * 45) * torch.sin(sheet.y * 45)
    return tint(picture, 0.1 * weave)
