"""Face, butterfly, fish."""

import torch
from torch import Tensor

from models.procedural.fields import capsule, cover, disc, ellipse, lens, polar, ramp, rotate, wave
from models.procedural.lattice import marks
from models.procedural.lighting import sphere
from models.procedural.palettes import blend, gradient, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

FACE = draws(
    "face",
    "object",
    ("e3b18f", "5a3422", "b5483f", "f5f0ea"),
    ("9a6444", "201512", "8a3a34", "f4ede4"),
    turn=0.25,
)


def _features(sheet: Sheet, stack: Stack, smile: Tensor, openness: Tensor, brow: Tensor) -> None:
    """Eyes, brows, nose, mouth."""
    side = torch.sign(sheet.x)
    u, v = sheet.x.abs() - sheet.uniform(0.3, 0.38), sheet.y + sheet.uniform(0.1, 0.22)
    eye = lens(u, v, 0.17, sheet.uniform(0.07, 0.13))
    stack.shade(sheet.colors[1], cover(eye - 0.02, sheet.pixel) * 0.7)
    stack.shade(sheet.colors[3], cover(eye, sheet.pixel))
    gaze = sheet.uniform(-0.06, 0.06)
    pupil = disc(u - gaze * side, v, 0.075)
    stack.shade(sheet.colors[1] * 0.5, cover(pupil, sheet.pixel) * cover(eye, sheet.pixel))
    arch = v + 0.2 - 0.6 * u * u + brow * u
    stack.shade(sheet.colors[1], cover(torch.maximum(arch.abs() - 0.035, u.abs() - 0.19), sheet.pixel))
    nose, along = capsule(sheet.x * (1 + 0.3 * side), sheet.y, 0.0, -0.05, 0.05, 0.2)
    stack.light(1 - 0.28 * ramp(nose - 0.02 - 0.05 * along, 0.05, -0.02))
    mouth_y = sheet.y - 0.47 + smile * (sheet.x * sheet.x * 1.6 - 0.08)
    lips = (
        torch.sqrt((mouth_y / (0.05 + openness)) ** 2 + (sheet.x / sheet.uniform(0.26, 0.38)) ** 2 + 1e-6) - 1
    )
    stack.shade(sheet.colors[2], ramp(lips, 0.06, -0.06))
    stack.shade(
        sheet.colors[1] * 0.5,
        ramp(mouth_y.abs() - 0.02 - openness * 0.5, 0.02, -0.01) * ramp(lips, 0.0, -0.15),
    )


def _skin(sheet: Sheet, outline: Tensor) -> Tensor:
    """Skin, with a round fall of light and red cheeks."""
    cheek = torch.exp(-(((sheet.x.abs() - 0.42) ** 2) + (sheet.y - 0.2) ** 2) * 16)
    base = tint(
        sheet.colors[0],
        0.22 * ramp(outline, 0.0, -0.5) - 0.2 + 0.18 * sheet.x * sheet.sign() + 0.05 * sheet.noise(4.0, 3),
    )
    return blend(base, sheet.colors[2], 0.25 * cheek)


@FACE.shape
def person(sheet: Sheet) -> Layer:
    """With hair around the head."""
    outline = ellipse(sheet.x, sheet.y - 0.05 * sheet.y * sheet.y, sheet.uniform(0.62, 0.74), 0.86)
    hair = tint(sheet.colors[1], 0.35 * sheet.noise(9.0, 2, stretch=3.0))
    stack = Stack(sheet)
    long = sheet.uniform(0.0, 0.6)
    stack.add(
        hair, torch.maximum(ellipse(sheet.x, sheet.y + 0.12, 0.84, 0.95 + 0.3 * long), sheet.y - 0.2 - long)
    )
    stack.add(_skin(sheet, outline), outline)
    _features(sheet, stack, sheet.uniform(-0.3, 0.9), sheet.uniform(0.0, 0.06), sheet.uniform(-0.3, 0.3))
    fringe = torch.maximum(
        outline, sheet.y + sheet.uniform(0.42, 0.58) - 0.25 * (sheet.x - sheet.uniform(-0.4, 0.4)) ** 2
    )
    stack.shade(hair, cover(fringe, sheet.pixel))
    return stack.layer()


@FACE.shape
def smiley(sheet: Sheet) -> Layer:
    """A disc with dots and an arc."""
    light, _ = sphere(sheet.x, sheet.y, 1.1)
    stack = Stack(sheet)
    stack.add(sheet.colors[1], disc(sheet.x, sheet.y, 0.9))
    stack.add(tint(sheet.colors[0], 0.35 * (light - 0.6)), disc(sheet.x, sheet.y, 0.84))
    eye = ellipse(
        sheet.x.abs() - sheet.uniform(0.26, 0.34),
        sheet.y + 0.22,
        sheet.uniform(0.08, 0.13),
        sheet.uniform(0.12, 0.2),
    )
    stack.shade(sheet.colors[1] * 0.5, cover(eye, sheet.pixel))
    mood = torch.where(sheet.chance(0.75) > 0, 1.0, -1.0)
    v = (sheet.y - 0.12) * mood + torch.where(mood < 0, 0.25, 0.0)
    mouth = torch.maximum((disc(sheet.x, v, 0.46)).abs() - sheet.uniform(0.04, 0.07), 0.1 - v)
    stack.shade(sheet.colors[1] * 0.5, cover(mouth, sheet.pixel))
    return stack.layer()


@FACE.shape
def bearded(sheet: Sheet) -> Layer:
    """Bald or nearly, with a beard."""
    outline = ellipse(sheet.x, sheet.y, 0.68, 0.88)
    stack = Stack(sheet)
    ear = ellipse(sheet.x.abs() - 0.7, sheet.y, 0.12, 0.2)
    stack.add(tint(sheet.colors[0], -0.15), ear)
    stack.add(_skin(sheet, outline), outline)
    beard = torch.maximum(outline - 0.1, 0.18 - sheet.y + 0.25 * ramp(sheet.x.abs(), 0.35, 0.6) * -1)
    mask = cover(torch.maximum(beard, -ellipse(sheet.x, sheet.y - 0.1, 0.4, 0.24)), sheet.pixel)
    stack.glaze(tint(sheet.colors[1], 0.4 * sheet.noise(11.0, 2, stretch=2.5)), mask)
    _features(sheet, stack, sheet.uniform(0.0, 0.6), sheet.uniform(0.0, 0.05), sheet.uniform(-0.4, 0.4))
    return stack.layer()


@FACE.shape
def painted_mask(sheet: Sheet) -> Layer:
    """A carved mask with bands of paint."""
    outline = torch.maximum(ellipse(sheet.x, sheet.y, 0.7, 0.95), -sheet.y - 0.85)
    stack = Stack(sheet)
    bands = ramp(torch.sin(sheet.y * sheet.uniform(8, 14) + sheet.x.abs() * sheet.uniform(-6, 6)), -0.1, 0.1)
    wood = tint(sheet.colors[0], 0.15 * sheet.noise(5.0, 3) + 0.2 * ramp(outline, 0.0, -0.4) - 0.1)
    stack.add(blend(wood, sheet.colors[2], bands * ramp(sheet.x.abs(), 0.2, 0.26) * 0.8), outline)
    _features(sheet, stack, sheet.uniform(-0.6, 0.6), sheet.uniform(0.04, 0.12), sheet.uniform(-0.8, 0.8))
    return stack.layer()


@FACE.held_out_shape
def with_glasses(sheet: Sheet) -> Layer:
    """Round glasses, short hair."""
    outline = ellipse(sheet.x, sheet.y, 0.7, 0.85)
    stack = Stack(sheet)
    hair = tint(sheet.colors[1], 0.3 * sheet.noise(10.0, 2))
    stack.add(hair, torch.maximum(disc(sheet.x, sheet.y + 0.22, 0.8), sheet.y))
    stack.add(_skin(sheet, outline), outline)
    _features(sheet, stack, sheet.uniform(0.0, 0.8), sheet.uniform(0.0, 0.04), sheet.uniform(-0.2, 0.2))
    rim = (disc(sheet.x.abs() - 0.34, sheet.y + 0.15, 0.24)).abs() - 0.03
    bridge = torch.maximum((sheet.y + 0.18).abs() - 0.025, sheet.x.abs() - 0.1)
    stack.shade(sheet.colors[1] * 0.5, cover(torch.minimum(rim, bridge), sheet.pixel))
    stack.shade(hair, cover(torch.maximum(outline, sheet.y + 0.5 - 0.3 * sheet.x * sheet.x), sheet.pixel))
    return stack.layer()


BUTTERFLY = draws(
    "butterfly",
    "object",
    ("e0782a", "1f1712", "f6d9a0", "3a6fb5"),
    ("3f7fc9", "141a2a", "dfeefa", "f0c24a"),
    turn=3.14,
)


def _wings(sheet: Sheet, upper: Tensor, lower: Tensor, veined: float, spots: float, eyes: float) -> Layer:
    """Wings from two distances over (|x|, y): dark rim with pale spots, veins, eye spots; then the body."""
    u, v = sheet.x.abs(), sheet.y
    stack = Stack(sheet)
    for distance, root in ((lower, 0.12), (upper, -0.08)):
        radius, angle = polar(u, v - root)
        color = gradient((radius * 0.9).clamp(0, 1), [sheet.colors[2], sheet.colors[0], sheet.colors[0]])
        color = tint(color, 0.12 * sheet.at(u, v).noise(6.0, 3))
        vein = ramp(wave(angle * 3.2) * radius, 0.022, 0.012) * ramp(radius, 0.1, 0.3)
        color = blend(color, sheet.colors[1], veined * vein)
        rim = ramp(distance, -0.17, -0.11)
        color = blend(color, sheet.colors[1], rim)
        bead = disc(wave(angle * 3.2 + 0.5) * radius * 1.0, distance + 0.075, 0.035)
        color = blend(color, sheet.colors[2], spots * cover(bead, sheet.pixel))
        if eyes:
            spot = disc(u - 0.5, v - (root + 0.28 if root > 0 else root - 0.3), 0.0)
            for size, role in ((0.17, 1), (0.14, 2), (0.1, 3), (0.05, 1)):
                color = blend(color, sheet.colors[role], cover(spot - size * eyes, sheet.pixel))
        stack.add(color, distance)
    body = ellipse(sheet.x, v, 0.06, 0.42)
    stack.add(tint(sheet.colors[1], 0.3 * torch.sin(v * 40) + 0.15), body)
    feeler, _ = capsule(u, v, 0.02, -0.38, sheet.uniform(0.15, 0.3), -0.8)
    stack.add(sheet.colors[1], feeler - 0.014)
    return stack.layer()


def _wing(u: Tensor, v: Tensor, angle: Tensor, length: Tensor | float, width: Tensor | float) -> Tensor:
    """An egg shape that starts at the origin and widens outwards."""
    x, y = rotate(u, v, angle)
    part = (x / length).clamp(0, 1)
    return ellipse(x - length / 2, y, length / 2, width * (0.55 + 0.6 * part))


@BUTTERFLY.shape
def monarch(sheet: Sheet) -> Layer:
    u, v = sheet.x.abs(), sheet.y
    upper = _wing(u, v + 0.05, sheet.uniform(-0.75, -0.45), 1.05, 0.34)
    lower = _wing(u, v - 0.08, sheet.uniform(0.5, 0.8), 0.8, 0.32)
    return _wings(sheet, upper, lower, 1.0, 1.0, 0.0)


@BUTTERFLY.shape
def swallowtail(sheet: Sheet) -> Layer:
    """Long tails on the lower wings."""
    u, v = sheet.x.abs(), sheet.y
    upper = _wing(u, v + 0.05, sheet.uniform(-0.7, -0.4), 1.1, 0.3)
    lower = _wing(u, v - 0.05, sheet.uniform(0.8, 1.05), 0.75, 0.26)
    tail, _ = capsule(u, v, 0.4, 0.6, sheet.uniform(0.42, 0.6), 1.0)
    return _wings(sheet, upper, torch.minimum(lower, tail - 0.06), 0.8, 1.0, 0.0)


@BUTTERFLY.shape
def with_eyes(sheet: Sheet) -> Layer:
    """Broad wings with an eye on each."""
    u, v = sheet.x.abs(), sheet.y
    upper = _wing(u, v + 0.05, sheet.uniform(-0.7, -0.5), 1.05, 0.42)
    lower = _wing(u, v - 0.08, sheet.uniform(0.55, 0.75), 0.85, 0.38)
    return _wings(sheet, upper, lower, 0.2, 0.0, 1.0)


@BUTTERFLY.shape
def polar_wings(sheet: Sheet) -> Layer:
    """One outline for all four wings, from a polar curve."""
    radius, angle = polar(sheet.x.abs(), sheet.y)
    deep = sheet.uniform(0.15, 0.3)
    curve = (
        0.62
        + 0.3 * torch.cos((angle + 0.1) * 4 + 2.6)
        + deep * torch.sin(angle * -1.0)
        + 0.05 * torch.cos(angle * 14)
    )
    distance = (radius - curve.clamp_min(0.1)) * 0.75
    return _wings(sheet, distance, distance, 0.6, 1.0, 0.0)


@BUTTERFLY.held_out_shape
def ragged_wings(sheet: Sheet) -> Layer:
    """Scalloped rims, small eyes and veins."""
    u, v = sheet.x.abs(), sheet.y
    _, angle = polar(u, v)
    scallop = 0.035 * torch.cos(angle * 20)
    upper = _wing(u, v + 0.05, sheet.uniform(-0.7, -0.45), 1.0, 0.38) + scallop
    lower = _wing(u, v - 0.08, sheet.uniform(0.55, 0.85), 0.82, 0.34) + scallop
    return _wings(sheet, upper, lower, 0.7, 0.0, 0.6)


FISH = draws("fish", "object", ("e8742a", "f6efe2", "24334a"), ("4f8fb0", "d9e8e6", "1f3a4f"), turn=0.4)


def _fish(sheet: Sheet, deep: Tensor, tail: Tensor, pattern: str, fin: float) -> Layer:
    """A fish that looks to -x: body, fins, tail, gills, scales and a pattern."""
    x, y = sheet.x, sheet.y + 0.05 * torch.sin(sheet.x * 3 + sheet.uniform(0, 6))
    part = ((x + 0.9) / 1.5).clamp(0, 1)
    profile = deep * torch.sqrt((part * (1.04 - part)).clamp_min(0)) * (1.9 - 0.7 * part)
    body = torch.maximum(y.abs() - profile, (x + 0.15).abs() - 0.77) * 0.8
    fan = (x - 0.5).clamp_min(0)
    forked = torch.maximum(y.abs() - 0.05 - fan * tail, x - 0.98 + 0.25 * (1 - y.abs() / 0.4))
    tail_shape = torch.maximum(forked, 0.5 - x)
    rays = tint(sheet.colors[2], 0.35 * torch.sin(torch.atan2(y, x - 0.3) * 40) + 0.2)
    stack = Stack(sheet)
    back = torch.maximum(-y - profile - fin * ramp(x, -0.5, 0.0) * ramp(x, 0.55, 0.1), (x + 0.05).abs() - 0.5)
    stack.add(rays, torch.maximum(back, y))
    belly = torch.maximum(
        y - profile - fin * 0.7 * ramp(x, 0.0, 0.2) * ramp(x, 0.5, 0.3), (x - 0.2).abs() - 0.32
    )
    stack.add(rays, torch.maximum(belly, -y))
    stack.add(rays, tail_shape)
    skin = blend(sheet.colors[0], sheet.colors[1], ramp(y, -0.05, deep * 0.8))
    if pattern == "bands":
        skin = blend(skin, sheet.colors[1], ramp(torch.cos(x * 7.5 + 0.8 * y), 0.35, 0.5))
        skin = blend(skin, sheet.colors[2], ramp((torch.cos(x * 7.5 + 0.8 * y) - 0.4).abs(), 0.12, 0.06))
    elif pattern == "spots":
        for mark in marks(x * 6, y * 6, sheet.key(), jitter=0.6):
            skin = blend(skin, sheet.colors[2], cover((disc(mark.dx, mark.dy, 0.3)) / 6, sheet.pixel) * 0.8)
    elif pattern == "stripes":
        skin = blend(skin, sheet.colors[2], ramp(torch.cos(y * 22), 0.2, 0.5) * 0.8)
    row = torch.round(y * 11)
    u, v = x * 9 + 0.5 * torch.remainder(row, 2), y * 11 - row
    scale = disc(u - torch.round(u), v, 0.0)
    skin = tint(
        skin, 0.22 * (scale - 0.35) * ramp(x, -0.55, -0.4) + 0.3 * ramp(y.abs() / deep, 0.7, 0.1) - 0.1
    )
    gill = (disc(x + 0.75, y, 0.36)).abs() - 0.012
    skin = blend(skin, sheet.colors[2], 0.6 * cover(torch.maximum(gill, -x - 0.7), sheet.pixel))
    stack.add(skin, body)
    side, along = capsule(x, y, -0.2, 0.08, 0.08, 0.2)
    stack.shade(rays, cover(side - 0.05 - 0.08 * along, sheet.pixel) * 0.9)
    eye = disc(x + 0.66, y + 0.08, 0.0)
    stack.add(sheet.colors[1], eye - 0.085)
    stack.add(sheet.colors[2] * 0.4, eye - 0.05)
    mouth = torch.maximum((y - 0.1).abs() - 0.014, (x + 0.86).abs() - 0.07)
    stack.shade(sheet.colors[2], cover(mouth, sheet.pixel))
    return stack.layer()


@FISH.shape
def clown_fish(sheet: Sheet) -> Layer:
    return _fish(sheet, sheet.uniform(0.42, 0.55), sheet.uniform(0.6, 0.9), "bands", 0.16)


@FISH.shape
def trout(sheet: Sheet) -> Layer:
    """Slender, spotted."""
    return _fish(sheet, sheet.uniform(0.3, 0.4), sheet.uniform(0.6, 0.9), "spots", 0.12)


@FISH.shape
def disc_fish(sheet: Sheet) -> Layer:
    """High-backed, with tall fins."""
    return _fish(sheet, sheet.uniform(0.65, 0.8), sheet.uniform(0.5, 0.8), "stripes", 0.25)


@FISH.shape
def goldfish(sheet: Sheet) -> Layer:
    """Plain, with a large tail."""
    return _fish(sheet, sheet.uniform(0.42, 0.58), sheet.uniform(1.0, 1.4), "plain", 0.22)


@FISH.held_out_shape
def perch(sheet: Sheet) -> Layer:
    """Banded and spiny."""
    return _fish(sheet, sheet.uniform(0.3, 0.38), sheet.uniform(0.7, 1.1), "bands", 0.3)
