"""Swirling night, scribble, paisley."""

import torch
from torch import Tensor

from models.procedural import noise
from models.procedural.fields import TAU, cover, disc, polar, ramp, rotate, segments, turn, wave
from models.procedural.flow import around, strokes
from models.procedural.lattice import Mark, marks
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, dark_to_light, gradient, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

NIGHT = draws(
    "swirling night",
    "scene",
    ("14234f", "2f5fa0", "7fb0c9", "f6d860"),
    ("101b3f", "3a4fa0", "8fb5d9", "ffe9a0"),
    turn=0.3,
)


def _vortices(sheet: Sheet, count: int, tight: float) -> Tensor:
    """A potential whose level lines whirl around ``count`` places and flow on between them."""
    field = 0.5 * sheet.y + 0.25 * sheet.noise(0.7, 1)
    for _ in range(count):
        u, v = sheet.x - sheet.uniform(-1, 1), sheet.y - sheet.uniform(-0.9, 0.5)
        field = field + sheet.sign() * sheet.uniform(0.5, 0.9) * torch.exp(-(u * u + v * v) * tight)
    return field


def _stars(sheet: Sheet, count: int) -> tuple[Tensor, Tensor]:
    """Brightness of stars with rings of light, and distance to the nearest in its own size."""
    light, nearest = torch.zeros_like(sheet.x), torch.full_like(sheet.x, 9.0)
    for _ in range(count):
        size = sheet.log_uniform(0.1, 0.3)
        radius, _ = polar(sheet.x - sheet.uniform(-1, 1), sheet.y - sheet.uniform(-1, 0.5))
        light = torch.maximum(light, torch.exp(-((radius / size) ** 2) * 1.6))
        nearest = torch.minimum(nearest, radius / size)
    return light, nearest


def _night(sheet: Sheet, potential: Tensor, stars: int, length: float, grain: float) -> Tensor:
    """Strokes along the flow, dark to light by its bands, stars above."""
    light, nearest = _stars(sheet, stars)
    u, v = around(potential + 0.35 * torch.exp(-nearest * nearest))
    paint = strokes(sheet, u, v, sheet.uniform(length * 0.8, length), grain, channels=2)
    bands = torch.sin(potential * sheet.uniform(6, 11) + sheet.uniform(0, 6))
    colors = dark_to_light(sheet.colors)
    tone = 0.36 + 0.2 * bands + 0.11 * paint[:, 0]
    picture = gradient(tone, colors[:3])
    glow = (light + 0.25 * torch.cos(nearest * 7) * light + 0.1 * paint[:, 1] * light).clamp(0, 1)
    picture = blend(picture, colors[3], ramp(glow, 0.15, 0.85))
    return lit(picture, relief(sheet, 0.013 * paint[:, 0], gloss=0.1))


@NIGHT.variant
def two_whirls(sheet: Sheet) -> Tensor:
    return _night(sheet, _vortices(sheet, 2, 4.0), 4, 0.07, 2.2)


@NIGHT.variant
def many_stars(sheet: Sheet) -> Tensor:
    return _night(sheet, _vortices(sheet, 1, 3.0), 8, 0.06, 2.4)


@NIGHT.variant
def over_hills(sheet: Sheet) -> Tensor:
    """A dark ridge, and a tree that reaches into the sky."""
    picture = _night(sheet, _vortices(sheet, 2, 4.5), 5, 0.07, 2.2)
    dark = dark_to_light(sheet.colors)
    ridge = 0.55 + 0.2 * sheet.noise_over_x(0.9, 2) - sheet.y
    u, v = torch.ones_like(sheet.x), 0.6 * sheet.noise_over_x(0.9, 2)
    land = strokes(sheet, u, v, sheet.uniform(0.05, 0.07), 2.4)[:, 0]
    picture = blend(picture, tint(dark[1] * 0.7, 0.25 * land), cover(ridge, sheet.pixel))
    side = sheet.x - sheet.uniform(-0.8, 0.8) - 0.06 * torch.sin(sheet.y * 9)
    tree = side.abs() - 0.16 * ramp(sheet.y, -0.9, 0.6)
    return blend(picture, tint(dark[0] * 0.6, 0.3 * land), cover(tree, sheet.pixel))


@NIGHT.variant
def dashes_around_stars(sheet: Sheet) -> Tensor:
    """Separate dashes in rings around every star, others along the flow."""
    potential = _vortices(sheet, 2, 3.5)
    light, nearest = _stars(sheet, 5)
    right, down = around(potential * 0.5 + torch.exp(-nearest * 0.8))
    angle = torch.atan2(down, right)
    frequency = sheet.log_uniform(5.0, 7.0)
    colors = dark_to_light(sheet.colors)
    tone = 0.35 + 0.25 * torch.sin(potential * 9)
    picture = gradient(tone * 0.7, colors[:3])
    for mark in marks(sheet.x * frequency, sheet.y * frequency, sheet.key(), jitter=0.6):
        u, v = turn(mark.dx, mark.dy, angle)
        dash = torch.maximum(u.abs() - 0.5, v.abs() - 0.15)
        color = blend(
            gradient((tone + 0.5 * (mark.c - 0.4)).clamp(0, 1), colors[:3]), colors[3], ramp(light, 0.12, 0.6)
        )
        picture = blend(picture, tint(color, 0.3 * (mark.d - 0.5)), cover(dash / frequency, sheet.pixel))
    return blend(picture, colors[3], ramp(light, 0.75, 0.95))


@NIGHT.held_out
def moon_and_whirls(sheet: Sheet) -> Tensor:
    """Many small whirls, one crescent moon."""
    picture = _night(sheet, _vortices(sheet, 4, 8.0), 2, 0.06, 2.2)
    x, y = sheet.x - sheet.uniform(-0.7, 0.7), sheet.y + sheet.uniform(0.2, 0.8)
    size = sheet.uniform(0.16, 0.28)
    crescent = torch.maximum(disc(x, y, size), -disc(x - size * 0.5, y + size * 0.2, size * 0.85))
    return blend(picture, dark_to_light(sheet.colors)[3], cover(crescent, sheet.pixel))


SCRIBBLE = draws(
    "scribble", "scene", ("f4f0e4", "24407f", "c0392b"), ("efe6d2", "26221f", "2f7f4f"), turn=3.14
)


def _paper(sheet: Sheet) -> Tensor:
    return tint(sheet.colors[0], 0.06 * sheet.noise(7.0, 4)).expand(-1, -1, *sheet.x.shape[1:])


def _drawn(
    sheet: Sheet, picture: Tensor, color: Tensor, x: Tensor, y: Tensor, width: Tensor, waxy: float
) -> Tensor:
    """A line through points x and y (n, s), with the texture of a pen (0) or a crayon (1)."""
    ends = torch.stack([x[:, :-1], y[:, :-1], x[:, 1:], y[:, 1:]], -1)
    radii = width[:, 0, :, None].expand(-1, ends.shape[1], 2)
    distance = segments(sheet.x, sheet.y, ends, radii)
    if waxy:
        distance = distance + waxy * width * (sheet.noise(16.0, 2) + 0.3)
    return blend(picture, color, cover(distance, sheet.pixel) * (1 - 0.15 * waxy))


def _time(sheet: Sheet, pieces: int) -> Tensor:
    return torch.linspace(0, 1, pieces + 1, device=sheet.x.device)[None]


def _wander(sheet: Sheet, time: Tensor, speed: float, swing: float) -> tuple[Tensor, Tensor]:
    """A smooth random path: a sum of waves."""
    x, y = torch.zeros_like(time), torch.zeros_like(time)
    for _ in range(4):
        pace = sheet.uniform(0.4, 1.0)[:, 0] * speed
        x = x + swing * sheet.uniform(0.15, 0.55)[:, 0] * torch.sin(pace * time + sheet.uniform(0, 6)[:, 0])
        y = y + swing * sheet.uniform(0.15, 0.55)[:, 0] * torch.sin(
            pace * 1.1 * time + sheet.uniform(0, 6)[:, 0]
        )
    return x, y


@SCRIBBLE.variant
def tangle(sheet: Sheet) -> Tensor:
    x, y = _wander(sheet, _time(sheet, 110), 34.0, 0.85)
    return _drawn(sheet, _paper(sheet), sheet.colors[1], x, y, sheet.uniform(0.01, 0.022), 0.0)


@SCRIBBLE.variant
def handwriting(sheet: Sheet) -> Tensor:
    """Rows of loops."""
    picture = _paper(sheet)
    time = _time(sheet, 72)
    rows = 3
    for row in range(rows):
        loops = sheet.uniform(40, 60)[:, 0]
        height = 0.14 * (1 + 0.8 * torch.sin(time * 17 + sheet.uniform(0, 6)[:, 0]))
        x = -0.85 + 1.6 * time + 0.07 * torch.cos(loops * time)
        y = -0.55 + 0.55 * row + height * torch.sin(loops * time) + 0.03 * torch.sin(time * 5)
        picture = _drawn(sheet, picture, sheet.colors[1], x, y, sheet.uniform(0.01, 0.018), 0.0)
    return picture


@SCRIBBLE.variant
def crayon_shading(sheet: Sheet) -> Tensor:
    """To and fro, to fill a patch; two crayons."""
    picture = _paper(sheet)
    for color in sheet.colors[1:]:
        time = _time(sheet, 56)
        angle = sheet.uniform(0, TAU)
        steps = torch.arange(57, device=sheet.x.device)[None]
        reach = sheet.uniform(0.4, 0.8)[:, 0] * (1 + 0.25 * noise.white(sheet.key(), 1, 1, 57)[:, 0, 0])
        x, y = (torch.remainder(steps, 2) * 2 - 1) * reach, (time - 0.5) * sheet.uniform(1.2, 1.9)[:, 0]
        turned_x, turned_y = rotate(x[..., None], y[..., None], angle)
        shifted_x = turned_x[..., 0] + sheet.uniform(-0.3, 0.3)[:, 0]
        picture = _drawn(sheet, picture, color, shifted_x, turned_y[..., 0], sheet.uniform(0.018, 0.035), 0.5)
    return picture


@SCRIBBLE.variant
def curls(sheet: Sheet) -> Tensor:
    """A path of loops, like a telephone cord, in two colours."""
    picture = _paper(sheet)
    for color in sheet.colors[1:]:
        time = _time(sheet, 100)
        x, y = _wander(sheet, time, 6.0, 0.9)
        size, pace = sheet.uniform(0.12, 0.28)[:, 0], sheet.uniform(60, 95)[:, 0]
        x, y = x + size * torch.cos(pace * time), y + size * torch.sin(pace * time)
        picture = _drawn(sheet, picture, color, x, y, sheet.uniform(0.01, 0.022), 0.25)
    return picture


@SCRIBBLE.held_out
def ball_of_string(sheet: Sheet) -> Tensor:
    """Round and round, to a dense ball."""
    picture = _paper(sheet)
    for color in sheet.colors[1:]:
        time = _time(sheet, 110)
        turns = sheet.uniform(50, 70)[:, 0]
        radius = sheet.uniform(0.3, 0.6)[:, 0] * (1 + 0.4 * torch.sin(time * 37) * torch.sin(time * 23 + 1))
        x = radius * torch.cos(turns * time) + sheet.uniform(-0.35, 0.35)[:, 0]
        y = (
            radius * torch.sin(turns * 1.03 * time + 0.6 * torch.sin(time * 29))
            + sheet.uniform(-0.35, 0.35)[:, 0]
        )
        picture = _drawn(sheet, picture, color, x, y, sheet.uniform(0.01, 0.02), 0.0)
    return picture


PAISLEY = draws(
    "paisley",
    "texture",
    ("8f1f33", "e9b44c", "f3e3c3", "1f5f6a"),
    ("243a6b", "d9783c", "f2e6cc", "7a2f4f"),
    turn=3.14,
)


def _drop(mark: Mark, bend: Tensor) -> Tensor:
    """Signed distance to a teardrop with a curled tip, in lattice units."""
    angle = (mark.c - 0.5) * 0.7
    u, v = turn(mark.dx, mark.dy, angle)
    tip = (0.3 - v).clamp_min(0)
    u = u + bend * tip * tip * torch.where(mark.d > 0.5, 1.0, -1.0)
    narrow = 1 - 0.93 * ramp(v, 0.22, -0.58)
    return torch.maximum(torch.sqrt(u * u + (v - 0.18).clamp_min(0) ** 2 + 1e-6) - 0.3 * narrow, -v - 0.58)


def _nested(sheet: Sheet, distance: Tensor, rings: int, width: float) -> Tensor:
    """Outlines within outlines in the colours of the palette; only valid inside."""
    picture = sheet.colors[1].expand(-1, -1, *sheet.x.shape[1:])
    for ring in range(1, rings + 1):
        inside = distance + width * ring
        picture = blend(
            picture, sheet.colors[(ring * 2 + 1) % 4 if ring % 2 else 2], ramp(inside, 0.008, -0.008)
        )
    return picture


def _filled(
    sheet: Sheet, frequency: Tensor, rings: int, width: float, beads: float, scallops: float
) -> Tensor:
    """A cloth of drops."""
    bent = sheet.warped(0.03, 2.0)
    x, y = bent.x * frequency, bent.y * frequency * 0.85
    picture = tint(sheet.colors[0], 0.1 * sheet.noise(10.0, 2)).expand(-1, -1, *sheet.x.shape[1:])
    small = disc(x * 3 - torch.round(x * 3), y * 3 - torch.round(y * 3), 0.1) / 3
    picture = blend(picture, sheet.colors[2], cover(small / frequency, bent.pixel) * 0.7)
    bend = sheet.uniform(0.5, 0.9)
    for mark in marks(x, y, sheet.key(), jitter=0.12, brick=0.5):
        distance = _drop(mark, bend)
        _, angle = polar(mark.dx, mark.dy - 0.1)
        rim = distance - 0.03 - scallops * (0.5 + 0.5 * torch.cos(angle * 18))
        picture = blend(picture, sheet.colors[2], cover(rim / frequency, bent.pixel))
        inner = _nested(sheet, distance, rings, width)
        heart = disc(mark.dx, mark.dy - 0.2, 0.0)
        flower = heart - 0.09 * (1 + 0.4 * torch.cos(angle * 6))
        inner = blend(inner, sheet.colors[0], cover(flower / frequency, bent.pixel))
        if beads:
            dots = torch.maximum((distance + width * 1.5).abs() - 0.018, 0.25 - wave(angle * beads / TAU))
            inner = blend(inner, sheet.colors[0], ramp(dots, 0.01, -0.005))
        picture = blend(picture, inner, cover(distance / frequency, bent.pixel))
    return tint(picture, 0.07 * sheet.noise(20.0, 2))


@PAISLEY.variant
def nested_drops(sheet: Sheet) -> Tensor:
    return _filled(sheet, sheet.log_uniform(1.1, 2.2), 3, 0.065, 0.0, 0.0)


@PAISLEY.variant
def beaded_drops(sheet: Sheet) -> Tensor:
    return _filled(sheet, sheet.log_uniform(1.0, 1.8), 2, 0.085, 26.0, 0.0)


@PAISLEY.variant
def scalloped_drops(sheet: Sheet) -> Tensor:
    return _filled(sheet, sheet.log_uniform(1.0, 1.8), 2, 0.08, 0.0, 0.05)


@PAISLEY.variant
def drawn_drops(sheet: Sheet) -> Tensor:
    """Outlines only, as printed with a block."""
    frequency = sheet.log_uniform(1.1, 2.0)
    bent = sheet.warped(0.03, 2.0)
    picture = tint(sheet.colors[2], 0.08 * sheet.noise(6.0, 4)).expand(-1, -1, *sheet.x.shape[1:])
    bend = sheet.uniform(0.5, 0.9)
    for mark in marks(bent.x * frequency, bent.y * frequency * 0.85, sheet.key(), jitter=0.12, brick=0.5):
        distance = _drop(mark, bend)
        lines = torch.minimum(
            (distance + 0.01).abs(), torch.minimum((distance + 0.08).abs(), (distance + 0.16).abs())
        )
        _, angle = polar(mark.dx, mark.dy - 0.2)
        flower = (disc(mark.dx, mark.dy - 0.2, 0.07) - 0.03 * torch.cos(angle * 6)).abs()
        line = torch.minimum(lines + 9 * (distance > 0.03), flower) - 0.014
        picture = blend(picture, sheet.colors[0], cover(line / frequency, bent.pixel))
    return picture


@PAISLEY.held_out
def large_and_rayed(sheet: Sheet) -> Tensor:
    """Drops filled with rays, under two outlines."""
    frequency = sheet.log_uniform(1.0, 1.7)
    x, y = sheet.x * frequency, sheet.y * frequency * 0.85
    picture = tint(sheet.colors[3], 0.1 * sheet.noise(8.0, 2)).expand(-1, -1, *sheet.x.shape[1:])
    bend = sheet.uniform(0.5, 0.9)
    for mark in marks(x, y, sheet.key(), jitter=0.12, brick=0.5):
        distance = _drop(mark, bend)
        _, angle = polar(mark.dx, mark.dy - 0.2)
        fill = blend(sheet.colors[1], sheet.colors[0], ramp(torch.sin(angle * 14), -0.3, 0.3))
        fill = blend(fill, sheet.colors[2], ramp((distance + 0.05).abs(), 0.03, 0.015))
        fill = blend(fill, sheet.colors[2], ramp(disc(mark.dx, mark.dy - 0.2, 0.07), 0.01, -0.01))
        picture = blend(picture, sheet.colors[2], cover((distance - 0.03) / frequency, sheet.pixel))
        picture = blend(picture, fill, cover(distance / frequency, sheet.pixel))
    return picture
