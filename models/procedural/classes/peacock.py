"""Peacock feather."""

import torch
from torch import Tensor

from models.procedural.fields import (
    capsule,
    cover,
    disc,
    ramp,
    rotate,
)
from models.procedural.palettes import blend, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

PEACOCK = draws(
    "peacock feather",
    "object",
    ("3f7a3a", "c9a23a", "1f8f9a", "1a2a6a"),
    ("5a8a2f", "b57a2a", "2fa0b5", "241a5a"),
    turn=3.14,
)


def _plume(
    sheet: Sheet, x: Tensor, y: Tensor, eye_y: Tensor | float, size: Tensor | float, loose: Tensor | float
) -> Layer:
    """One feather upright: loose barbs, the stem, and the eye of nested drops."""
    v = y - eye_y
    part = ((y + 0.98) / 1.96).clamp(0, 1)
    width = 0.62 * torch.sqrt((1.02 - part).clamp_min(0.0)) * ramp(part, -0.03, 0.3)
    slanted = y + x.abs() * (0.9 - 0.5 * part)
    barbs = torch.sin(slanted * 44 + 2 * sheet.noise(2.0, 2))
    edge = x.abs() - width + loose * (barbs * 0.5 + 0.5) * ramp(x.abs() / (width + 0.05), 0.3, 1.0)
    color = tint(
        blend(sheet.colors[0], sheet.colors[1], (0.3 + 0.5 * part + 0.3 * sheet.noise(1.5)).clamp(0, 1)),
        0.3 * barbs,
    )
    stack = Stack(sheet)
    stack.add(color, torch.maximum(edge * 0.8, (y + 0.0).abs() - 0.97))
    stem, _ = capsule(x, y, 0.0, 0.0, 0.0, 1.0)
    stack.add(tint(sheet.colors[1], 0.3), stem - 0.018)
    egg = torch.sqrt(x * x + (v * torch.where(v > 0, 0.72, 0.95)) ** 2 + 1e-6)
    notch = torch.maximum(egg - size * 0.42, -(disc(x, v - size * 0.5, size * 0.2)))
    gloss = 0.16 * barbs + 0.25 * v
    for radius, color in (
        (1.0, sheet.colors[1]),
        (0.86, sheet.colors[0]),
        (0.74, sheet.colors[1]),
        (0.6, sheet.colors[2]),
    ):
        stack.shade(tint(color, gloss + 0.15 * (1 - radius)), cover(egg - size * radius, sheet.pixel))
    stack.shade(tint(sheet.colors[3], gloss), cover(notch, sheet.pixel))
    return stack.layer()


@PEACOCK.shape
def one_feather(sheet: Sheet) -> Layer:
    bend = sheet.uniform(-0.25, 0.25)
    return _plume(
        sheet,
        sheet.x - bend * sheet.y * sheet.y,
        sheet.y,
        -0.4,
        sheet.uniform(0.26, 0.38),
        sheet.uniform(0.1, 0.3),
    )


@PEACOCK.shape
def near_eye(sheet: Sheet) -> Layer:
    """The eye fills the picture."""
    return _plume(
        sheet, sheet.x * 0.72, sheet.y * 0.72, -0.05, sheet.uniform(0.42, 0.55), sheet.uniform(0.1, 0.3)
    )


@PEACOCK.shape
def fan_of_feathers(sheet: Sheet) -> Layer:
    """Several feathers spread from one point."""
    stack = Stack(sheet)
    spread = sheet.uniform(0.35, 0.5)
    for place in (-2, 2, -1, 1, 0):
        x, y = rotate(sheet.x, sheet.y - 0.95, spread * place)
        layer = _plume(sheet, x * 1.25, y * 1.05 + 0.95, -0.62, 0.3, 0.15)
        stack.glaze(layer.picture, layer.coverage)
    return stack.layer()


@PEACOCK.shape
def overlapping_eyes(sheet: Sheet) -> Layer:
    """Feathers in two rows, those below in front."""
    stack = Stack(sheet)
    for shift_x, shift_y in ((-0.5, -0.35), (0.5, -0.35), (0.0, 0.05), (-0.85, 0.15), (0.85, 0.15)):
        layer = _plume(sheet, (sheet.x - shift_x) * 1.3, (sheet.y - shift_y) * 1.2 - 0.1, -0.35, 0.34, 0.2)
        stack.glaze(layer.picture, layer.coverage)
    return stack.layer()


@PEACOCK.held_out_shape
def curved_pair(sheet: Sheet) -> Layer:
    """Two feathers that bend away from each other."""
    stack = Stack(sheet)
    for side in (-1.0, 1.0):
        x = sheet.x * side - 0.25 - 0.3 * (1 - sheet.y) * 0.4
        layer = _plume(sheet, x * 1.25, sheet.y, -0.45, 0.34, 0.25)
        stack.glaze(layer.picture, layer.coverage)
    return stack.layer()
