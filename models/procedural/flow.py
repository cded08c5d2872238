"""Strokes along a direction field: line integral convolution."""

import torch
from torch import Tensor
from torch.nn import functional

from models.procedural import noise
from models.procedural.fields import slope
from models.procedural.sheet import Sheet


def strokes(
    sheet: Sheet, u: Tensor, v: Tensor, length: Tensor, grain: float = 1.6, channels: int = 1
) -> Tensor:
    """Noise smeared along a direction (Cabral and Leedom 1993); (n, channels, h, w), deviation 1.

    ``u`` and ``v`` (n, h, w) point along the strokes, of any length; ``length`` (n, 1, 1) is half the length
    of a stroke in parts of the picture's side; ``grain`` the width of a stroke in pixels.
    """
    size = sheet.size
    norm = torch.rsqrt(u * u + v * v + 1e-9)
    direction = torch.stack([u * norm, v * norm], 1)
    fine = max(8, round(size / grain))
    seed = noise.white(sheet.key(), channels, fine, fine)
    line = (torch.arange(size, device=u.device, dtype=torch.float32) + 0.5) * (2 / size) - 1
    start = torch.stack(torch.meshgrid(line, line, indexing="xy"), -1)[None].expand(len(u), -1, -1, -1)
    count = 7
    step = (length * 2 / count)[..., None]
    total = functional.grid_sample(
        seed, start, mode="bilinear", padding_mode="reflection", align_corners=False
    )
    for sign in (-1.0, 1.0):
        place = start
        for _ in range(count):
            here = functional.grid_sample(
                direction, place, mode="bilinear", padding_mode="border", align_corners=False
            )
            place = place + here.permute(0, 2, 3, 1) * step * sign
            total = total + functional.grid_sample(
                seed, place, mode="bilinear", padding_mode="reflection", align_corners=False
            )
    smeared: Tensor = total / total.std((-2, -1), keepdim=True).clamp_min(1e-6)
    return smeared


def around(potential: Tensor) -> tuple[Tensor, Tensor]:
    """The direction along the level lines of a field (n, h, w)."""
    right, down = slope(potential)
    return -down, right
