"""Fractal, Sierpinski triangle."""

import math

import torch
from torch import Tensor

from models.procedural.fields import (
    TAU,
    cover,
    fraction,
    ramp,
)
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, dark_to_light, gradient, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

FRACTAL = draws(
    "fractal",
    "scene",
    ("0b1b3a", "2f6fa8", "f2e6c0", "c9682a"),
    ("1a0d2e", "7a2f8a", "f6a05a", "fdf0c8"),
    turn=3.14,
    fine=True,
)


def _escape(
    x: Tensor, y: Tensor, cx: Tensor, cy: Tensor, power: int, rounds: int, folded: bool
) -> tuple[Tensor, Tensor]:
    """Smooth count of rounds until |z| grows under z**power + c, and the nearest it came to the axes."""
    count = torch.zeros_like(x)
    trap = torch.full_like(x, 9.0)
    for _ in range(rounds):
        if folded:
            x, y = x.abs(), y.abs()
        xx, yy = x * x, y * y
        radius = xx + yy
        # A smooth share of the last round, so that bands have no edges.
        count = count + (1.35 - 0.35 * torch.log2(radius.clamp(1e-6, 1e9)) / 2.1).clamp(0, 1)
        trap = torch.where(radius < 16, torch.minimum(trap, torch.minimum(x.abs(), y.abs())), trap)
        u, v = (xx - yy, 2 * x * y) if power == 2 else (x * (xx - 3 * yy), y * (3 * xx - yy))
        x, y = (u + cx).clamp(-1e4, 1e4), (v + cy).clamp(-1e4, 1e4)
    return count, trap


def _colored(sheet: Sheet, count: Tensor, rounds: int) -> Tensor:
    """Bands through the colours, the inside in the darkest."""
    dark = dark_to_light(sheet.colors)
    value = torch.log2(count.clamp_min(0.1)) * sheet.uniform(0.7, 1.3) + sheet.uniform(0, 1)
    looped = 1 - (2 * fraction(value / 2) - 1).abs()
    picture = gradient(looped, [dark[1], dark[2], dark[3], dark[0]])
    return blend(picture, dark[0] * 0.6, ramp(count, rounds - 2.5, rounds - 0.5))


_SEEDS_OF_JULIA = (
    (-0.8, 0.156),
    (-0.4, 0.6),
    (0.285, 0.01),
    (-0.70176, -0.3842),
    (-0.835, -0.2321),
    (0.355, 0.355),
    (-0.1, 0.651),
    (-0.62, 0.43),
)


def _julia_seed(sheet: Sheet) -> tuple[Tensor, Tensor]:
    """A known beautiful constant, a little moved."""
    table = torch.tensor(_SEEDS_OF_JULIA, device=sheet.x.device)
    chosen = table[sheet.key() % len(_SEEDS_OF_JULIA)][..., None, None]
    return chosen[:, 0] + sheet.uniform(-0.012, 0.012), chosen[:, 1] + sheet.uniform(-0.012, 0.012)


@FRACTAL.variant
def julia(sheet: Sheet) -> Tensor:
    cx, cy = _julia_seed(sheet)
    zoom = sheet.log_uniform(0.7, 1.35)
    count, _ = _escape(sheet.x * zoom, sheet.y * zoom, cx, cy, 2, 26, False)
    return _colored(sheet, count, 26)


@FRACTAL.variant
def mandelbrot(sheet: Sheet) -> Tensor:
    """A part of the border of the Mandelbrot set, or all of it."""
    angle = sheet.uniform(0, TAU)
    whole = sheet.chance(0.3)
    bx, by = (
        0.5 * torch.cos(angle) - 0.25 * torch.cos(2 * angle),
        0.5 * torch.sin(angle) - 0.25 * torch.sin(2 * angle),
    )
    zoom = torch.lerp(sheet.log_uniform(0.15, 0.5), torch.full_like(whole, 1.3), whole)
    cx = torch.lerp(bx * 1.05, torch.full_like(bx, -0.6), whole) + sheet.x * zoom
    cy = torch.lerp(by * 1.05, torch.zeros_like(by), whole) + sheet.y * zoom
    count, _ = _escape(torch.zeros_like(cx), torch.zeros_like(cx), cx, cy, 2, 28, False)
    return _colored(sheet, count, 28)


@FRACTAL.variant
def stalks(sheet: Sheet) -> Tensor:
    """A Julia set coloured by how near the orbit came to the axes."""
    cx, cy = _julia_seed(sheet)
    count, trap = _escape(sheet.x, sheet.y, cx, cy, 2, 22, False)
    picture = _colored(sheet, count, 22)
    return blend(picture, dark_to_light(sheet.colors)[3], torch.exp(-trap * sheet.uniform(20, 50)))


@FRACTAL.variant
def burning_ship(sheet: Sheet) -> Tensor:
    zoom = sheet.log_uniform(0.06, 0.5)
    cx, cy = -1.755 + 0.6 * zoom + sheet.x * zoom, -0.03 - 0.3 * zoom + sheet.y * zoom
    count, _ = _escape(torch.zeros_like(cx), torch.zeros_like(cx), cx, cy, 2, 24, True)
    return _colored(sheet, count, 24)


@FRACTAL.held_out
def cubic_julia(sheet: Sheet) -> Tensor:
    """z**3 + c, with c just outside of the main body of its own Mandelbrot set: three-fold."""
    angle, out = sheet.uniform(0, TAU), sheet.uniform(1.02, 1.08) / math.sqrt(3)
    cx = out * (torch.cos(angle) - torch.cos(3 * angle) / 3)
    cy = out * (torch.sin(angle) - torch.sin(3 * angle) / 3)
    count, _ = _escape(sheet.x * 1.1, sheet.y * 1.1, cx, cy, 3, 24, False)
    return _colored(sheet, count, 24)


SIERPINSKI = draws(
    "Sierpinski triangle", "object", ("e0a526", "7a3d9a", "2b5f8f"), ("d4433a", "f2e2c0", "2a3550"), turn=3.14
)


def _gasket(x: Tensor, y: Tensor, levels: int) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Signed distances to a gasket, to its outer triangle, and to the hole of each of its levels."""

    def triangle(u: Tensor, v: Tensor) -> Tensor:
        return torch.maximum(u.abs() * 0.8660254 + v * -0.5, v) - 0.5

    u, v = x, y
    outer = triangle(u, v)
    scale = 1.0
    holes = []
    for _ in range(levels):
        holes.append(-(torch.maximum(u.abs() * 0.8660254 + v * 0.5, -v) - 0.25) * scale)
        # Into the one of the three corners that is nearest: above, or below to the left or right.
        upper = v < -0.25
        u, v = torch.where(upper, u, u.abs() - 0.4330127) * 2, torch.where(upper, v + 0.5, v - 0.25) * 2
        scale = scale / 2
    whole = outer
    for hole in holes:
        whole = torch.maximum(whole, hole)
    return whole, outer, holes


@SIERPINSKI.shape
def gasket(sheet: Sheet) -> Layer:
    whole, _, _ = _gasket(sheet.x * 0.85, sheet.y * 0.85 - 0.1, 4)
    color = gradient((0.5 + 0.5 * sheet.y).clamp(0, 1), [sheet.colors[0], sheet.colors[2]])
    stack = Stack(sheet)
    stack.add(tint(color, 0.12 * sheet.noise(3.0, 4)), whole / 0.85)
    return stack.layer()


@SIERPINSKI.shape
def colored_levels(sheet: Sheet) -> Layer:
    """A solid triangle; every level's holes in another colour."""
    _, outer, holes = _gasket(sheet.x * 0.85, sheet.y * 0.85 - 0.1, 4)
    stack = Stack(sheet)
    stack.add(tint(sheet.colors[0], 0.12 * sheet.noise(3.0, 4)), outer / 0.85)
    for level, hole in enumerate(holes):
        color = tint(sheet.colors[1 + level % 2], 0.15 * level)
        stack.shade(color, cover(-hole / 0.85, sheet.pixel) * cover(outer, sheet.pixel))
    return stack.layer()


@SIERPINSKI.shape
def outlined(sheet: Sheet) -> Layer:
    """Drawn in lines."""
    _, outer, holes = _gasket(sheet.x * 0.85, sheet.y * 0.85 - 0.1, 4)
    line = outer.abs()
    for hole in holes:
        line = torch.minimum(line, hole.abs() + 9 * (outer > 0.01))
    stack = Stack(sheet)
    stack.add(tint(sheet.colors[1], 0.1 * sheet.noise(3.0)), outer)
    stack.add(sheet.colors[2], line - sheet.uniform(0.008, 0.016))
    return stack.layer()


@SIERPINSKI.shape
def carved(sheet: Sheet) -> Layer:
    """Blocks with bevelled sides: each edge has its own light."""
    whole, _, _ = _gasket(sheet.x * 0.85, sheet.y * 0.85 - 0.1, 3)
    height = ramp(whole, 0.0, -0.05) * 0.06
    stack = Stack(sheet)
    stone = tint(sheet.colors[0], 0.15 * sheet.noise(5.0, 4)).expand(-1, -1, *sheet.x.shape[1:])
    stack.add(lit(stone, relief(sheet, height)), whole / 0.85)
    return stack.layer()


@SIERPINSKI.held_out_shape
def two_toned(sheet: Sheet) -> Layer:
    """Upright triangles in one colour, hanging ones in another, five levels."""
    whole, outer, holes = _gasket(sheet.x * 0.85, sheet.y * 0.85 - 0.1, 5)
    stack = Stack(sheet)
    stack.add(tint(sheet.colors[1], 0.15 * holes[0] + 0.1 * sheet.noise(3.0)), outer / 0.85 - 0.02)
    stack.add(tint(sheet.colors[2], 0.1 * sheet.noise(3.0)), whole / 0.85)
    return stack.layer()
