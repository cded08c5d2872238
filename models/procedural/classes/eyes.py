"""Eye."""

import torch
from torch import Tensor

from models.procedural.fields import cover, disc, ellipse, lens, polar, ramp, wave
from models.procedural.lighting import sphere
from models.procedural.palettes import blend, tint
from models.procedural.registry import Layer, draws
from models.procedural.sheet import Sheet
from models.procedural.stack import Stack

EYE = draws(
    "eye",
    "object",
    ("f4efe9", "3f7fb5", "d9a684", "2a1a14"),
    ("f2ece4", "5a8a4a", "b97a55", "1d1210"),
    turn=0.5,
)


def _ball(sheet: Sheet, stack: Stack, x: Tensor, y: Tensor, size: Tensor, slit: Tensor | float) -> None:
    """Iris with rays, pupil, a dark rim and a glint; only on what is painted already."""
    radius, angle = polar(x, y)
    rays = sheet.at(torch.cos(angle) * 2.0, torch.sin(angle) * 2.0 + radius / size * 0.4).noise(3.5, 3, 0.7)
    iris = tint(sheet.colors[1], 0.55 * rays + 0.5 * ramp(radius / size, 0.9, 0.4) - 0.25 + 0.2 * y / size)
    iris = blend(iris, sheet.colors[3], 0.75 * ramp(radius / size, 0.82, 1.0))
    stack.shade(iris, cover(radius - size, sheet.pixel))
    pupil = ellipse(x, y, size * (0.42 - 0.3 * slit), size * (0.42 + 0.35 * slit))
    stack.shade(sheet.colors[3] * 0.35, cover(pupil, sheet.pixel))
    glint = disc(x + size * 0.3, y + size * 0.35, size * 0.17)
    stack.shade(torch.ones_like(sheet.colors[0]), cover(glint, sheet.pixel) * 0.95)


def _white(sheet: Sheet, opening: Tensor) -> Tensor:
    """The white of the eye, shaded to its rim and under the lid."""
    veins = ramp(sheet.warped(0.1, 3.0).noise(2.5, 2).abs(), 0.05, 0.0) * 0.12
    shade = -0.4 * ramp(opening, -0.12, 0.02) - 0.25 * ramp(sheet.y, 0.0, -0.4)
    return (
        tint(sheet.colors[0], shade)
        - torch.tensor([0.0, 1.0, 1.0], device=sheet.x.device)[:, None, None] * veins[:, None]
    )


@EYE.shape
def human_eye(sheet: Sheet) -> Layer:
    """An almond in a patch of skin, with lids and lashes."""
    height = sheet.uniform(0.34, 0.5)
    x, y = sheet.x, sheet.y + 0.12 * sheet.x * sheet.uniform(-1, 1)
    opening = lens(x, y, 0.85, height)
    skin = tint(sheet.colors[2], 0.1 * sheet.noise(4.0, 3) - 0.5 * ramp(opening, 0.16, 0.0) + 0.1)
    crease = (lens(x, y + 0.1, 0.95, height + 0.06)).abs() - 0.015
    stack = Stack(sheet)
    stack.add(skin, ellipse(sheet.x, sheet.y, 1.0, 0.72))
    stack.shade(sheet.colors[3], 0.6 * cover(crease, sheet.pixel) * (y < 0))
    stack.shade(_white(sheet, opening).clamp(0, 1), cover(opening, sheet.pixel))
    inside = Stack(sheet)
    inside.glaze(_white(sheet, opening).clamp(0, 1), cover(opening, sheet.pixel))
    _ball(sheet, inside, x + sheet.uniform(-0.2, 0.2), y, sheet.uniform(0.26, 0.36), 0.0)
    eye = inside.layer()
    stack.shade(eye.picture, eye.coverage)
    upper = torch.maximum(opening.abs() - 0.035, y - 0.02 * x)
    stack.shade(sheet.colors[3], cover(upper, sheet.pixel))
    lash = torch.maximum(wave(x * 9 + 0.4 * y) / 9 - 0.02, (opening - 0.12).abs() - 0.12)
    stack.shade(sheet.colors[3], cover(torch.maximum(lash, y + 0.05), sheet.pixel))
    return stack.layer()


@EYE.shape
def bare_eye(sheet: Sheet) -> Layer:
    """An almond alone."""
    opening = lens(sheet.x, sheet.y, 0.95, sheet.uniform(0.4, 0.6))
    stack = Stack(sheet)
    stack.add(sheet.colors[3], opening - 0.05)
    inside = Stack(sheet)
    inside.add(_white(sheet, opening).clamp(0, 1), opening)
    _ball(sheet, inside, sheet.x + sheet.uniform(-0.25, 0.25), sheet.y, sheet.uniform(0.32, 0.42), 0.0)
    eye = inside.layer()
    stack.shade(eye.picture, eye.coverage)
    return stack.layer()


@EYE.shape
def eyeball(sheet: Sheet) -> Layer:
    """A whole ball, veined."""
    light, _ = sphere(sheet.x, sheet.y, 0.9)
    stack = Stack(sheet)
    stack.add(_white(sheet, disc(sheet.x, sheet.y, 0.9)).clamp(0, 1), disc(sheet.x, sheet.y, 0.85))
    x, y = sheet.x + sheet.uniform(-0.3, 0.3), sheet.y + sheet.uniform(-0.2, 0.2)
    _ball(sheet, stack, x, y, sheet.uniform(0.36, 0.48), 0.0)
    stack.light(0.55 + 0.5 * light)
    return stack.layer()


@EYE.shape
def cats_eye(sheet: Sheet) -> Layer:
    """A slit pupil in a large iris, fur around."""
    opening = lens(sheet.x, sheet.y, 0.8, sheet.uniform(0.5, 0.66))
    fur = tint(sheet.colors[2], 0.4 * sheet.noise(9.0, 2, stretch=2.0) - 0.35 * ramp(opening, 0.15, 0.0))
    stack = Stack(sheet)
    stack.add(fur, disc(sheet.x, sheet.y * 1.15, 0.98) + 0.06 * sheet.noise(9.0, 1))
    stack.shade(sheet.colors[3], cover(opening - 0.07, sheet.pixel))
    inside = Stack(sheet)
    inside.add(sheet.colors[0].expand(-1, -1, *sheet.x.shape[1:]), opening)
    _ball(sheet, inside, sheet.x, sheet.y, sheet.uniform(0.56, 0.7), sheet.uniform(0.7, 1.0))
    eye = inside.layer()
    stack.shade(eye.picture, eye.coverage)
    return stack.layer()


@EYE.held_out_shape
def sleepy_eye(sheet: Sheet) -> Layer:
    """The upper lid halfway down, a thick brow."""
    opening = torch.maximum(lens(sheet.x, sheet.y, 0.85, 0.5), -sheet.y - sheet.uniform(0.05, 0.2))
    stack = Stack(sheet)
    stack.add(
        tint(sheet.colors[2], 0.12 * sheet.noise(3.0, 3) - 0.3 * ramp(opening, 0.12, 0.0)),
        ellipse(sheet.x, sheet.y, 1.0, 0.8),
    )
    inside = Stack(sheet)
    inside.add(_white(sheet, opening).clamp(0, 1), opening)
    _ball(sheet, inside, sheet.x, sheet.y - 0.02, sheet.uniform(0.3, 0.4), 0.0)
    eye = inside.layer()
    stack.shade(eye.picture, eye.coverage)
    stack.shade(sheet.colors[3], cover(torch.maximum(opening.abs() - 0.03, sheet.y - 0.05), sheet.pixel))
    brow = (sheet.y + 0.62 - 0.25 * sheet.x * sheet.x).abs() - 0.07 - 0.03 * sheet.noise(14.0, 1)
    stack.shade(sheet.colors[3], cover(torch.maximum(brow, sheet.x.abs() - 0.7), sheet.pixel))
    return stack.layer()
