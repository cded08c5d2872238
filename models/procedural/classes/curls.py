"""Snowflake, nautilus."""

import math

import torch
from torch import Tensor

from models.procedural.fields import TAU, capsule, cover, fold_angle, fraction, polar, ramp, wave
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

SNOWFLAKE = draws("snowflake", "object", ("eef6fb", "a9cbe6"), ("f6fafd", "8fb5d9"), turn=3.14)


def _ice(sheet: Sheet, distance: Tensor, height: Tensor) -> Layer:
    """Clear ice: bright on its rims, bluish inside."""
    color = blend(
        sheet.colors[1],
        sheet.colors[0],
        (0.45 + 0.4 * sheet.noise(2.5, 3) + 0.5 * ramp(distance, -0.05, 0.0)).clamp(0, 1),
    )
    stack = Stack(sheet)
    stack.add(lit(color, relief(sheet, height, gloss=0.6)), distance)
    return stack.layer()


def _arms(sheet: Sheet, branches: int, angle: Tensor | float, width: Tensor) -> Tensor:
    """Signed distance to six arms with pairs of side branches."""
    u, v, _ = fold_angle(sheet.x, sheet.y, 6.0)
    v = v.abs()
    slant = torch.as_tensor(angle, device=v.device)
    best, _ = capsule(u, v, 0.0, 0.0, 0.94, 0.0)
    best = best - width
    for branch in range(branches):
        root = 0.22 + 0.68 * branch / branches + sheet.uniform(-0.04, 0.04)
        reach = (1.0 - root) * sheet.uniform(0.25, 0.75) + 0.05
        twig, along = capsule(u, v, root, 0.0, root + reach * torch.cos(slant), reach * torch.sin(slant))
        best = torch.minimum(best, twig - width * (0.85 - 0.4 * along))
    return best


@SNOWFLAKE.shape
def stellar(sheet: Sheet) -> Layer:
    distance = _arms(sheet, 3, math.pi / 3, sheet.uniform(0.03, 0.055))
    return _ice(sheet, distance, ramp(distance, 0.0, -0.04) * 0.03)


@SNOWFLAKE.shape
def fernlike(sheet: Sheet) -> Layer:
    """Many side branches."""
    distance = _arms(sheet, 6, math.pi / 3, sheet.uniform(0.022, 0.034))
    return _ice(sheet, distance, ramp(distance, 0.0, -0.03) * 0.02)


@SNOWFLAKE.shape
def plate_with_arms(sheet: Sheet) -> Layer:
    """A hexagon in the middle and small ones at the tips."""
    u, v, _ = fold_angle(sheet.x, sheet.y, 6.0)
    size = sheet.uniform(0.24, 0.42)
    hexagon = u - size
    tip_u, _, _ = fold_angle(u - 0.8, v, 6.0)
    tip = tip_u - sheet.uniform(0.1, 0.16)
    distance = torch.minimum(
        torch.minimum(hexagon, tip), _arms(sheet, 2, sheet.uniform(1.0, 1.1), sheet.uniform(0.03, 0.045))
    )
    ridges = 0.02 * ramp(wave(u / size * 1.5), 0.12, 0.0)
    return _ice(sheet, distance, ramp(distance, 0.0, -0.05) * 0.03 + ridges)


@SNOWFLAKE.shape
def drawn_flake(sheet: Sheet) -> Layer:
    """As on a jumper or a sign: thick arms with Vs and diamonds."""
    u, v, _ = fold_angle(sheet.x, sheet.y, 6.0)
    diamond = (u - 0.86).abs() + v.abs() * 1.2 - 0.12
    distance = torch.minimum(diamond * 0.7, _arms(sheet, 2, 0.8, sheet.uniform(0.05, 0.075)))
    stack = Stack(sheet)
    stack.add(tint(sheet.colors[0], 0.06 * sheet.noise(4.0)), distance)
    return stack.layer()


@SNOWFLAKE.held_out_shape
def sectored(sheet: Sheet) -> Layer:
    """Six broad sectors with ribs and notches."""
    u, v, _ = fold_angle(sheet.x, sheet.y, 6.0)
    sector = torch.maximum(u + v.abs() * 0.55 - 0.94, v.abs() - 0.12 - 0.22 * u)
    ribs = 0.03 * ramp(v.abs(), 0.05, 0.02) + 0.02 * ramp(wave((u + v.abs()) * 5), 0.15, 0.0)
    return _ice(sheet, sector * 0.85, ramp(sector, 0.0, -0.05) * 0.03 + ribs)


NAUTILUS = draws(
    "nautilus", "object", ("efe3cf", "b5623a", "7a3d24"), ("d9c2a0", "8a6a4f", "4a3527"), turn=3.14
)


def _whorls(sheet: Sheet, growth: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """A shell that grows by exp(growth * angle).

    Returns the angle along it (0 at the mouth, negative inwards), the place across the whorl in [0, 1], the
    whorl's width in units, and the signed distance to the outline.
    """
    x, y = sheet.x * 0.95 + 0.16, sheet.y * 0.95 - 0.02
    radius, angle = polar(x, y)
    position = torch.log(radius / 0.98 + 1e-6) / growth - angle
    turn = torch.ceil(position / TAU)
    total = angle + turn * TAU
    across = 1 - (turn - position / TAU)
    width = radius * (math.exp(growth * TAU) - 1) * 0.8
    edge = radius - 0.98 * torch.exp(growth * torch.where(angle > 0, angle - TAU, angle))
    return total, across, width, edge


@NAUTILUS.shape
def cut_shell(sheet: Sheet) -> Layer:
    """Sawn through: chambers with curved walls."""
    total, across, width, edge = _whorls(sheet, 0.175)
    chambers = sheet.uniform(2.0, 3.2)
    position = total * chambers + 1.6 * across * (across - 1.2)
    wall = wave(position) / chambers * width * 1.1 + 9 * (total > -1.6)
    rim = torch.minimum(across, 1 - across) * width
    room = fraction(position)
    pearl = tint(sheet.colors[0], 0.35 * (room - 0.5) + 0.08 * sheet.noise(3.0, 3))
    pearl = blend(pearl, sheet.colors[1], 0.55 * ramp(room, 0.3, 0.0))
    line = cover(torch.minimum(wall - 0.018, rim - 0.03), sheet.pixel)
    stack = Stack(sheet)
    stack.add(blend(pearl, sheet.colors[2], line), edge)
    return stack.layer()


@NAUTILUS.shape
def striped_shell(sheet: Sheet) -> Layer:
    """From outside: flames of colour that fade towards the mouth."""
    total, across, width, edge = _whorls(sheet, 0.19)
    flame = torch.sin(total * sheet.uniform(5, 8) + 2.0 * across + 0.8 * sheet.noise(2.0, 2))
    strength = ramp(flame, -0.2, 0.3) * ramp(across, 0.15, 0.55) * ramp(total, -0.2, -2.0)
    round_light = torch.sqrt((across * (1.04 - across)).clamp_min(0)) * 1.2 - 0.4
    color = tint(blend(sheet.colors[0], sheet.colors[1], strength), round_light)
    stack = Stack(sheet)
    stack.add(
        blend(color, sheet.colors[2], 0.8 * ramp(torch.minimum(across, 1 - across) * width, 0.03, 0.0)), edge
    )
    return stack.layer()


@NAUTILUS.shape
def ammonite(sheet: Sheet) -> Layer:
    """A fossil with ribs."""
    total, across, _, edge = _whorls(sheet, 0.13)
    ribs = 0.5 + 0.5 * torch.cos(total * sheet.uniform(11, 17) + 1.5 * across)
    bulge = torch.sqrt((across * (1.03 - across)).clamp_min(1e-3))
    height = (bulge * 0.22 + ribs * 0.035 * bulge) + 0.01 * sheet.noise(8.0, 3)
    stone = tint(blend(sheet.colors[1], sheet.colors[0], ribs * 0.8), 0.2 * sheet.noise(5.0, 4))
    stone = blend(stone, sheet.colors[2], 0.8 * ramp(bulge, 0.22, 0.06))
    stack = Stack(sheet)
    stack.add(lit(stone, relief(sheet, height, gloss=0.1)), edge)
    return stack.layer()


@NAUTILUS.shape
def snail(sheet: Sheet) -> Layer:
    """A smooth shell with bands along the whorl."""
    total, across, _, edge = _whorls(sheet, 0.15)
    bands = ramp(torch.cos(across * sheet.uniform(12, 20) + sheet.uniform(0, 6)), -0.1, 0.3)
    lines = 0.08 * torch.sin(total * 40)
    light = torch.sqrt((across * (1.03 - across)).clamp_min(0)) * 1.2 - 0.35
    color = tint(blend(sheet.colors[0], sheet.colors[1], bands), light + lines)
    stack = Stack(sheet)
    stack.add(blend(color, sheet.colors[2], 0.9 * ramp(torch.minimum(across, 1 - across), 0.08, 0.0)), edge)
    return stack.layer()


@NAUTILUS.held_out_shape
def pearly_section(sheet: Sheet) -> Layer:
    """Chambers with a tube through them, each shaded as a hollow."""
    total, across, width, edge = _whorls(sheet, 0.165)
    chambers = sheet.uniform(1.8, 2.6)
    position = total * chambers + 1.2 * across * (across - 1.0)
    room = fraction(position)
    hollow = torch.sqrt((room * (1 - room) * across * (1 - across)).clamp_min(0)) * 4
    color = blend(sheet.colors[0], sheet.colors[2], ramp(hollow, 0.2, 1.0) * 0.8)
    tube = (across - 0.5).abs() * width - 0.02
    stack = Stack(sheet)
    stack.add(blend(color, sheet.colors[1], cover(tube, sheet.pixel)), edge)
    return stack.layer()
