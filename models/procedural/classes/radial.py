"""Concentric rings, sunburst, spiral."""

import torch
from torch import Tensor

from models.procedural.fields import (
    TAU,
    cover,
    fold_angle,
    fraction,
    level,
    polar,
    ramp,
    wave,
)
from models.procedural.lattice import line_value
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, dark_to_light, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

RINGS = draws(
    "concentric rings", "scene", ("d9342b", "f4f1e8", "24507f"), ("1e2a44", "e8e3d3", "c89b3c"), turn=3.14
)


@RINGS.variant
def target(sheet: Sheet) -> Tensor:
    sheet = sheet.off_center()
    radius, _ = polar(sheet.x, sheet.y)
    frequency = sheet.log_uniform(3.0, 8)
    mask = cover((wave(radius * frequency / 2) - 0.25) / frequency * 2, sheet.pixel)
    picture = blend(sheet.colors[0], sheet.colors[1], mask)
    middle = cover(radius - sheet.uniform(0, 0.25), sheet.pixel)
    return tint(blend(picture, sheet.colors[2], middle), 0.12 * sheet.noise(4.0, 4))


@RINGS.variant
def ripples(sheet: Sheet) -> Tensor:
    """Waves that run out from a drop."""
    sheet = sheet.off_center()
    radius, _ = polar(sheet.x, sheet.y)
    frequency = sheet.log_uniform(2.5, 6)
    height = torch.cos(radius * frequency * TAU) * torch.exp(-radius * 0.5) * 0.12 / frequency
    water = gradient(
        0.5 + 0.25 * sheet.spectrum(1.2, 2.0) - 0.2 * sheet.y, [sheet.colors[2], sheet.colors[0]]
    )
    return lit(water, relief(sheet, height * 2.0, gloss=0.8))


@RINGS.variant
def agate(sheet: Sheet) -> Tensor:
    """Bands of uneven width and many colours, wavering."""
    sheet = sheet.off_center()
    bent = sheet.warped(sheet.uniform(0.05, 0.16), 1.3, 3)
    radius, _ = polar(bent.x, bent.y)
    position = radius * sheet.log_uniform(4, 9)
    band, part = torch.floor(position), fraction(position)
    key = sheet.key()
    value = torch.lerp(line_value(band, key), line_value(band + 1, key), ramp(part, 0.6, 1.0))
    return tint(
        gradient(value, sheet.colors), 0.2 * ramp(wave(position), 0.1, 0.0) + 0.08 * sheet.noise(6.0, 3)
    )


@RINGS.variant
def turned_wood_and_vinyl(sheet: Sheet) -> Tensor:
    """Grooves that catch the light in a cross."""
    sheet = sheet.off_center(0.25)
    radius, angle = polar(sheet.x, sheet.y)
    frequency = sheet.log_uniform(6, 12)
    shine = (0.5 + 0.5 * torch.cos(2 * (angle - sheet.uniform(0, 6)))) ** 3
    groove = torch.cos(radius * frequency * TAU) * (0.18 + 0.3 * shine)
    track = ramp(wave(radius * frequency / 5), 0.06, 0.03)
    picture = tint(sheet.colors[0], groove + 0.5 * shine - 0.15 - 0.3 * track)
    label = cover(radius - sheet.uniform(0.15, 0.4), sheet.pixel)
    picture = blend(picture, tint(sheet.colors[2], 0.1 * sheet.noise(3.0)), label)
    return blend(picture, sheet.colors[1], cover(radius - 0.05, sheet.pixel))


@RINGS.held_out
def eccentric(sheet: Sheet) -> Tensor:
    """Rings pushed to one side, thin between thick."""
    sheet = sheet.off_center(0.3)
    radius, _ = polar(sheet.x, sheet.y)
    shift = sheet.uniform(0.1, 0.3)
    radius, _ = polar(sheet.x - shift * radius, sheet.y)
    frequency = sheet.log_uniform(2.5, 5)
    value = torch.cos(radius * frequency * TAU) + 0.5 * torch.cos(radius * frequency * 2 * TAU + 1)
    picture = blend(sheet.colors[0], sheet.colors[1], level(value, 0.2))
    return tint(blend(picture, sheet.colors[2], level(value, 1.2)), 0.1 * sheet.noise(5.0, 4))


SUNBURST = draws(
    "sunburst", "scene", ("f6b21b", "d9402a", "f8e7b0"), ("f2e3b6", "e2762f", "7f2a1d"), turn=3.14
)


@SUNBURST.variant
def rays(sheet: Sheet) -> Tensor:
    sheet = sheet.off_center(0.8)
    radius, angle = polar(sheet.x, sheet.y)
    count = sheet.integer(7, 18)
    bend = sheet.uniform(-0.25, 0.25) * sheet.chance(0.4)
    position = (angle / TAU + bend * radius) * count
    mask = cover((wave(position) - 0.25) * TAU * radius / count, sheet.pixel)
    picture = blend(sheet.colors[0], sheet.colors[1], mask)
    return tint(picture, 0.12 * sheet.noise(4.0, 4) - 0.15 * radius + 0.1)


@SUNBURST.variant
def rising_sun(sheet: Sheet) -> Tensor:
    """A disc, a gap, and rays that widen."""
    sheet = sheet.off_center(0.5)
    radius, angle = polar(sheet.x, sheet.y)
    count = sheet.integer(8, 18)
    size = sheet.uniform(0.15, 0.4)
    mask = cover((wave(angle / TAU * count) - sheet.uniform(0.15, 0.3)) * TAU * radius / count, sheet.pixel)
    mask = mask * cover(size * 1.25 - radius, sheet.pixel)
    sun = blend(sheet.colors[1], sheet.colors[2], ramp(radius / size, 1.0, 0.2) * 0.6)
    ground = tint(sheet.colors[2], 0.15 * sheet.noise(1.5, 4))
    return blend(blend(ground, sheet.colors[0], mask), sun, cover(radius - size, sheet.pixel))


@SUNBURST.variant
def beams(sheet: Sheet) -> Tensor:
    """Soft light that breaks through haze, from a bright centre."""
    sheet = sheet.off_center(0.7)
    radius, angle = polar(sheet.x, sheet.y)
    around = sheet.at(torch.cos(angle) * 2.2, torch.sin(angle) * 2.2).noise(sheet.uniform(1.5, 2.6), 3, 0.6)
    light = ramp(around + 0.15, -0.35, 0.45) * torch.exp(-radius * sheet.uniform(0.3, 0.8))
    core = torch.exp(-radius * radius * sheet.uniform(8, 30))
    value = (light * 0.9 + core + 0.1 * sheet.noise(2.0, 3)).clamp(0, 1)
    dark, middle, light = dark_to_light(sheet.colors)
    return gradient(value, [dark * 0.5, dark, middle, light])


@SUNBURST.variant
def spikes(sheet: Sheet) -> Tensor:
    """Pointed rays of two lengths around a face of the sun."""
    sheet = sheet.off_center(0.3)
    radius, angle = polar(sheet.x, sheet.y)
    count = sheet.integer(8, 16)
    position = angle / TAU * count
    long = torch.remainder(torch.round(position), 2)
    reach = torch.lerp(sheet.uniform(0.65, 0.95), sheet.uniform(1.0, 1.4), long)
    inner = sheet.uniform(0.25, 0.4)
    width = 0.5 * (1 - (radius - inner) / (reach - inner)).clamp(-0.2, 1)
    spike = cover((wave(position) - width) * TAU * radius / count, sheet.pixel)
    ray = tint(sheet.colors[0], torch.where(position > torch.round(position), 0.15, -0.15))
    picture = blend(tint(sheet.colors[2], 0.15 * sheet.noise(2.0, 4)), ray, spike)
    face = tint(sheet.colors[1], 0.3 * (1 - radius / inner) + 0.1 * sheet.noise(4.0))
    return blend(picture, face, cover(radius - inner * 1.05, sheet.pixel))


@SUNBURST.held_out
def layered_rays(sheet: Sheet) -> Tensor:
    """Two sets of rays, the outer one lighter, in steps."""
    sheet = sheet.off_center(0.6)
    radius, angle = polar(sheet.x, sheet.y)
    count = sheet.integer(8, 16)
    step = torch.floor(radius * sheet.uniform(1.6, 2.6))
    position = angle / TAU * count + 0.5 * torch.remainder(step, 2) * sheet.chance(0.5)
    mask = cover((wave(position) - 0.25) * TAU * radius / count, sheet.pixel)
    first = tint(sheet.colors[0], 0.12 * step - 0.1)
    return tint(blend(first, sheet.colors[1], mask), 0.1 * sheet.noise(5.0, 4) - 0.08 * step)


SPIRAL = draws("spiral", "scene", ("efe6d0", "23354a", "b5453a"), ("f6d9b8", "d3486e", "5a2450"), turn=3.14)


def _arms(
    sheet: Sheet, tightness: Tensor, logarithmic: Tensor, arms: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Place across the arms (whole from one to the next), radius, angle; far out wider if logarithmic."""
    radius, angle = polar(sheet.x, sheet.y)
    out = torch.lerp(radius * tightness, torch.log(radius + 0.02) * tightness * 0.55, logarithmic)
    return angle / TAU * arms + out, radius, angle


@SPIRAL.variant
def painted_spiral(sheet: Sheet) -> Tensor:
    sheet = sheet.off_center()
    position, radius, _ = _arms(sheet, sheet.log_uniform(2.2, 5), sheet.chance(0.4), sheet.integer(1, 2))
    picture = blend(sheet.colors[0], sheet.colors[1], level(wave(position), sheet.uniform(0.2, 0.3)))
    return tint(picture, 0.12 * sheet.noise(3.0, 4) - 0.1 * radius)


@SPIRAL.variant
def whirl(sheet: Sheet) -> Tensor:
    """Many arms that sweep into the centre."""
    sheet = sheet.off_center()
    arms = sheet.integer(3, 7)
    position, radius, _ = _arms(sheet, sheet.uniform(1.8, 3.5), torch.ones_like(arms), arms)
    value = 0.5 + 0.5 * torch.sin(position * TAU)
    picture = gradient(value, [sheet.colors[1], sheet.colors[2], sheet.colors[0]])
    return tint(
        picture, 0.15 * sheet.at(position, radius).noise(2.5, 3, stretch=0.6) + 0.25 * ramp(radius, 0.4, 0.0)
    )


@SPIRAL.variant
def coil(sheet: Sheet) -> Tensor:
    """A rolled-up rope or pastry, in relief."""
    sheet = sheet.off_center(0.25)
    tightness = sheet.log_uniform(2.0, 4)
    position, radius, angle = _arms(sheet, tightness, torch.zeros_like(tightness), torch.ones_like(tightness))
    across = position - torch.round(position)
    height = torch.sqrt((1 - 4 * across * across).clamp_min(0.01)) * 0.5 / tightness
    twist = torch.sin(torch.round(position) * 2.4 + angle * torch.floor(radius * tightness * 5) + across * 5)
    rope = tint(sheet.colors[0], 0.12 * twist + 0.14 * sheet.noise(8.0, 3))
    rope = blend(rope, sheet.colors[1], ramp(across.abs(), 0.38, 0.5))
    edge = cover(radius - sheet.uniform(0.9, 1.6), sheet.pixel)
    ground = tint(sheet.colors[2], 0.2 * sheet.noise(2.0, 4))
    return blend(ground, lit(rope, relief(sheet, height, gloss=0.3)), edge)


@SPIRAL.variant
def galaxy(sheet: Sheet) -> Tensor:
    """Arms of cloud and stars around a bright core."""
    sheet = sheet.off_center(0.25).warped(0.05, 3.0)
    arms = torch.full_like(sheet.x[:, :1, :1], 2.0)
    position, radius, _ = _arms(sheet, sheet.uniform(1.6, 2.6), torch.ones_like(arms), arms)
    arm = (0.5 + 0.5 * torch.cos(position * TAU)).clamp_min(0) ** 1.5
    cloud = sheet.noise(3.0, 4, 0.6)
    glow = torch.exp(-radius * 1.6) * (0.25 + 0.9 * arm) * (1 + 0.6 * cloud) + torch.exp(
        -radius * radius * 25
    )
    value = glow.clamp(0, 1)
    dark, middle, light = dark_to_light(sheet.colors)
    return gradient(value, [dark * 0.35, dark, middle, light])


@SPIRAL.held_out
def square_edged_spiral(sheet: Sheet) -> Tensor:
    """A spiral of a polygon's shape, its band lit from one side."""
    sheet = sheet.off_center(0.3)
    count = sheet.integer(5, 8)
    along, _, _ = fold_angle(sheet.x, sheet.y, count)
    _, angle = polar(sheet.x, sheet.y)
    tightness = sheet.log_uniform(2.2, 4.5)
    position = along * tightness + angle / TAU
    picture = blend(sheet.colors[0], sheet.colors[1], cover((wave(position) - 0.22) / tightness, sheet.pixel))
    return lit(tint(picture, 0.1 * sheet.noise(4.0, 4)), relief(sheet, wave(position) * 0.25 / tightness))
