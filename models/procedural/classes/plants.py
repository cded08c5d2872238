"""Flower, leaf, mushroom."""

import math

import torch
from torch import Tensor

from models.procedural.fields import (
    TAU,
    capsule,
    cover,
    disc,
    ellipse,
    fold_angle,
    lens,
    polar,
    ramp,
    rotate,
    wave,
)
from models.procedural.lattice import marks
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

FLOWER = draws(
    "flower",
    "object",
    ("d9477f", "f6b8cf", "f2c230"),
    ("f4efe2", "d8d2e8", "e8a820"),
    ("c93a3a", "f08a5a", "4a2a1a"),
    turn=3.14,
)


def _ring_of_petals(
    sheet: Sheet,
    stack: Stack,
    count: Tensor,
    reach: Tensor | float,
    wide: Tensor | float,
    turn: Tensor | float,
    point: float,
) -> None:
    """Petals in a ring, each over its neighbour, veined, darker to the middle."""
    x, y = rotate(sheet.x, sheet.y, turn)
    # Every second petal lies below.
    for half in (0.0, 1.0):
        u, v, sector = fold_angle(x, y, count)
        on = torch.remainder(sector, 2) == half
        bend = v + 0.15 * u * u * sheet.uniform(-1, 1)
        petal = (1 - point) * ellipse(u - reach * 0.55, bend, reach * 0.45, wide) + point * lens(
            u - reach * 0.52, bend, reach * 0.5, wide
        )
        petal = petal + torch.where(on, 0.0, 9.0)
        shade = (
            0.4 * (u / reach - 0.55)
            - 0.2 * ramp(bend.abs() / wide, 0.1, 0.0)
            - 0.25 * ramp(petal, -0.05, 0.0)
        )
        veins = 0.1 * torch.sin(bend / (u + 0.15) * 28)
        color = tint(blend(sheet.colors[1], sheet.colors[0], ramp(u / reach, 0.9, 0.2)), shade + veins)
        stack.add(color, petal)


def _heart_of_flower(sheet: Sheet, stack: Stack, size: Tensor | float) -> None:
    """A cushion of florets in a spiral."""
    radius, angle = polar(sheet.x, sheet.y)
    seeds = torch.sin(angle * 13 + radius * 60) * torch.sin(angle * -8 + radius * 60)
    dome = torch.sqrt((1 - (radius / size) ** 2).clamp_min(0))
    stack.add(tint(sheet.colors[2], 0.3 * seeds + 0.5 * dome - 0.35), radius - size)


@FLOWER.shape
def daisy(sheet: Sheet) -> Layer:
    stack = Stack(sheet)
    count = sheet.integer(5, 9) * 2
    _ring_of_petals(
        sheet, stack, count, 0.97, 2.6 / count * sheet.uniform(0.8, 1.1), sheet.uniform(0, 6), 0.0
    )
    _heart_of_flower(sheet, stack, sheet.uniform(0.2, 0.32))
    return stack.layer()


@FLOWER.shape
def double_flower(sheet: Sheet) -> Layer:
    """Three rings of pointed petals."""
    stack = Stack(sheet)
    count = sheet.integer(3, 6) * 2
    for ring in range(3):
        reach = 0.98 - 0.26 * ring
        wide = reach * 2.6 / count * sheet.uniform(0.85, 1.2)
        _ring_of_petals(sheet, stack, count, reach, wide, ring * math.pi / count + sheet.uniform(0, 0.2), 0.6)
    _heart_of_flower(sheet, stack, sheet.uniform(0.12, 0.18))
    return stack.layer()


@FLOWER.shape
def rose_curve(sheet: Sheet) -> Layer:
    """Few broad petals from a polar curve."""
    radius, angle = polar(sheet.x, sheet.y)
    count = sheet.integer(4, 7)
    lobe = torch.cos((angle + sheet.uniform(0, 6)) * count / 2).abs()
    outline = 0.95 * (0.42 + 0.58 * lobe.clamp_min(1e-3) ** sheet.uniform(0.5, 0.9))
    crease = 0.35 * ramp(lobe, 0.25, 0.0)
    color = blend(sheet.colors[1], sheet.colors[0], ramp(radius, 0.75, 0.15))
    stack = Stack(sheet)
    stack.add(
        tint(color, 0.3 * (radius - 0.5) - crease + 0.1 * torch.sin(angle * 60)), (radius - outline) * 0.7
    )
    _heart_of_flower(sheet, stack, sheet.uniform(0.14, 0.26))
    return stack.layer()


@FLOWER.shape
def rose(sheet: Sheet) -> Layer:
    """Petals wrapped around each other in a spiral."""
    bent = sheet.warped(0.05, 2.0)
    radius, angle = polar(bent.x, bent.y)
    outline = 0.9 + 0.07 * torch.cos(angle * 5 + sheet.uniform(0, 6))
    whorl = radius * sheet.uniform(3.5, 5.0) + angle / TAU + 0.16 * torch.sin(angle * 3 + radius * 9)
    part = whorl - torch.floor(whorl)
    color = blend(sheet.colors[0], sheet.colors[1], ramp(part, 0.45, 1.0) * 0.8)
    stack = Stack(sheet)
    stack.add(
        tint(color, 0.5 * (part - 0.6) - 0.4 * ramp(part, 0.12, 0.0) + 0.2 * (radius - 0.4)), radius - outline
    )
    return stack.layer()


@FLOWER.held_out_shape
def sunflower(sheet: Sheet) -> Layer:
    """Two rings of narrow petals around a large dark disc."""
    stack = Stack(sheet)
    count = sheet.integer(8, 11) * 2
    for ring in range(2):
        _ring_of_petals(sheet, stack, count, 0.98 - 0.1 * ring, 0.1, ring * math.pi / count, 0.8)
    _heart_of_flower(sheet, stack, sheet.uniform(0.36, 0.48))
    return stack.layer()


LEAF = draws("leaf", "object", ("5f9a3f", "a9c86a", "2f5a24"), ("c9702a", "e8b04a", "7a3018"), turn=3.14)


def _blade(sheet: Sheet, u: Tensor, v: Tensor, outline: Tensor, veins: Tensor | float, slant: float) -> Layer:
    """A leaf along u from -1 to 1: midrib, side veins, blistered between them, a stalk."""
    side = u - v.abs() * slant
    rib = wave(side * veins) / veins
    puffed = torch.sqrt(rib.clamp_min(1e-4))
    height = 0.07 * puffed - 0.05 * ramp(v.abs(), 0.06, 0.0)
    green = blend(sheet.colors[0], sheet.colors[1], (0.35 + 0.5 * sheet.noise(1.4, 3) + 0.3 * u).clamp(0, 1))
    green = tint(green, 0.1 * sheet.noise(9.0, 2) + torch.where(v > 0, -0.08, 0.08))
    fine = cover(torch.minimum(rib - 0.012, v.abs() - 0.022 + 0.012 * u), sheet.pixel)
    green = blend(green, sheet.colors[1], 0.8 * fine)
    stack = Stack(sheet)
    stalk, _ = capsule(u, v, -1.2, 0.06, -0.7, 0.0)
    stack.add(sheet.colors[2], stalk - 0.03)
    shaded = lit(green, relief(sheet, height, gloss=0.2))
    stack.add(blend(shaded, sheet.colors[2], ramp(outline, -0.06, 0.0) * 0.5), outline)
    return stack.layer()


@LEAF.shape
def simple_leaf(sheet: Sheet) -> Layer:
    bend = sheet.uniform(-0.25, 0.25)
    u, v = sheet.x, sheet.y - bend * (sheet.x * sheet.x - 0.4)
    return _blade(sheet, u, v, lens(u, v, 0.92, sheet.uniform(0.3, 0.5)), sheet.uniform(4, 7), 0.8)


@LEAF.shape
def heart_leaf(sheet: Sheet) -> Layer:
    """Broad at its foot."""
    u, v = sheet.x, sheet.y
    part = ((u + 0.8) / 1.75).clamp(0, 1)
    width = 0.72 * torch.sqrt(part * (1 - part) + 1e-4) * (2.1 - 1.5 * part) * sheet.uniform(0.85, 1.1)
    outline = torch.maximum(v.abs() - width, (u - 0.07).abs() - 0.88) * 0.75
    return _blade(sheet, u, v, outline, sheet.uniform(3.5, 6), 1.0)


@LEAF.shape
def lobed_leaf(sheet: Sheet) -> Layer:
    """An oak's: round lobes."""
    u, v = sheet.x, sheet.y - 0.1 * sheet.x * sheet.x
    lobes = sheet.uniform(2.2, 3.2)
    width = (
        0.45
        * torch.sqrt((1 - u * u).clamp_min(1e-4))
        * (0.72 + 0.33 * torch.cos((u - v.abs() * 0.6) * lobes * TAU))
    )
    outline = torch.maximum(v.abs() - width * (1.15 + 0.3 * u), u.abs() - 0.94) * 0.55
    return _blade(sheet, u, v, outline, lobes, 0.6)


@LEAF.shape
def maple_leaf(sheet: Sheet) -> Layer:
    """Five pointed lobes, veins from one point."""
    x, y = sheet.x + 0.35, sheet.y
    radius, angle = polar(x, y)
    lobe = torch.cos(angle * 2.6).abs()
    outline = (0.42 + 0.75 * lobe**1.5) * (1.05 - 0.22 * angle.abs()) + 0.05 * torch.cos(angle * 23)
    distance = torch.maximum((radius - outline) * 0.6, angle.abs() - 2.75)
    vein = wave(angle * 2.6 / math.pi) * radius
    stack = Stack(sheet)
    stalk, _ = capsule(x, y, -0.75, 0.1, 0.0, 0.0)
    stack.add(sheet.colors[2], stalk - 0.03)
    green = blend(
        sheet.colors[0], sheet.colors[1], (0.3 + 0.6 * radius + 0.4 * sheet.noise(1.5, 3)).clamp(0, 1)
    )
    green = blend(tint(green, 0.1 * sheet.noise(8.0, 2)), sheet.colors[2], 0.75 * ramp(vein, 0.03, 0.012))
    stack.add(lit(green, relief(sheet, 0.12 * vein.clamp_max(0.12), gloss=0.1)), distance)
    return stack.layer()


@LEAF.held_out_shape
def toothed_leaf(sheet: Sheet) -> Layer:
    """An elm's: a saw-toothed rim."""
    u, v = sheet.x, sheet.y - 0.12 * sheet.x * sheet.x
    teeth = ((u - v.abs() * 0.4) * 9 - torch.floor((u - v.abs() * 0.4) * 9)) * 0.05
    outline = (lens(u, v, 0.95, sheet.uniform(0.36, 0.52)) + teeth) * 0.8
    return _blade(sheet, u, v, outline, 4.5, 0.7)


MUSHROOM = draws(
    "mushroom", "object", ("c8352a", "f4ece0", "d9c7a8"), ("9a6a3a", "e8d2a8", "efe4cf"), turn=0.3
)


def _stem(sheet: Sheet, stack: Stack, top: float, wide: Tensor) -> None:
    """A stem that swells downwards, round, fibrous."""
    v = (sheet.y - top) / (0.95 - top)
    half = wide * (0.75 + 0.55 * v.clamp(0, 1) ** 2)
    middle = 0.08 * torch.sin(v * 2 + sheet.uniform(0, 6))
    side = (sheet.x - middle) / half
    round_light = torch.sqrt((1 - side * side).clamp_min(0)) - 0.55 + 0.25 * side
    color = tint(sheet.colors[2], 0.5 * round_light + 0.1 * sheet.noise(9.0, 2, stretch=4.0))
    stack.add(
        color, torch.maximum((side.abs() - 1) * half, (sheet.y - (top + 0.95) / 2).abs() - (0.95 - top) / 2)
    )


def _cap(
    sheet: Sheet, stack: Stack, wide: Tensor | float, high: Tensor | float, foot: float, spots: float
) -> None:
    """Half an ellipse over y = foot, spotted, lit from above."""
    u, v = sheet.x / wide, (foot - sheet.y) / high
    outline = torch.maximum(
        ellipse(sheet.x, sheet.y - foot, wide, high), (sheet.y - foot) - 0.12 * high * (1 - u * u)
    )
    light = torch.sqrt((1 - u * u - v * v).clamp_min(0)) * 0.5 + 0.35 * v - 0.3 * u - 0.25
    color = tint(sheet.colors[0], light + 0.1 * sheet.noise(5.0, 3))
    stack.add(color, outline)
    if spots:
        lift = torch.sqrt((1 - u * u * 0.8).clamp_min(0.05))
        dots = torch.full_like(sheet.x, 9.0)
        for mark in marks(torch.asin(u.clamp(-1, 1)) * 2.6, v / lift * 2.4, sheet.key(), jitter=0.5):
            dots = torch.minimum(dots, disc(mark.dx, mark.dy, 0.16 + 0.16 * mark.c))
        stack.shade(
            tint(sheet.colors[1], light * 0.7),
            cover(dots * 0.3, sheet.pixel) * cover(outline + 0.02, sheet.pixel) * spots,
        )


@MUSHROOM.shape
def fly_agaric(sheet: Sheet) -> Layer:
    stack = Stack(sheet)
    _stem(sheet, stack, -0.1, sheet.uniform(0.15, 0.22))
    ring = ellipse(sheet.x, sheet.y - 0.22, 0.28, 0.08)
    stack.add(tint(sheet.colors[2], 0.2 * torch.sin(sheet.x * 50)), ring)
    _cap(sheet, stack, sheet.uniform(0.75, 0.95), sheet.uniform(0.6, 0.85), 0.02, 1.0)
    return stack.layer()


@MUSHROOM.shape
def bolete(sheet: Sheet) -> Layer:
    """A thick stem, a plain round cap."""
    stack = Stack(sheet)
    _stem(sheet, stack, -0.1, sheet.uniform(0.26, 0.38))
    _cap(sheet, stack, sheet.uniform(0.7, 0.95), sheet.uniform(0.5, 0.8), 0.0, 0.0)
    return stack.layer()


@MUSHROOM.shape
def parasol(sheet: Sheet) -> Layer:
    """A flat, scaly cap on a thin stem, gills seen from below."""
    stack = Stack(sheet)
    _stem(sheet, stack, -0.3, sheet.uniform(0.07, 0.12))
    gills = torch.sin(torch.atan2(sheet.x, sheet.y + 0.9) * 60)
    stack.add(tint(sheet.colors[2], 0.25 * gills - 0.2), ellipse(sheet.x, sheet.y + 0.22, 0.9, 0.16))
    _cap(sheet, stack, sheet.uniform(0.88, 0.98), sheet.uniform(0.35, 0.5), -0.22, 0.5)
    return stack.layer()


@MUSHROOM.shape
def bell_mushrooms(sheet: Sheet) -> Layer:
    """Two tall bells with ribs."""
    stack = Stack(sheet)
    for shift, scale in ((0.35, 1.45), (-0.3, 1.1)):
        own = sheet.at((sheet.x - shift) * scale, (sheet.y - 0.95) * scale + 0.95)
        part = Stack(own)
        _stem(own, part, -0.2, own.uniform(0.07, 0.13))
        high = own.uniform(0.9, 1.15)
        u, v = own.x / 0.5, (0.05 - own.y) / high
        bell = (
            torch.maximum(
                own.x.abs() - 0.55 * torch.sqrt((1 - v.clamp(0, 1)).clamp_min(0)) - 0.0, own.y - 0.05
            )
            * 0.8
        )
        light = 0.35 * v - 0.3 * u - 0.05 + 0.08 * torch.sin(u * 26 / (1.3 - v.clamp(0, 1)))
        part.add(tint(blend(own.colors[0], own.colors[1], ramp(v, 0.25, 0.0) * 0.6), light), bell)
        layer = part.layer()
        stack.glaze(layer.picture, layer.coverage)
    return stack.layer()


@MUSHROOM.held_out_shape
def warted_cap(sheet: Sheet) -> Layer:
    """A broad stem and a cone of a cap with spots."""
    stack = Stack(sheet)
    _stem(sheet, stack, -0.05, sheet.uniform(0.2, 0.3))
    _cap(sheet, stack, sheet.uniform(0.65, 0.8), sheet.uniform(0.85, 1.0), 0.05, 1.0)
    return stack.layer()
