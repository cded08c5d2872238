"""What is flat behind things: skies, plain walls, long gradients, silhouettes of one colour.

A network that has only seen textures has strong features of slight noise where a picture is flat.
"""

from typing import Literal

import torch
from torch import Tensor

from models.procedural.backgrounds import BACKGROUNDS, ROUGH, Scenery
from models.procedural.fields import cover, disc, ramp, rotate
from models.procedural.palettes import blend, dark_to_light, gradient
from models.procedural.sheet import Sheet

SceneryName = Literal["rough", "open"]


def plain(sheet: Sheet) -> Tensor:
    """One colour."""
    return sheet.colors[0].expand(-1, -1, *sheet.x.shape[1:])


def long_gradient(sheet: Sheet) -> Tensor:
    """A gradient of two to four colours across the picture, in any direction."""
    _, along = rotate(sheet.x, sheet.y, sheet.uniform(-3.1, 3.1))
    value = 0.5 + sheet.uniform(0.15, 0.5) * along
    few, many = gradient(value, sheet.colors[:2]), gradient(value, sheet.colors)
    return torch.lerp(few, many, sheet.chance(0.4)[:, None])


def clear_sky(sheet: Sheet) -> Tensor:
    """From a darker zenith to a pale horizon, in neighbouring colours."""
    *_, middle, pale = dark_to_light(sheet.colors)
    zenith = blend(pale, middle, sheet.uniform(0.2, 1.0))
    low = sheet.uniform(0.2, 1.2)
    return blend(zenith, pale, ramp(sheet.y, -1.0, low))


def sunset(sheet: Sheet) -> Tensor:
    """Light around a sun low in the sky, whose disc may be seen."""
    dark, middle, bright, pale = dark_to_light(sheet.colors)
    x, y = sheet.x - sheet.uniform(-0.8, 0.8), sheet.y - sheet.uniform(-0.2, 1.0)
    far = torch.sqrt(x * x + (y * sheet.uniform(1.0, 2.0)) ** 2 + 1e-9) / sheet.uniform(0.8, 1.8)
    sky = gradient(far, [pale, bright, middle, blend(middle, dark, 0.5)])
    sun = cover(disc(x, y, sheet.uniform(0.06, 0.25)), sheet.pixel) * sheet.chance(0.4)
    return blend(sky, blend(pale, torch.ones_like(pale), 0.5), sun)


def haze(sheet: Sheet) -> Tensor:
    """A gradient with faint, wide clouds."""
    light = dark_to_light(sheet.colors)[2:]
    value = 0.5 + 0.3 * sheet.y + sheet.uniform(0.02, 0.15) * sheet.noise(0.6, 2, stretch=0.4)
    return gradient(value, light)


def horizon(sheet: Sheet) -> Tensor:
    """A clear sky above flat land or sea, whose edge is sharp or lost in haze."""
    dark, middle, *_ = dark_to_light(sheet.colors)
    below = sheet.y - sheet.uniform(-0.4, 0.7) - sheet.uniform(-0.05, 0.05) * sheet.x
    near = blend(middle, dark, sheet.uniform(0, 1))
    ground = blend(middle, near, ramp(below, 0.0, sheet.uniform(0.3, 1.5)))
    hazy = ramp(below, -0.15, 0.15)
    edge = torch.lerp(cover(-below, sheet.pixel), hazy, sheet.chance(0.3))
    return blend(clear_sky(sheet), ground, edge)


def silhouettes(sheet: Sheet) -> Tensor:
    """Hills of one colour each, paler with distance, under a clear sky."""
    dark, *_, pale = dark_to_light(sheet.colors)
    picture = clear_sky(sheet)
    first = sheet.uniform(-0.3, 0.4)
    for layer in range(3):
        rise = sheet.uniform(0.05, 0.3) * sheet.noise_over_x(sheet.uniform(0.5, 1.6), 3)
        below = sheet.y - first - 0.3 * layer - rise
        picture = blend(picture, blend(pale, dark, 0.35 + 0.3 * layer), cover(-below, sheet.pixel))
    return picture


SKIES = Scenery((plain, long_gradient, clear_sky, sunset, haze, horizon, silhouettes), clean=0.75)

OPEN = Scenery((*BACKGROUNDS, *SKIES.backgrounds), clean=0.5)
"""Half of what lies behind things is flat, and half of the pictures have no dirt on them."""

SCENERIES: dict[SceneryName, Scenery] = {"rough": ROUGH, "open": OPEN}
