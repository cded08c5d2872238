"""Strokes along a direction field: line integral convolution."""

from functools import partial

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
    sample = partial(functional.grid_sample, align_corners=False)
    total = sample(seed, start, padding_mode="reflection")
    for sign in (-1.0, 1.0):
        place = start
        for _ in range(count):
            here = sample(direction, place, padding_mode="border")
            place = place + here.permute(0, 2, 3, 1) * step * sign
            total = total + sample(seed, place, padding_mode="reflection")
    smeared: Tensor = total / total.std((-2, -1), keepdim=True).clamp_min(1e-6)
    return smeared


def around(potential: Tensor) -> tuple[Tensor, Tensor]:
    """The direction along the level lines of a field (n, h, w)."""
    right, down = slope(potential)
    return -down, right
