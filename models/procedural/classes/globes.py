"""Bubbles, planet."""

import torch
from torch import Tensor

from models.procedural.fields import TAU, cover, disc, ellipse, ramp
from models.procedural.lattice import line_value, marks, voronoi
from models.procedural.lighting import lit, relief, sphere
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

BUBBLES = draws(
    "bubbles", "texture", ("2a5f7a", "bfe6ee", "e8c9e0"), ("3a4f7f", "d0e0f2", "f0dcae"), turn=3.14
)


def _bubbles(sheet: Sheet, frequency: Tensor, size: float, film: float, dense: bool) -> Tensor:
    """Clear balls with a bright rim, a film of colours, and two reflections of a window."""
    ground = gradient(0.5 + 0.25 * sheet.spectrum(1.5, 2.2), [sheet.colors[0] * 0.7, sheet.colors[0]])
    for scale in (1.9, 1.0) if dense else (1.0,):
        x, y = sheet.x * frequency * scale, sheet.y * frequency * scale
        for mark in marks(x, y, sheet.key(), jitter=0.55):
            radius = size * (0.35 + 0.65 * mark.c)
            u, v = mark.dx / radius, mark.dy / radius
            reach = torch.sqrt(u * u + v * v + 1e-9)
            rim = reach.clamp(0, 1) ** 5
            hue = torch.sin(reach * 9 + v * 4 + mark.a * 9) * 0.5 + 0.5
            color = blend(sheet.colors[1], sheet.colors[2], hue)
            inside = blend(ground, color, (0.12 + 0.75 * rim + film * hue * reach).clamp(0, 0.95))
            glint = disc(u + 0.42, v + 0.45, 0.17)
            other = torch.maximum((reach - 0.78).abs() - 0.06, 0.35 - u - v + 0.3)
            light = torch.maximum(ramp(glint, 0.08, -0.08), 0.6 * ramp(other, 0.06, -0.06))
            inside = inside + (1 - inside) * light[:, None]
            ground = blend(ground, inside, cover((reach - 1) * radius / frequency / scale, sheet.pixel))
    return ground


@BUBBLES.variant
def soap_bubbles(sheet: Sheet) -> Tensor:
    return _bubbles(sheet, sheet.log_uniform(0.8, 1.6), 0.56, 0.35, False)


@BUBBLES.variant
def fizz(sheet: Sheet) -> Tensor:
    """Many, large and small."""
    return _bubbles(sheet, sheet.log_uniform(1.1, 2.2), 0.52, 0.1, True)


@BUBBLES.variant
def froth(sheet: Sheet) -> Tensor:
    """Bubbles of one size that touch, with swirls in their films."""
    frequency = sheet.log_uniform(1.2, 2.8)
    x, y = sheet.x * frequency, sheet.y * frequency * 1.15
    film = 0.5 + 0.5 * torch.sin(6 * sheet.warped(0.2, 2.0).noise(1.5, 2))
    picture = tint(sheet.colors[0] * 0.8, 0.2 * sheet.noise(1.0)).expand(-1, -1, *sheet.x.shape[1:])
    for mark in marks(x, y, sheet.key(), jitter=0.12, brick=0.5):
        radius = 0.5 + 0.07 * mark.c
        reach = disc(mark.dx, mark.dy / 1.15, 0.0) / radius
        color = blend(sheet.colors[1], sheet.colors[2], (film + mark.d) / 2)
        inside = blend(picture, color, 0.15 + 0.7 * reach.clamp(0, 1) ** 6 + 0.15 * film)
        glint = ramp(disc(mark.dx / radius + 0.35, mark.dy / radius + 0.4, 0.14), 0.08, -0.05)
        inside = inside + (1 - inside) * glint[:, None]
        picture = blend(picture, inside, cover((reach - 1) * radius / frequency, sheet.pixel))
    return picture


@BUBBLES.variant
def glass_balls(sheet: Sheet) -> Tensor:
    """Solid, with the ground turned upside down in them."""
    frequency = sheet.log_uniform(0.9, 1.9)
    picture = gradient((0.5 + 0.5 * sheet.y * 0.5).clamp(0, 1), [sheet.colors[2], sheet.colors[0]])
    picture = tint(picture, 0.12 * sheet.noise(1.5, 3))
    for mark in marks(sheet.x * frequency, sheet.y * frequency, sheet.key(), jitter=0.5):
        radius = 0.24 + 0.28 * mark.c
        u, v = mark.dx / radius, mark.dy / radius
        light, height = sphere(u, v, 1.0)
        upside = gradient((0.5 - 0.45 * v).clamp(0, 1), [sheet.colors[0], sheet.colors[1]])
        ball = tint(upside, 0.5 * (light - 0.7) - 0.3 * (1 - height))
        glint = ramp(disc(u + 0.35, v + 0.4, 0.16), 0.1, -0.06)
        ball = ball + (1 - ball) * glint[:, None]
        picture = blend(picture, ball, cover(disc(mark.dx, mark.dy, radius) / frequency, sheet.pixel))
    return picture


@BUBBLES.held_out
def rising(sheet: Sheet) -> Tensor:
    """Flattened bubbles with dark rims in deep water."""
    flat = sheet.at(sheet.x, sheet.y * sheet.uniform(1.1, 1.4))
    return _bubbles(flat, sheet.log_uniform(0.9, 1.8), 0.5, 0.0, True)


PLANET = draws(
    "planet",
    "object",
    ("c98f5a", "e8d2a8", "7a4a2f"),
    ("3f6fa8", "dfe8ee", "2f6a4a"),
    ("a8a49c", "d8d4cc", "5f5b55"),
    turn=3.14,
)


def _globe(sheet: Sheet, size: Tensor | float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Longitude and latitude in [-1, 1] on a ball, its brightness with a dark side, its outline."""
    u, v = sheet.x / size, sheet.y / size
    height = torch.sqrt((1 - u * u - v * v).clamp_min(1e-4))
    turn = sheet.uniform(0, TAU)
    lamp = (u * torch.cos(turn) + v * torch.sin(turn)) * 0.85 + height * sheet.uniform(0.3, 0.7)
    light = 0.06 + 1.05 * lamp.clamp_min(0) ** 0.8
    return (
        torch.asin((u / torch.sqrt((1 - v * v).clamp_min(1e-3))).clamp(-0.999, 0.999)) / 1.5708,
        v,
        light,
        disc(sheet.x, sheet.y, size),
    )


@PLANET.shape
def banded_planet(sheet: Sheet) -> Layer:
    """A gas giant with storms."""
    longitude, latitude, light, outline = _globe(sheet, 0.9)
    surface = sheet.at(longitude, latitude).warped(0.06, 3.0)
    bands = surface.at(torch.zeros_like(surface.x), surface.y).noise(sheet.uniform(3, 6), 3, 0.6)
    storm = ellipse(longitude - sheet.uniform(-0.4, 0.4), latitude - sheet.uniform(-0.4, 0.4), 0.25, 0.12)
    color = gradient(0.5 + 0.6 * bands + 0.12 * surface.noise(6.0, 3, stretch=0.3), sheet.colors)
    color = blend(color, sheet.colors[2], 0.7 * ramp(storm, 0.05, -0.05))
    stack = Stack(sheet)
    stack.add(color, outline)
    stack.light(light)
    return stack.layer()


@PLANET.shape
def cratered_moon(sheet: Sheet) -> Layer:
    longitude, latitude, light, outline = _globe(sheet, 0.92)
    x, y = longitude * 2.2, latitude * 2.2
    height = 0.03 * sheet.at(longitude, latitude).noise(3.0, 4, 0.6)
    for scale in (1.0, 2.3):
        for mark in marks(x * scale, y * scale, sheet.key(), jitter=0.7):
            size = 0.1 + 0.28 * mark.c * mark.c
            reach = disc(mark.dx, mark.dy, 0.0) / size
            height = height + (ramp(reach, 1.3, 1.0) * 0.05 - ramp(reach, 1.0, 0.7) * 0.12) * size / scale
    maria = ramp(sheet.at(longitude, latitude).noise(1.3, 3), 0.0, 0.4)
    color = blend(
        blend(sheet.colors[0], sheet.colors[1], 0.5 + 5 * height.clamp(-0.1, 0.1)),
        sheet.colors[2],
        0.6 * maria,
    )
    stack = Stack(sheet)
    stack.add(lit(color, relief(sheet, height * 1.2, gloss=0.0)), outline)
    stack.light(light)
    return stack.layer()


@PLANET.shape
def ringed_planet(sheet: Sheet) -> Layer:
    """Half of the ring behind, half before."""
    small = sheet.at(sheet.x * 1.8, sheet.y * 1.8)
    longitude, latitude, light, outline = _globe(small, 0.9)
    bands = small.at(torch.zeros_like(longitude), latitude).noise(sheet.uniform(2.5, 5), 2)
    tilt = sheet.uniform(0.18, 0.4)
    reach = torch.sqrt(sheet.x**2 + (sheet.y / tilt) ** 2 + 1e-6)
    grooves = line_value(torch.floor(reach * 26), sheet.key())
    ring = torch.maximum(0.66 - reach, reach - 0.97) * tilt
    ring_color = tint(blend(sheet.colors[1], sheet.colors[0], grooves), 0.3 * (grooves - 0.5))
    stack = Stack(sheet)
    stack.add(ring_color, ring)
    own = Stack(sheet)
    own.add(gradient(0.5 + 0.55 * bands, sheet.colors), outline / 1.8)
    own.light(light)
    globe = own.layer()
    stack.glaze(globe.picture, globe.coverage)
    stack.glaze(ring_color, cover(ring, sheet.pixel) * cover(-sheet.y, sheet.pixel))
    return stack.layer()


@PLANET.shape
def living_planet(sheet: Sheet) -> Layer:
    """Seas, land, clouds and a thin sky."""
    longitude, latitude, light, outline = _globe(sheet, 0.88)
    surface = sheet.at(longitude, latitude)
    land = ramp(surface.warped(0.15, 2.0).noise(1.4, 4, 0.55), 0.02, 0.1)
    ice = ramp(latitude.abs() + 0.1 * surface.noise(3.0, 2), 0.82, 0.9)
    cloud = ramp(surface.warped(0.25, 1.5).noise(2.2, 4, 0.6, stretch=0.6), 0.1, 0.6)
    color = blend(
        tint(sheet.colors[0], 0.1 * surface.noise(2.0)),
        tint(sheet.colors[2], 0.35 * surface.noise(4.0, 3)),
        land,
    )
    color = blend(color, sheet.colors[1], torch.maximum(ice, 0.9 * cloud))
    stack = Stack(sheet)
    stack.add(color, outline)
    stack.light(light)
    stack.glaze(
        sheet.colors[0] * 0.5 + 0.4,
        ramp(outline, -0.08, 0.0) * ramp(outline, 0.08, 0.0) * (light * 0.6).clamp(0, 0.8),
    )
    return stack.layer()


@PLANET.held_out_shape
def molten_planet(sheet: Sheet) -> Layer:
    """A crust in plates, with bright cracks."""
    longitude, latitude, light, outline = _globe(sheet, 0.9)
    bent = sheet.at(longitude, latitude).warped(0.12, 2.0)
    cells = voronoi(bent.x * 2.5, bent.y * 2.5, sheet.key(), 0.9)
    color = tint(blend(sheet.colors[2], sheet.colors[0], cells.a * 0.7), 0.3 * bent.noise(5.0, 3))
    color = blend(color, sheet.colors[1], torch.exp(-cells.edge * 18))
    stack = Stack(sheet)
    stack.add(color, outline)
    stack.light(light)
    return stack.layer()
