"""Fern, bare tree, lightning."""

import math

import torch
from torch import Tensor

from models.procedural import noise
from models.procedural.fields import (
    TAU,
    capsule,
    cover,
    disc,
    fold_angle,
    polar,
    ramp,
    rotate,
    segments,
    wave,
)
from models.procedural.palettes import blend, dark_to_light, gradient, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

FERN = draws("fern", "object", ("3f8a3a", "7fbf5a", "1f4d24"), ("5a9a3c", "a3cc66", "2d5a22"), turn=1.2)


def _pinnae(
    along: Tensor, across: Tensor, count: Tensor, slant: Tensor | float
) -> tuple[Tensor, Tensor, Tensor]:
    """Coordinates within the nearest leaflet of a stem: outwards and sidewards, and its root."""
    slanted = (along - across.abs() * slant) * count
    root = torch.round(slanted)
    return across.abs(), (slanted - root) / count, root / count


def _frond(
    sheet: Sheet, x: Tensor, y: Tensor, outline: Tensor, count: Tensor, toothed: Tensor | float
) -> Layer:
    """A frond from y = 1 to -1: leaflets as long as ``outline`` (a field over y), cut into teeth."""
    bend = sheet.uniform(-0.25, 0.25)
    v = x - bend * (y - 1) ** 2 * 0.4
    u = (1 - y) / 2
    outwards, sidewards, root = _pinnae(u * 2, v, count, sheet.uniform(0.35, 0.7))
    inside_stem = (root > 0.12) & (root < 1.97)
    length = outline.clamp_min(0.02)
    part = outwards / length
    width = (
        (0.46 / count)
        * torch.sqrt((1 - part).clamp_min(0))
        * (0.75 + 0.25 * torch.sqrt(part.clamp_min(1e-4)))
    )
    teeth = 1 - toothed * wave(outwards * count * 1.6 - sidewards.abs() * count * 0.8) * 2
    leaf = torch.where(inside_stem, torch.maximum(sidewards.abs() - width * teeth, outwards - length), 1.0)
    stem, _ = capsule(v, y, 0.0, 1.0, 0.0, -0.95)
    vein = ramp(sidewards.abs() * count, 0.06, 0.0)
    green = blend(sheet.colors[0], sheet.colors[1], (0.35 + 0.6 * part + 0.3 * sheet.noise(2.0)).clamp(0, 1))
    green = tint(green, 0.25 * torch.sign(sidewards) * torch.sign(v) * 0.6 - 0.3 * vein)
    stack = Stack(sheet)
    stack.add(green, leaf)
    stack.add(tint(sheet.colors[2], 0.2 * sheet.noise(4.0)), stem - 0.012 - 0.012 * y)
    return stack.layer()


@FERN.shape
def lady_fern(sheet: Sheet) -> Layer:
    """Long leaflets, each deeply toothed."""
    u = (1 - sheet.y) / 2
    outline = (
        0.62 * torch.sin((u * 0.93 + 0.07).clamp(0, 1) * math.pi).clamp_min(1e-3) ** 0.8 * (1.15 - 0.5 * u)
    )
    return _frond(sheet, sheet.x, sheet.y, outline, sheet.uniform(9, 13), sheet.uniform(0.4, 0.7))


@FERN.shape
def sword_fern(sheet: Sheet) -> Layer:
    """Narrow, with simple leaflets."""
    u = (1 - sheet.y) / 2
    outline = sheet.uniform(0.26, 0.38) * ramp(u, -0.1, 0.2) * torch.sqrt((1.02 - u).clamp_min(0))
    return _frond(sheet, sheet.x, sheet.y, outline, sheet.uniform(11, 17), 0.0)


@FERN.shape
def bracken(sheet: Sheet) -> Layer:
    """A triangle: the lowest leaflets are the longest."""
    u = (1 - sheet.y) / 2
    outline = sheet.uniform(0.65, 0.9) * (1.02 - u).clamp_min(0) * ramp(u, 0.02, 0.1)
    return _frond(sheet, sheet.x, sheet.y, outline, sheet.uniform(7, 11), sheet.uniform(0.5, 0.75))


@FERN.shape
def fiddlehead(sheet: Sheet) -> Layer:
    """A young frond, still rolled up, with leaflets on its outer side."""
    x, y = sheet.x * 1.15, sheet.y * 1.15 + 0.35
    radius, angle = polar(x, y)
    turns = (torch.log(radius / 0.62) / 0.24 - angle) / TAU
    place = turns - torch.round(turns)
    total = angle + TAU * torch.round(turns)
    on_coil = (total < 0.0) & (radius > 0.06)
    coil = torch.where(on_coil, place.abs() * radius * 1.5 - (0.05 + 0.22 * radius) * 0.75, 1.0)
    stem, along = capsule(x, y, 0.62, 0.0, 0.35, 1.5)
    hairs = ramp(torch.sin(total * 14), -0.4, 0.8) * ramp(place, 0.0, 0.25)
    green = tint(blend(sheet.colors[0], sheet.colors[1], (0.5 - 2.0 * place).clamp(0, 1)), -0.45 * hairs)
    stack = Stack(sheet)
    stack.add(tint(sheet.colors[0], 0.3 * (0.5 - along)), stem - 0.14)
    stack.add(green, coil)
    return stack.layer()


@FERN.held_out_shape
def rosette(sheet: Sheet) -> Layer:
    """Several fronds from one root, seen from above."""
    x, y = rotate(sheet.x, sheet.y, sheet.uniform(0, 6))
    u, v, _ = fold_angle(x, y, sheet.integer(5, 8))
    outline = 0.3 * torch.sin((u * 0.95 + 0.05).clamp(0, 1) * math.pi)
    return _frond(sheet, v, 1 - 2 * u, outline, sheet.uniform(8, 11), 0.4)


TREE = draws("bare tree", "scene", ("2e2420", "c9d3da", "8a8f92"), ("3a2c22", "f0c9a0", "a3604a"), turn=0.06)


def _limbs(
    sheet: Sheet, levels: int, spread: Tensor, ratio: Tensor, lean: float, thickness: Tensor
) -> tuple[Tensor, Tensor]:
    """Ends (n, s, 4) and radii (n, s, 2) of a tree of some levels of forks; ``lean`` adds to every angle."""
    count = len(sheet.seeds)
    number = noise.white(sheet.key(), 3, levels + 1, 2**levels)
    x = torch.zeros(count, 1, device=sheet.x.device)
    y = torch.full_like(x, 1.15)
    angle = torch.full_like(x, -math.pi / 2) + 0.12 * number[:, 0, 0, :1]
    length, radius = torch.full_like(x, 0.62), thickness[:, 0]
    ends, radii = [], []
    for level in range(levels + 1):
        end_x = x + length * torch.cos(angle.double()).float()
        end_y = y + length * torch.sin(angle.double()).float()
        thin = radius * 0.7
        ends.append(torch.stack([x, y, end_x, end_y], -1))
        radii.append(torch.stack([radius, thin], -1))
        if level == levels:
            break
        twice = 2 ** (level + 1)
        turn = spread[:, 0] * (0.75 + 0.45 * number[:, 0, level + 1, :twice])
        side = torch.tensor([-1.0, 1.0], device=x.device).repeat(twice // 2)
        angle = angle.repeat_interleave(2, 1) + turn * side + lean * 0.12
        length = length.repeat_interleave(2, 1) * ratio[:, 0] * (1 + 0.28 * number[:, 1, level + 1, :twice])
        radius = thin.repeat_interleave(2, 1) * (0.85 + 0.15 * number[:, 2, level + 1, :twice])
        x, y = end_x.repeat_interleave(2, 1), end_y.repeat_interleave(2, 1)
    return torch.cat(ends, 1), torch.cat(radii, 1)


def _winter(sheet: Sheet) -> Tensor:
    """A sky over a low horizon."""
    sky = gradient(0.5 + 0.35 * sheet.y + 0.15 * sheet.spectrum(1.2, 2.0), [sheet.colors[1], sheet.colors[2]])
    horizon = sheet.uniform(0.6, 0.85) + 0.06 * sheet.noise_over_x(1.5, 4)
    ground = tint(blend(sheet.colors[2], sheet.colors[0], 0.35), 0.25 * sheet.noise(5.0, 4))
    return blend(sky, ground, cover(horizon - sheet.y, sheet.pixel))


def _standing(sheet: Sheet, distance: Tensor, snow: float = 0.0) -> Tensor:
    """Bark over the winter scene."""
    bark = tint(sheet.colors[0], 0.35 * sheet.noise(7.0, 3))
    picture = blend(_winter(sheet), bark, cover(distance - 0.15 * sheet.pixel, sheet.pixel))
    if snow:
        above = cover(torch.roll(distance, max(1, sheet.size // 64), 1), sheet.pixel)
        lying = (cover(distance, sheet.pixel) - above).clamp(0, 1)
        picture = blend(picture, dark_to_light(sheet.colors)[2], snow * lying)
    return picture


@TREE.variant
def oak(sheet: Sheet) -> Tensor:
    bent = sheet.warped(0.06, 2.5)
    ends, radii = _limbs(
        bent, 6, sheet.uniform(0.4, 0.65), sheet.uniform(0.7, 0.8), 0.0, sheet.uniform(0.06, 0.1)
    )
    return _standing(sheet, segments(bent.x, bent.y, ends, radii))


@TREE.variant
def poplar(sheet: Sheet) -> Tensor:
    """Narrow, with steep branches."""
    bent = sheet.warped(0.03, 2.5)
    ends, radii = _limbs(
        bent, 6, sheet.uniform(0.18, 0.32), sheet.uniform(0.72, 0.8), 0.0, sheet.uniform(0.04, 0.08)
    )
    return _standing(sheet, segments(bent.x, bent.y, ends, radii))


@TREE.variant
def snowy(sheet: Sheet) -> Tensor:
    """Snow on the upper sides."""
    bent = sheet.warped(0.06, 2.0)
    ends, radii = _limbs(
        bent, 5, sheet.uniform(0.4, 0.7), sheet.uniform(0.7, 0.8), 0.0, sheet.uniform(0.07, 0.11)
    )
    return _standing(sheet, segments(bent.x, bent.y, ends, radii), snow=0.9)


@TREE.variant
def mirrored(sheet: Sheet) -> Tensor:
    """The plane folded at every fork: all branches of a level are alike."""
    bent = sheet.warped(0.12, 1.3)
    x, y = bent.x, bent.y - 1.15
    best = torch.full_like(x, 9.0)
    angle, ratio, length = sheet.uniform(0.35, 0.6), sheet.uniform(0.68, 0.76), 0.62
    scale = torch.ones_like(angle)
    width = sheet.uniform(0.05, 0.09)
    for _ in range(8):
        reach = length * scale
        distance, along = capsule(x, y, 0.0, 0.0, 0.0, -reach)
        best = torch.minimum(best, distance - width * scale * (1 - 0.35 * along))
        x, y = rotate(x.abs(), y + reach, angle)
        scale = scale * ratio
    return _standing(sheet, best)


@TREE.held_out
def windswept(sheet: Sheet) -> Tensor:
    """Bent to one side by the wind, low."""
    bent = sheet.warped(0.06, 2.0)
    leaning = sheet.at(bent.x - 0.3 * (1.15 - bent.y) ** 2 * 0.5, bent.y)
    ends, radii = _limbs(
        bent, 6, sheet.uniform(0.35, 0.6), sheet.uniform(0.7, 0.78), 1.0, sheet.uniform(0.06, 0.1)
    )
    return _standing(sheet, segments(leaning.x, leaning.y, ends, radii))


LIGHTNING = draws(
    "lightning", "scene", ("1b1f3a", "4a4f7a", "e9ecff"), ("241a3a", "5f4a8a", "f6eaff"), turn=0.2
)


def _bolt(
    sheet: Sheet, start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor], rough: float, pieces: int
) -> Tensor:
    """Joints (n, pieces + 1, 2) of a jagged line, displaced at its midpoints."""
    (ax, ay), (bx, by) = start, end
    x, y = torch.cat([ax[:, 0], bx[:, 0]], 1), torch.cat([ay[:, 0], by[:, 0]], 1)
    span = torch.sqrt((bx - ax) ** 2 + (by - ay) ** 2)[:, 0]
    amount = rough
    while x.shape[1] < pieces + 1:
        shift = noise.white(sheet.key(), 2, 1, x.shape[1] - 1)[:, :, 0]
        middle_x = (x[:, 1:] + x[:, :-1]) / 2 + amount * span * shift[:, 0]
        middle_y = (y[:, 1:] + y[:, :-1]) / 2 + amount * span * shift[:, 1] * 0.6
        x = torch.cat([torch.stack([x[:, :-1], middle_x], 2).flatten(1), x[:, -1:]], 1)
        y = torch.cat([torch.stack([y[:, :-1], middle_y], 2).flatten(1), y[:, -1:]], 1)
        amount = amount * 0.55
    return torch.stack([x, y], -1)


def _strands(joints: Tensor, thick: Tensor | float, thin: float) -> tuple[Tensor, Tensor]:
    """Segments between joints, thinner to the end."""
    ends = torch.cat([joints[:, :-1], joints[:, 1:]], -1)
    steps = torch.linspace(1, thin, joints.shape[1], device=joints.device)[None]
    radii = torch.stack([steps[:, :-1], steps[:, 1:]], -1).expand(len(joints), -1, -1) * thick
    return ends, radii


def _stormy(sheet: Sheet, distance: Tensor, fainter: Tensor) -> Tensor:
    """Bolts before dark clouds that they light."""
    dark, middle, light = dark_to_light(sheet.colors)
    glow = torch.exp(-distance.clamp_min(0) * sheet.uniform(5, 9))
    cloud = 0.5 + 0.35 * sheet.warped(0.25, 1.0).noise(1.2, 4, 0.55)
    picture = gradient((cloud * 0.55 + 0.4 * glow).clamp(0, 1), [dark * 0.5, dark, middle])
    picture = blend(picture, light, 0.4 * torch.exp(-distance.clamp_min(0) * 28))
    picture = blend(picture, 0.6 * light + 0.4, cover(fainter, sheet.pixel) * 0.7)
    return blend(picture, 0.35 * light + 0.65, cover(distance, sheet.pixel))


def _forked(
    sheet: Sheet, start: tuple[Tensor, Tensor], end: tuple[Tensor, Tensor], rough: float
) -> tuple[Tensor, Tensor]:
    """Distances to a bolt and to its three branches."""
    trunk = _bolt(sheet, start, end, rough, 32)
    width = sheet.uniform(0.008, 0.02)[:, 0, :, None]
    main = segments(sheet.x, sheet.y, *_strands(trunk, width, 0.4))
    branches = []
    for place in (6, 12, 18, 23):
        root = trunk[:, place]
        fork = (root[:, 0, None, None], root[:, 1, None, None])
        away = (
            fork[0] + sheet.sign() * sheet.uniform(0.2, 0.7),
            fork[1] + (end[1] - fork[1]) * sheet.uniform(0.3, 0.8),
        )
        branches.append(_strands(_bolt(sheet, fork, away, rough, 8), width * 0.6, 0.3))
    ends, radii = torch.cat([ends for ends, _ in branches], 1), torch.cat([radii for _, radii in branches], 1)
    return main, segments(sheet.x, sheet.y, ends, radii)


@LIGHTNING.variant
def cloud_to_ground(sheet: Sheet) -> Tensor:
    top, foot = (
        (sheet.uniform(-0.6, 0.6), sheet.uniform(-1.2, -1.0)),
        (sheet.uniform(-0.6, 0.6), sheet.uniform(0.7, 1.2)),
    )
    main, branches = _forked(sheet, top, foot, 0.2)
    picture = _stormy(sheet, main, branches)
    horizon = sheet.uniform(0.72, 1.1) + 0.06 * sheet.noise_over_x(2.5, 3)
    return blend(picture, dark_to_light(sheet.colors)[0] * 0.3, cover(horizon - sheet.y, sheet.pixel))


@LIGHTNING.variant
def several_bolts(sheet: Sheet) -> Tensor:
    main = torch.full_like(sheet.x, 9.0)
    for _ in range(3):
        top, foot = (
            (sheet.uniform(-0.9, 0.9), sheet.uniform(-1.2, -0.8)),
            (sheet.uniform(-0.9, 0.9), sheet.uniform(0.6, 1.2)),
        )
        main = torch.minimum(
            main, segments(sheet.x, sheet.y, *_strands(_bolt(sheet, top, foot, 0.22, 32), 0.011, 0.3))
        )
    return _stormy(sheet, main, main)


@LIGHTNING.variant
def plasma(sheet: Sheet) -> Tensor:
    """Sparks from a point to all sides."""
    x, y = sheet.uniform(-0.3, 0.3), sheet.uniform(-0.3, 0.3)
    main = torch.full_like(sheet.x, 9.0)
    first = sheet.uniform(0, TAU)
    for arm in range(6):
        angle = first + arm * TAU / 6 + sheet.uniform(-0.4, 0.4)
        reach = sheet.uniform(0.7, 1.3)
        end = (x + reach * torch.cos(angle), y + reach * torch.sin(angle))
        main = torch.minimum(
            main, segments(sheet.x, sheet.y, *_strands(_bolt(sheet, (x, y), end, 0.22, 16), 0.014, 0.2))
        )
    core = disc(sheet.x - x, sheet.y - y, sheet.uniform(0.03, 0.09))
    return _stormy(sheet, torch.minimum(main, core), main)


@LIGHTNING.variant
def in_the_clouds(sheet: Sheet) -> Tensor:
    """Parts of the bolt are hidden behind clouds that glow."""
    main, branches = _forked(
        sheet,
        (sheet.uniform(-1, -0.5), sheet.uniform(-0.8, 0)),
        (sheet.uniform(0.5, 1), sheet.uniform(0, 0.9)),
        0.2,
    )
    picture = _stormy(sheet, main, branches)
    _, middle, light = dark_to_light(sheet.colors)
    puffs = sheet.warped(0.3, 1.0).noise(1.3, 4, 0.55)
    glowing = gradient(
        (0.25 + 0.4 * puffs + 0.7 * torch.exp(-main.clamp_min(0) * 4)).clamp(0, 1),
        [sheet.colors[0] * 0.6, middle, light],
    )
    return blend(picture, glowing, ramp(puffs, 0.1, 0.4))


@LIGHTNING.held_out
def spider(sheet: Sheet) -> Tensor:
    """A crawler: level, with many forks downwards."""
    y = sheet.uniform(-0.7, -0.1)
    main, branches = _forked(
        sheet, (sheet.uniform(-1.3, -1), y), (sheet.uniform(0.9, 1.3), y + sheet.uniform(-0.3, 0.5)), 0.16
    )
    return _stormy(sheet, main, branches)
