"""Star, gear, heart."""

import math

import torch
from torch import Tensor

from models.procedural.fields import box, cover, disc, fold_angle, polar, ramp, rotate, wave
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

STAR = draws("star", "object", ("f2bf27", "b5482a"), ("d93a3a", "f6e6c0"), ("f4f1e6", "2f5fa8"), turn=3.14)


def _star(x: Tensor, y: Tensor, count: Tensor | float, inner: Tensor) -> tuple[Tensor, Tensor]:
    """Signed distance to a star of radius about 0.95, and which half of a point it is (-1 or 1)."""
    u, v, _ = fold_angle(x, y, count)
    half = torch.as_tensor(math.pi / count, device=x.device)
    tip = 0.95
    ax, ay = tip * inner * torch.cos(half), tip * inner * torch.sin(half)
    # Outside of the line from the tip to the notch.
    distance = ((u - tip) * ay + v.abs() * (tip - ax)) / torch.sqrt(ay * ay + (tip - ax) ** 2)
    return distance, torch.sign(v)


@STAR.shape
def flat_star(sheet: Sheet) -> Layer:
    distance, _ = _star(sheet.x, sheet.y, sheet.integer(5, 6), sheet.uniform(0.38, 0.5))
    stack = Stack(sheet)
    stack.add(sheet.colors[1], distance)
    stack.add(tint(sheet.colors[0], 0.12 * sheet.noise(3.0, 4)), distance + sheet.uniform(0.0, 0.09))
    return stack.layer()


@STAR.shape
def faceted_star(sheet: Sheet) -> Layer:
    """Every point has a light and a dark side."""
    distance, side = _star(sheet.x, sheet.y, sheet.integer(4, 8), sheet.uniform(0.3, 0.5))
    _, angle = polar(sheet.x, sheet.y)
    light = 0.28 * side * torch.cos(angle * 0.5 + sheet.uniform(0, 6)).sign() + 0.2 * torch.cos(
        angle + sheet.uniform(0, 6)
    )
    stack = Stack(sheet)
    stack.add(tint(blend(sheet.colors[0], sheet.colors[1], ramp(side, -0.1, 0.1) * 0.35), light), distance)
    return stack.layer()


@STAR.shape
def rounded_star(sheet: Sheet) -> Layer:
    """A puffed cushion, a sea star with dots."""
    radius, angle = polar(sheet.x, sheet.y)
    count = 5.0
    arm = (0.5 + 0.5 * torch.cos(angle * count)).clamp_min(0)
    outline = 0.32 + sheet.uniform(0.45, 0.6) * arm ** sheet.uniform(1.2, 2.2)
    distance = (radius - outline) * 0.6
    u, v, _ = fold_angle(sheet.x, sheet.y, count)
    dots = torch.minimum(
        disc(u * 8 - torch.round(u * 8), v * 8, 0.28),
        disc(u * 8 - torch.round(u * 8), v.abs() * 8 - 0.9, 0.16),
    )
    height = torch.sqrt((-distance).clamp_min(0) + 1e-4) * 0.35
    color = blend(
        tint(sheet.colors[0], 0.12 * sheet.noise(9.0, 2)), sheet.colors[1], 0.8 * ramp(dots, 0.1, -0.1)
    )
    stack = Stack(sheet)
    stack.add(lit(color, relief(sheet, height, gloss=0.3)), distance)
    return stack.layer()


@STAR.shape
def framed_star(sheet: Sheet) -> Layer:
    """A star on a disc."""
    distance, side = _star(sheet.x * 1.3, sheet.y * 1.3, 5.0, sheet.uniform(0.36, 0.42))
    round_one = disc(sheet.x, sheet.y, 0.92)
    stack = Stack(sheet)
    stack.add(sheet.colors[0], round_one)
    stack.shade(
        tint(sheet.colors[1], 0.1 * sheet.noise(3.0)),
        cover(round_one + sheet.uniform(0.06, 0.12), sheet.pixel),
    )
    stack.shade(tint(sheet.colors[0], 0.12 * side), cover(distance / 1.3, sheet.pixel))
    return stack.layer()


@STAR.held_out_shape
def nested_stars(sheet: Sheet) -> Layer:
    """Stars within stars."""
    count, inner = sheet.integer(5, 7), sheet.uniform(0.4, 0.55)
    stack = Stack(sheet)
    for ring in range(4):
        distance, _ = _star(sheet.x, sheet.y, count, inner)
        stack.add(tint(sheet.colors[ring % 2], 0.08 * sheet.noise(4.0)), distance + 0.1 * ring)
    return stack.layer()


GEAR = draws("gear", "object", ("9aa0a6", "4a4f55"), ("b58a4a", "5f4322"), ("7f6a5f", "3a2f2a"), turn=3.14)


def _gear(
    sheet: Sheet,
    stack: Stack,
    x: Tensor,
    y: Tensor,
    size: Tensor | float,
    hole: Tensor,
    spokes: float,
    steep: float,
) -> None:
    """A toothed wheel, with a bore and round or wedge-shaped openings, of metal."""
    radius, angle = polar(x, y)
    count = sheet.integer(8, 18)
    tooth = (torch.cos(angle * count) * steep).clamp(-1, 1)
    outer = radius - size * (0.86 + 0.11 * tooth)
    solid = torch.maximum(outer * 0.8, hole * size - radius)
    if spokes:
        u, v, _ = fold_angle(x, y, sheet.integer(4, 6))
        window = (
            disc(u - size * 0.52, v, size * 0.17)
            if spokes < 1
            else torch.maximum((u - size * 0.5).abs() - size * 0.17, v.abs() - u * 0.5)
        )
        solid = torch.maximum(solid, -window)
    ringed = 0.015 * ramp((radius - size * 0.68).abs(), 0.06, 0.03) + 0.02 * ramp(
        (radius - size * hole - 0.1).abs(), 0.1, 0.06
    )
    height = ramp(solid, 0.0, -0.05) * 0.06 + ringed
    brushed = 0.12 * torch.sin(angle * 2 + 1.2) + 0.08 * sheet.at(radius * 20, angle).noise(1.0, 2)
    rust = ramp(sheet.noise(1.6, 4), 0.1, 0.6) * sheet.uniform(0, 1)
    metal = blend(tint(sheet.colors[0], brushed), tint(sheet.colors[1], 0.2 * sheet.noise(7.0, 3)), rust)
    stack.add(lit(metal, relief(sheet, height, gloss=0.6)), solid)


@GEAR.shape
def plain_gear(sheet: Sheet) -> Layer:
    stack = Stack(sheet)
    _gear(sheet, stack, sheet.x, sheet.y, 0.95, sheet.uniform(0.2, 0.45), 0.0, 2.5)
    return stack.layer()


@GEAR.shape
def drilled_gear(sheet: Sheet) -> Layer:
    """With round openings."""
    stack = Stack(sheet)
    _gear(sheet, stack, sheet.x, sheet.y, 0.95, sheet.uniform(0.12, 0.22), 0.5, 2.0)
    return stack.layer()


@GEAR.shape
def spoked_gear(sheet: Sheet) -> Layer:
    stack = Stack(sheet)
    _gear(sheet, stack, sheet.x, sheet.y, 0.95, sheet.uniform(0.08, 0.16), 1.0, 3.0)
    return stack.layer()


@GEAR.shape
def train_of_gears(sheet: Sheet) -> Layer:
    """A large wheel and a small one."""
    stack = Stack(sheet)
    _gear(sheet, stack, sheet.x + 0.35, sheet.y + 0.2, 0.62, sheet.uniform(0.2, 0.4), 0.0, 2.5)
    _gear(sheet, stack, sheet.x - 0.5, sheet.y - 0.42, 0.42, sheet.uniform(0.2, 0.4), 0.0, 2.5)
    return stack.layer()


@GEAR.held_out_shape
def saw_wheel(sheet: Sheet) -> Layer:
    """Pointed teeth, openings, a wide bore."""
    stack = Stack(sheet)
    _gear(sheet, stack, sheet.x, sheet.y, 0.95, sheet.uniform(0.25, 0.32), 0.5, 1.0)
    return stack.layer()


HEART = draws("heart", "object", ("c8203a", "f2a0b0"), ("e0405f", "fbe3e6"), ("a3142f", "e8b04a"), turn=0.5)


def _heart(x: Tensor, y: Tensor, plump: Tensor | float) -> Tensor:
    """Signed distance, first order, to a heart that fills [-1, 1]."""
    u, v = x.abs() * 1.02, -y + 0.1
    raised = (v - plump * torch.sqrt(u + 0.003)) * 1.15
    radius = torch.sqrt(u * u + raised * raised + 1e-9)
    return (radius - 0.86) * 0.62


@HEART.shape
def glossy_heart(sheet: Sheet) -> Layer:
    distance = _heart(sheet.x, sheet.y, sheet.uniform(0.55, 0.75))
    height = torch.sqrt((-distance).clamp_min(0) + 1e-4) * 0.75
    stack = Stack(sheet)
    red = tint(sheet.colors[0], 0.06 * sheet.noise(3.0, 3)).expand(-1, -1, *sheet.x.shape[1:])
    stack.add(lit(red, relief(sheet, height, gloss=0.9)), distance)
    return stack.layer()


@HEART.shape
def outlined_heart(sheet: Sheet) -> Layer:
    """Flat, with a rim and a line inside."""
    distance = _heart(sheet.x, sheet.y, sheet.uniform(0.55, 0.75))
    stack = Stack(sheet)
    stack.add(sheet.colors[1], distance)
    stack.add(tint(sheet.colors[0], 0.12 * sheet.noise(4.0, 4)), distance + sheet.uniform(0.05, 0.1))
    line = (distance + sheet.uniform(0.16, 0.22)).abs() - 0.012
    stack.shade(sheet.colors[1], cover(line, sheet.pixel))
    return stack.layer()


@HEART.shape
def patterned_heart(sheet: Sheet) -> Layer:
    """Of cloth, with stitches along its rim."""
    distance = _heart(sheet.x, sheet.y, sheet.uniform(0.55, 0.75))
    u, v = rotate(sheet.x * 5, sheet.y * 5, 0.7854)
    dots = disc(u - torch.round(u), v - torch.round(v), 0.26) / 5
    _, angle = polar(sheet.x, sheet.y)
    stitch = torch.maximum((distance + 0.07).abs() - 0.014, wave(angle * 6) - 0.3)
    stack = Stack(sheet)
    stack.add(tint(sheet.colors[0], 0.1 * sheet.noise(16.0, 2)), distance)
    stack.shade(sheet.colors[1], cover(torch.maximum(dots, distance + 0.12), sheet.pixel))
    stack.shade(sheet.colors[1] * 0.9, cover(stitch, sheet.pixel))
    return stack.layer()


@HEART.shape
def two_discs(sheet: Sheet) -> Layer:
    """Drawn as a square with two round sides; halves in two tones, perhaps an arrow."""
    x, y = sheet.x, sheet.y + 0.1
    side, up = rotate(x, y, 0.7854)
    square = box(side - 0.03, up - 0.03, 0.48, 0.48)
    rounds = disc(x.abs() - 0.34, y + 0.3, 0.47)
    distance = torch.minimum(square, rounds)
    stack = Stack(sheet)
    along, across = rotate(sheet.x, sheet.y, -0.5)
    arrow = torch.maximum(across.abs() - 0.035, along.abs() - 1.0)
    head = torch.maximum(across.abs() - (1.0 - along) * 0.5, 0.75 - along)
    fine = torch.minimum(arrow, head) + 9 * (1 - sheet.chance(0.5))
    stack.add(sheet.colors[1], fine)
    stack.add(tint(sheet.colors[0], torch.where(x > 0, -0.14, 0.1) + 0.08 * sheet.noise(4.0)), distance)
    return stack.layer()


@HEART.held_out_shape
def nested_hearts(sheet: Sheet) -> Layer:
    """Hearts within hearts."""
    plump = sheet.uniform(0.55, 0.75)
    stack = Stack(sheet)
    for ring in range(4):
        scale = 1 + 0.38 * ring
        distance = _heart(sheet.x * scale, sheet.y * scale, plump) / scale
        stack.add(tint(sheet.colors[ring % 2], 0.08 * sheet.noise(4.0)), distance)
    return stack.layer()
