"""Fish scales, feathers."""

import torch
from torch import Tensor

from models.procedural.fields import cover, disc, ellipse, lens, polar, ramp, turn
from models.procedural.lattice import Mark, marks
from models.procedural.lighting import lit, relief
from models.procedural.palettes import blend, tint
from models.procedural.registry import draws
from models.procedural.sheet import Sheet

SCALES = draws(
    "fish scales", "texture", ("5f9ea0", "d9e3dc", "2f4f5f"), ("d98a3d", "f4d7a1", "7a3b1e"), turn=3.14
)


def _shingles(sheet: Sheet, frequency: Tensor, flat: float) -> list[Mark]:
    """Marks in shifted rows; those higher up come last and so lie over those below."""
    x, y = sheet.x * frequency, -sheet.y * frequency * flat
    return list(marks(x, y, sheet.key(), jitter=0.0, brick=0.5))


def _scale(sheet: Sheet, mark: Mark, inside: Tensor, ridges: Tensor, depth: Tensor | float) -> Tensor:
    """One scale: lighter at its rim, dark where it comes from under the others."""
    body = blend(sheet.colors[0], sheet.colors[2], ramp(mark.dy, -0.1, 0.75))
    rim = ramp(inside, -0.16, -0.02)
    return tint(blend(body, sheet.colors[1], depth * rim), 0.35 * (mark.a - 0.5) + ridges)


@SCALES.variant
def round_scales(sheet: Sheet) -> Tensor:
    frequency = sheet.log_uniform(1.8, 5)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    depth = sheet.uniform(0.4, 0.9)
    for mark in _shingles(sheet, frequency, 1.6):
        inside = disc(mark.dx, mark.dy / 1.6 - 0.25, 0.56)
        outline = ramp(inside, -0.045, -0.01) * 0.35
        picture = blend(
            picture, _scale(sheet, mark, inside, -outline, depth), cover(inside / frequency, sheet.pixel)
        )
    return tint(picture, 0.1 * sheet.noise(3.0, 4))


@SCALES.variant
def domed_scales(sheet: Sheet) -> Tensor:
    """Scales in relief, wet."""
    frequency = sheet.log_uniform(1.6, 4)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    height = torch.zeros_like(sheet.x)
    for mark in _shingles(sheet, frequency, 1.5):
        inside = disc(mark.dx, mark.dy / 1.5 - 0.25, 0.55)
        covered = cover(inside / frequency, sheet.pixel)
        dome = torch.sqrt((-inside).clamp_min(1e-3)) * 0.35 - mark.dy * 0.12
        picture = blend(picture, tint(sheet.colors[0], 0.4 * (mark.a - 0.5)), covered)
        height = torch.lerp(height, dome / frequency, covered)
    return lit(tint(picture, 0.12 * sheet.noise(2.0, 3)), relief(sheet, height, gloss=0.7))


@SCALES.variant
def pointed_scales(sheet: Sheet) -> Tensor:
    """A dragon's: shields with a keel."""
    frequency = sheet.log_uniform(1.6, 4)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    for mark in _shingles(sheet, frequency, 1.4):
        u, v = mark.dx, -mark.dy / 1.4 + 0.2
        inside = torch.maximum(u.abs() * 1.25 + v * 0.75, u.abs() * 1.9 - v * 0.25) - 0.55
        side = torch.where(u > 0, -0.22, 0.12) + 0.25 * ramp(u.abs(), 0.06, 0.0)
        shape = _scale(sheet, mark, inside, side, 0.5)
        picture = blend(picture, shape, cover(inside * 0.6 / frequency, sheet.pixel))
    return tint(picture, 0.1 * sheet.noise(4.0, 3))


@SCALES.variant
def ribbed_scales(sheet: Sheet) -> Tensor:
    """Shells: fans of ribs on every scale."""
    frequency = sheet.log_uniform(1.4, 3.4)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    count = sheet.integer(14, 26)
    for mark in _shingles(sheet, frequency, 1.6):
        u, v = mark.dx, mark.dy / 1.6
        inside = disc(u, v - 0.25, 0.57)
        _, angle = polar(u, v - 0.75)
        shape = _scale(sheet, mark, inside, 0.16 * torch.sin(angle * count), 0.6)
        picture = blend(
            picture,
            shape * (1 - 0.5 * ramp(inside, -0.05, 0.0))[:, None],
            cover(inside / frequency, sheet.pixel),
        )
    return tint(picture, 0.08 * sheet.noise(4.0, 3))


@SCALES.held_out
def spotted_scales(sheet: Sheet) -> Tensor:
    """Scales with a dark eye and two rims, flatter than wide."""
    frequency = sheet.log_uniform(1.5, 3.6)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    for mark in _shingles(sheet, frequency, 2.0):
        inside = disc(mark.dx, mark.dy / 1.7 - 0.2, 0.56)
        shape = _scale(
            sheet, mark, inside, -0.45 * ramp(disc(mark.dx, mark.dy / 1.7 - 0.05, 0.14), 0.05, -0.05), 0.9
        )
        shape = tint(shape, -0.3 * ramp((inside + 0.17).abs(), 0.035, 0.0))
        picture = blend(picture, shape, cover(inside / frequency, sheet.pixel))
    return tint(picture, 0.1 * sheet.noise(3.0, 3))


FEATHERS = draws(
    "feathers", "texture", ("8a5a33", "e9d8b8", "3a2415"), ("3f6f8f", "cfe0e6", "16202b"), turn=3.14
)


def _barbs(u: Tensor, v: Tensor, count: Tensor | float) -> Tensor:
    """The fine slanting lines of a vane; u runs along the shaft, v across."""
    return torch.sin((u - v.abs() * 1.1) * count)


def _plume(
    sheet: Sheet, u: Tensor, v: Tensor, inside: Tensor, barred: Tensor | float, shade: Tensor
) -> Tensor:
    """A feather: vane with barbs and bars, pale shaft, darker one side."""
    vane = blend(sheet.colors[0], sheet.colors[2], barred)
    vane = tint(vane, 0.16 * _barbs(u, v, 46.0) + 0.3 * (shade - 0.5) + torch.where(v > 0, -0.1, 0.08))
    vane = tint(vane, -0.25 * ramp(inside, -0.1, 0.0))
    return blend(vane, sheet.colors[1], ramp(v.abs(), 0.035, 0.012))


@FEATHERS.variant
def plumage(sheet: Sheet) -> Tensor:
    """Rows of round-tipped feathers."""
    frequency = sheet.log_uniform(1.1, 2.4)
    bent = sheet.warped(0.06, 1.5)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    bars = sheet.uniform(0.0, 1.0)
    for mark in marks(bent.x * frequency, -bent.y * frequency * 0.8, sheet.key(), jitter=0.12, brick=0.5):
        u, v = mark.dy * 1.25, mark.dx
        inside = ellipse(u - 0.2, v, 1.15, 0.54)
        barred = bars * ramp(torch.sin((u - v.abs() * 0.6) * 11), -0.2, 0.5)
        picture = blend(
            picture, _plume(sheet, u, v, inside, barred, mark.a), cover(inside / frequency, bent.pixel)
        )
    return picture


@FEATHERS.variant
def single_vane(sheet: Sheet) -> Tensor:
    """One feather so near that it fills the picture."""
    x, y = sheet.x - sheet.x.mean((1, 2), keepdim=True), sheet.y - sheet.y.mean((1, 2), keepdim=True)
    bend = sheet.uniform(-0.25, 0.25)
    v = y - bend * x * x + sheet.uniform(-0.3, 0.3)
    u = x + 0.03 * sheet.noise(3.0, 2)
    slant = u - v.abs() * sheet.uniform(0.7, 1.3)
    count = sheet.log_uniform(22, 44)
    gaps = ramp(sheet.at(slant, v).noise(3.0, 2, stretch=4.0), 0.45, 0.6)
    barred = ramp(torch.sin(slant * sheet.uniform(4, 9)), -0.3, 0.3) * sheet.uniform(0.2, 1.0)
    vane = blend(sheet.colors[0], sheet.colors[2], (barred + gaps).clamp(0, 1))
    height = 0.012 * torch.sin(slant * count) + 0.05 * ramp(v.abs(), 0.06, 0.0)
    vane = tint(vane, 0.14 * torch.sin(slant * count) + 0.12 * sheet.at(slant, v).noise(14.0, 2, stretch=8.0))
    picture = blend(vane, sheet.colors[1], cover(v.abs() - 0.03, sheet.pixel))
    return lit(picture, relief(sheet, height, gloss=0.15))


@FEATHERS.variant
def quills(sheet: Sheet) -> Tensor:
    """Long wing feathers side by side."""
    frequency = sheet.log_uniform(1.4, 2.6)
    bent = sheet.warped(0.05, 1.0)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    for mark in marks(bent.x * frequency, -bent.y * frequency * 0.36, sheet.key(), jitter=0.1, brick=0.5):
        u, v = mark.dy * 2.8, mark.dx + 0.08 * mark.dy
        inside = ellipse(u - 0.3, v, 2.8, 0.42)
        barred = ramp(torch.sin((u - v.abs()) * 6 + mark.b * 6), 0.2, 0.6) * 0.6
        picture = blend(
            picture, _plume(sheet, u, v, inside, barred, mark.a), cover(inside / frequency, bent.pixel)
        )
    return picture


@FEATHERS.variant
def down(sheet: Sheet) -> Tensor:
    """Fluffy feathers that lie across each other."""
    frequency = sheet.log_uniform(0.9, 1.7)
    picture = tint(sheet.colors[2], 0.2 * sheet.noise(4.0, 3)).expand(-1, -1, *sheet.x.shape[1:])
    for mark in marks(sheet.x * frequency, sheet.y * frequency, sheet.key(), jitter=0.5):
        angle = (mark.c - 0.5) * 1.6
        u, v = turn(mark.dx, mark.dy, angle)
        v = v + 0.15 * u * u
        inside = lens(u, v, 0.72, 0.3) + 0.035 * _barbs(u, v, 38.0)
        plume = _plume(sheet, u, v, inside, 0.0, mark.a)
        picture = blend(
            picture,
            blend(plume, sheet.colors[1], 0.35),
            cover(inside / frequency, sheet.pixel) * 0.95,
        )
    return picture


@FEATHERS.held_out
def guinea_fowl(sheet: Sheet) -> Tensor:
    """Rows of feathers, each with pale spots beside the shaft."""
    frequency = sheet.log_uniform(1.0, 2.0)
    picture = sheet.colors[2].expand(-1, -1, *sheet.x.shape[1:])
    for mark in marks(sheet.x * frequency, -sheet.y * frequency * 0.75, sheet.key(), jitter=0.12, brick=0.5):
        u, v = mark.dy * 1.33, mark.dx
        inside = ellipse(u - 0.2, v, 1.2, 0.55)
        plume = _plume(sheet, u, v, inside, 0.3, mark.a)
        spot = disc(u * 4 - torch.round(u * 4), (v.abs() - 0.17) * 4, 0.3)
        plume = blend(plume, sheet.colors[1], 0.85 * ramp(spot, 0.1, -0.1))
        picture = blend(picture, plume, cover(inside / frequency, sheet.pixel))
    return picture
