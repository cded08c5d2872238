"""Light: relief from a height field, spheres, the fall of light over a picture."""

import torch
from torch import Tensor

from models.procedural.fields import slope
from models.procedural.sheet import Sheet


def relief(sheet: Sheet, height: Tensor, gloss: float = 0.25, azimuth: Tensor | None = None) -> Tensor:
    """Brightness of a surface under a random lamp and the sky; (n, h, w) in [0.15, 1.9], 1 on level ground.

    ``height`` is in the units of x and y. The azimuth is in the frame of the picture, in radians.
    """
    azimuth = sheet.uniform(-3.1, 0.0) if azimuth is None else azimuth
    right, down = slope(height)
    # Steps in the height are cliffs of a finite slope, lest their edges glitter.
    right, down = (right / sheet.pixel).clamp(-2, 2), (down / sheet.pixel).clamp(-2, 2)
    toward = right * torch.cos(azimuth) + down * torch.sin(azimuth)
    facing = torch.rsqrt(1 + right * right + down * down)
    # Lambert with the lamp 45 degrees high, over its value on level ground.
    diffuse = (1 - toward) * facing
    highlight = (diffuse * 0.70711).clamp(0, 1) ** 24
    return (0.35 + 0.65 * diffuse + gloss * highlight).clamp(0.15, 1.9)


def lit(picture: Tensor, shade: Tensor) -> Tensor:
    """A picture (n, 3, h, w) under a brightness (n, h, w): darker below 1, towards white above."""
    dark = shade.clamp(max=1)[:, None]
    light = (shade - 1).clamp(0, 1)[:, None] * 0.7
    return picture * dark * (1 - light) + light


def sphere(
    x: Tensor, y: Tensor, radius: Tensor | float, azimuth: Tensor | float = -2.2
) -> tuple[Tensor, Tensor]:
    """Brightness and height (in radii) of a ball around the origin; beyond its rim the height is 0."""
    u, v = x / radius, y / radius
    height = torch.sqrt((1 - u * u - v * v).clamp_min(0))
    angle = torch.as_tensor(azimuth, device=x.device)
    lamp = (u * torch.cos(angle) + v * torch.sin(angle)) * 0.75 + height * 0.66
    return 0.22 + 0.95 * lamp.clamp_min(0), height
