"""Waves, clouds, flames."""

import torch
from torch import Tensor

from models.procedural.fields import cover, disc, fraction, ramp, wave
from models.procedural.lattice import cell, line_value
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, dark_to_light, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

WAVES = draws("waves", "scene", ("1f4f7a", "5fa0b5", "eef4f0"), ("2a5f6a", "7fc0b5", "f6f2e6"), turn=0.1)


def _crest(sheet: Sheet, x: Tensor, sharp: Tensor | float) -> Tensor:
    """A swell over x, whole to whole: narrow crests at whole numbers; in [0, 1]."""
    return (1 - wave(x) * 2).clamp_min(1e-3) ** sharp


def _foam(sheet: Sheet, frequency: float) -> Tensor:
    """Where foam lies, by noise."""
    return sheet.warped(0.1, 3.0).noise(frequency, 4, 0.6)


@WAVES.variant
def rolling_sea(sheet: Sheet) -> Tensor:
    """Rows of swells with foam on their crests, larger when nearer."""
    picture = gradient((0.6 + 0.6 * sheet.y).clamp(0, 1), [sheet.colors[1], sheet.colors[2]])
    for row in range(6):
        near = 0.35 + 0.2 * row
        base = -0.45 + 0.24 * row + 0.04 * row * near
        swell = _crest(
            sheet, sheet.x * 1.3 / near + sheet.uniform(0, 9) + 0.2 * sheet.noise_over_x(1.5, 2), 2.0
        )
        top = base - 0.28 * near * swell + 0.02 * sheet.noise_over_x(7.0, 2)
        below = sheet.y - top
        water = blend(sheet.colors[1], sheet.colors[0], ramp(below / near, 0.0, 0.35))
        water = tint(water, 0.2 * sheet.noise(5.0 / near, 3, stretch=0.35))
        foam = ramp(_foam(sheet, 3.5) * 0.12 * near + 0.07 * near * swell - below, -0.02, 0.03)
        picture = blend(picture, blend(water, sheet.colors[2], foam), cover(-below, sheet.pixel))
    return picture


@WAVES.variant
def great_wave(sheet: Sheet) -> Tensor:
    """A breaker that curls over, striped, with claws of foam."""
    picture = gradient((0.5 + 0.4 * sheet.y).clamp(0, 1), [sheet.colors[2] * 0.85, sheet.colors[2]])
    x = sheet.x - sheet.uniform(-0.3, 0.3)
    curl_x, curl_y = x - 0.1, sheet.y + 0.1
    hollow = disc(curl_x, curl_y, sheet.uniform(0.38, 0.5))
    body = torch.maximum(disc(curl_x + 0.45, curl_y - 0.12, 0.98), -hollow)
    body = torch.minimum(body, 0.5 - sheet.y + 0.08 * torch.sin(x * 5) + 0.1 * x)
    stripes = ramp(torch.sin((hollow + 0.15 * curl_x) * sheet.uniform(28, 40)), -0.3, 0.3)
    water = tint(blend(sheet.colors[0], sheet.colors[1], stripes), 0.12 * sheet.noise(4.0, 3))
    edge = torch.minimum(body.abs(), hollow.abs())
    claws = 0.05 + 0.07 * _foam(sheet, 4.0) + 0.035 * torch.cos(torch.atan2(curl_y, curl_x) * 26)
    picture = blend(picture, water, cover(body, sheet.pixel))
    crest = ramp(claws - edge, -0.012, 0.012) * ramp(sheet.y, 0.35, 0.1) * (body < 0.08)
    picture = blend(picture, sheet.colors[2], crest)
    swell = sheet.y - 0.62 - 0.12 * torch.cos(sheet.x * 3 + sheet.uniform(0, 6))
    front = blend(
        tint(sheet.colors[0], 0.2 * torch.sin(swell * 30)),
        sheet.colors[2],
        ramp(_foam(sheet, 3.0) * 0.08 + 0.04 - swell, 0.0, 0.03),
    )
    return blend(picture, front, cover(-swell, sheet.pixel))


@WAVES.variant
def surf(sheet: Sheet) -> Tensor:
    """Seen from above: lines of foam run up a beach."""
    across = sheet.y * 1.2 + 0.25 * sheet.noise(0.8, 3) + 0.05 * sheet.noise(3.0, 2)
    sets = across * sheet.uniform(1.6, 2.6)
    part = fraction(sets)
    lace = 1 - sheet.warped(0.1, 2.5).noise(3.0, 3).abs() * 3
    foam = torch.maximum(
        ramp(part, 0.8, 0.97) * ramp(part, 1.0, 0.985), ramp(lace, 0.4, 0.9) * ramp(part, 0.35, 0.9)
    )
    water = gradient(part * 0.8 + 0.15 * sheet.noise(2.0, 3), [sheet.colors[0], sheet.colors[1]])
    return blend(water, sheet.colors[2], (foam * 0.95).clamp(0, 1))


@WAVES.variant
def open_water(sheet: Sheet) -> Tensor:
    """Choppy water to a horizon, glitter on it."""
    horizon = sheet.uniform(-0.7, -0.3)
    depth = 0.35 / (sheet.y - horizon).clamp_min(0.03)
    far = sheet.at(sheet.x * depth * 1.3, depth * 3.0)
    chop = far.warped(0.25, 1.0).noise(sheet.uniform(1.0, 1.8), 4, 0.55, stretch=0.6)
    water = gradient(
        (0.5 + 0.7 * chop).clamp(0, 1), [sheet.colors[0] * 0.7, sheet.colors[0], sheet.colors[1]]
    )
    water = lit(water, relief(sheet, chop * 0.12, gloss=0.6, azimuth=sheet.uniform(-2.2, -0.9)))
    water = blend(water, sheet.colors[2], ramp(chop, 0.42, 0.6) * 0.8)
    sky = gradient((0.5 + 0.5 * sheet.y).clamp(0, 1), [sheet.colors[1], sheet.colors[2]])
    return blend(sky, water, cover(horizon - sheet.y, sheet.pixel))


@WAVES.held_out
def curling_rows(sheet: Sheet) -> Tensor:
    """Rows of hooked crests, as on a frieze."""
    picture = blend(sheet.colors[1], sheet.colors[2], 0.6 + 0.2 * sheet.noise(1.0, 3))
    for row in range(4):
        base = -0.35 + 0.42 * row
        x = sheet.x * sheet.uniform(0.9, 1.3) + sheet.uniform(0, 9)
        part = fraction(x)
        # A long back that rises to a hook, which a round hollow undercuts.
        rise = base - 0.36 * ramp(part, 0.0, 0.72) * ramp(part, 1.0, 0.8)
        hollow = disc(part - 0.9, (sheet.y - base + 0.16) * 1.1, 0.15)
        rise = rise + 0.5 * ramp(hollow, 0.01, -0.03)
        below = sheet.y - rise
        water = blend(sheet.colors[1], sheet.colors[0], ramp(below, 0.0, 0.3))
        water = tint(water, 0.25 * torch.sin(below * 45))
        foam = ramp(0.05 + 0.06 * _foam(sheet, 4.0) - below, -0.01, 0.02)
        picture = blend(picture, blend(water, sheet.colors[2], foam), cover(-below, sheet.pixel))
    return picture


CLOUDS = draws(
    "clouds",
    "scene",
    ("3f86c9", "9cc4e6", "fbfbf8", "b9c0c9"),
    ("e08a5f", "f2c79a", "fdf0e0", "8a6a7f"),
    turn=0.15,
)


def _blue(sheet: Sheet) -> Tensor:
    dark = dark_to_light(sheet.colors)
    return gradient((0.5 + 0.5 * sheet.y).clamp(0, 1), [dark[0], dark[1]])


def _lit_cloud(sheet: Sheet, density: Tensor, steep: float) -> Tensor:
    """The cloud's own colour: white towards the lamp above, grey below."""
    above = torch.roll(density, max(1, sheet.size // 14), 1)
    light = (0.5 + steep * (density - above)).clamp(0, 1)
    dark = dark_to_light(sheet.colors)
    return gradient(light, [dark[2], dark[3], dark[3]])


@CLOUDS.variant
def cumulus(sheet: Sheet) -> Tensor:
    """Heaps with sharp, lit tops and flat feet."""
    bent = sheet.warped(0.12, 2.5, 3)
    density = bent.noise(1.0, 5, 0.55, stretch=0.8) + sheet.uniform(-0.1, 0.15)
    return blend(_blue(sheet), _lit_cloud(sheet, density, 1.3), ramp(density, 0.0, 0.22))


@CLOUDS.variant
def cirrus(sheet: Sheet) -> Tensor:
    """High ice, combed by the wind."""
    turn = sheet.turned(-0.5, 0.5).warped(0.25, 0.8)
    fibres = turn.noise(1.0, 4, 0.6, stretch=0.12)
    patches = ramp(sheet.noise(0.8, 3), -0.6, 0.1)
    return blend(
        _blue(sheet), dark_to_light(sheet.colors)[3], (ramp(fibres, -0.35, 0.45) * patches * 0.9).clamp(0, 1)
    )


@CLOUDS.variant
def towering(sheet: Sheet) -> Tensor:
    """Billows in several banks, each before the next."""
    picture = _blue(sheet)
    shade, light_one = dark_to_light(sheet.colors)[2:]
    for bank in range(3):
        billow = sheet.warped(0.1, 3.0)
        lumps = 1 - billow.noise(2.0 - 0.3 * bank, 4, 0.5).abs() * 2
        top = -0.35 + 0.45 * bank - 0.35 * sheet.noise_over_x(1.1, 2) - 0.22 * lumps
        depth = sheet.y - top
        light = ramp(depth, 0.5, -0.05) * 0.6 + 0.5 * ramp(lumps, 0.1, 0.9)
        color = gradient(light.clamp(0, 1), [shade * 0.8, shade, light_one])
        picture = blend(picture, color, ramp(depth, -0.02, 0.06))
    return picture


@CLOUDS.variant
def overcast(sheet: Sheet) -> Tensor:
    """A ceiling of grey rolls with gaps of light, seen at an angle."""
    depth = 0.8 / (1.6 - sheet.y).clamp_min(0.3)
    plane = sheet.at(sheet.x / depth * 0.7, 1.2 / depth)
    shade, light = dark_to_light(sheet.colors)[2:]
    rolls = plane.warped(0.3, 1.0, 3).noise(1.2, 5, 0.55)
    picture = gradient((0.5 + 0.75 * rolls).clamp(0, 1), [shade * 0.6, shade, light])
    return blend(picture, _blue(sheet), ramp(rolls, 0.3, 0.5) * 0.7)


@CLOUDS.held_out
def mackerel(sheet: Sheet) -> Tensor:
    """Small puffs in rows."""
    turn = sheet.turned(-0.6, 0.6).warped(0.15, 1.3)
    rows = torch.sin(turn.y * sheet.uniform(7, 11) + 1.5 * turn.noise(0.9, 2))
    density = 0.35 * rows + turn.noise(2.4, 4, 0.6) + 0.4 * sheet.noise(0.7, 2)
    return blend(_blue(sheet), _lit_cloud(sheet, density, 0.9), ramp(density, 0.0, 0.45))


FLAMES = draws(
    "flames",
    "scene",
    ("1a0a08", "c8280f", "f28a1c", "fde9a0"),
    ("120810", "a81c14", "f5701a", "fff0b0"),
    turn=0.12,
)


def _fire(sheet: Sheet, heat: Tensor) -> Tensor:
    """From smoke to white heat; ``heat`` in about [0, 1]."""
    colors = dark_to_light(sheet.colors)
    smoke = colors[0] * 0.7
    return gradient(heat.clamp(0, 1) ** 0.9, [smoke, colors[1], colors[2], colors[3]])


def _licked(sheet: Sheet, amount: float, frequency: float) -> Sheet:
    """Coordinates drawn upwards by the draught: more warped the higher."""
    rise = (1.0 - sheet.y).clamp_min(0)
    one, other = sheet.at(sheet.x, sheet.y * 0.55).noises(2, frequency, 3)
    return sheet.at(sheet.x + amount * rise * one, sheet.y + amount * 0.8 * rise * other)


@FLAMES.variant
def wall_of_fire(sheet: Sheet) -> Tensor:
    bent = _licked(sheet, 0.22, 1.6)
    tongues = bent.noise(2.2, 4, 0.55, stretch=2.6)
    heat = 0.75 * (bent.y * 0.5 + 0.5) + 0.75 * tongues + sheet.uniform(-0.05, 0.2)
    return _fire(sheet, heat)


@FLAMES.variant
def separate_tongues(sheet: Sheet) -> Tensor:
    """Pointed flames beside and before each other."""
    bent = _licked(sheet, 0.16, 1.8)
    heat = 0.06 * sheet.noise(1.5, 3) + 0.05
    heat = heat.clamp_min(0)
    for layer in range(3):
        place = bent.x * sheet.uniform(1.1, 1.7) + sheet.uniform(0, 9)
        tall = 0.9 + 0.8 * line_value(torch.round(place), sheet.key()) - 0.25 * layer
        height = ((1.0 - bent.y) / tall).clamp(0, 2)
        width = 0.46 * (1 - height).clamp_min(0) ** 0.75 * (0.55 + 1.0 * height.clamp(0, 1) ** 0.5)
        inside = (width - wave(place)) / 0.46
        heat = torch.maximum(
            heat, ramp(inside, -0.08, 0.1) * (0.35 + 0.75 * inside.clamp(0, 1) + 0.25 * (1 - height))
        )
    return _fire(sheet, heat)


@FLAMES.variant
def one_flame(sheet: Sheet) -> Tensor:
    """A candle's or a torch's."""
    bent = _licked(sheet, 0.1, 1.2)
    x, y = (
        (bent.x - sheet.uniform(-0.3, 0.3)) * sheet.uniform(1.3, 2.0),
        (0.75 - bent.y) / sheet.uniform(1.2, 1.6),
    )
    width = 0.62 * torch.sqrt(y.clamp(0, 1)) * (1 - y.clamp(0, 1)) ** 0.7 * 1.3
    inside = width - x.abs() - 2.0 * (-y).clamp_min(0)
    glow = torch.exp(-((x * 0.8) ** 2 + (y - 0.4) ** 2) * 2.2) * 0.3
    heat = torch.maximum(
        glow + 0.03 * sheet.noise(3.0, 3),
        ramp(inside, -0.03, 0.06) * (0.45 + 1.5 * inside + 0.1 * bent.noise(3.0, 2)),
    )
    dark_root = ramp(disc(x, y - 0.08, 0.12), 0.12, -0.05) * ramp(inside, 0.0, 0.1)
    return _fire(sheet, heat - 0.45 * dark_root)


@FLAMES.variant
def curling_fire(sheet: Sheet) -> Tensor:
    """Sheets of flame that fold over, seen near."""
    bent = _licked(sheet, 0.3, 1.1)
    folds = 1 - bent.warped(0.2, 1.8).noise(1.6, 4, 0.5, stretch=1.8).abs() * 2.4
    heat = 0.8 * ramp(folds, -0.2, 1.0) * (0.55 + 0.35 * sheet.y) + 0.25 * (sheet.y * 0.5 + 0.5)
    return _fire(sheet, heat)


@FLAMES.held_out
def bonfire(sheet: Sheet) -> Tensor:
    """One heap of flames, narrowing upwards, with sparks."""
    bent = _licked(sheet, 0.24, 2.0)
    tongues = bent.noise(2.6, 4, 0.55, stretch=2.4)
    shape = 0.95 - bent.x.abs() * 1.3 - (0.6 - bent.y) * 0.45
    heat = 0.6 * shape + 0.75 * tongues
    x, y = sheet.x * 7, sheet.y * 5
    a, b = cell(torch.floor(x), torch.floor(y), sheet.key())
    spark = disc(fraction(x) - 0.3 - 0.4 * a, (fraction(y) - 0.3 - 0.4 * b) * 0.8, 0.05 + 0.07 * a) / 7
    glowing = cover(spark, sheet.pixel) * (b < 0.4) * (heat < 0.2)
    return _fire(sheet, torch.maximum(heat, 0.85 * glowing))
