"""Pictures that benchmarks draw themselves, the same everywhere."""

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor


def drawn_content(size: int) -> Tensor:
    """A landscape: sky, hills, a tower and its reflection."""
    width, height = 2 * size, 3 * size // 2
    ramp = np.linspace(0, 1, height)[:, None, None]
    sky = (1 - ramp) * np.array([90, 140, 210]) + ramp * np.array([250, 210, 160])
    image = Image.fromarray(np.broadcast_to(sky, (height, width, 3)).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    x = np.arange(width + 1)
    for level, color in ((0.6, (110, 120, 130)), (0.68, (70, 95, 70)), (0.78, (40, 60, 45))):
        ridge = height * (
            level - 0.06 * np.sin(x / width * 7 / level) - 0.02 * np.sin(x / width * 40 * level)
        )
        draw.polygon(
            [(0, height), *zip(x.tolist(), ridge.tolist(), strict=True), (width, height)], fill=color
        )
    draw.rectangle((0.62 * width, 0.2 * height, 0.7 * width, 0.75 * height), fill=(150, 60, 45))
    for floor in np.linspace(0.24, 0.7, 9):
        draw.rectangle(
            (0.64 * width, floor * height, 0.68 * width, (floor + 0.02) * height), fill=(240, 220, 150)
        )
    draw.ellipse((0.15 * width, 0.1 * height, 0.27 * width, 0.26 * height), fill=(255, 240, 190))
    return tensor(image)


def drawn_style(size: int) -> Tensor:
    """A painting: thousands of short strokes along a swirling field, in five colors."""
    random = np.random.default_rng(1)
    side = 2 * size
    image = Image.new("RGB", (side, side), (30, 50, 110))
    draw = ImageDraw.Draw(image)
    colors = [(20, 40, 110), (60, 110, 190), (150, 190, 220), (240, 210, 90), (30, 30, 40)]
    for _ in range(6000):
        x, y = random.uniform(0, side, 2)
        angle = 3 * np.sin(3 * x / side) + 3 * np.cos(4 * y / side) + random.normal(0, 0.2)
        reach = random.uniform(0.01, 0.03) * side
        shade = colors[int(2.5 + 2.49 * np.sin(9 * x / side + 5 * np.sin(6 * y / side)))]
        color = tuple(int(np.clip(value + random.normal(0, 15), 0, 255)) for value in shade)
        end = (x + reach * np.cos(angle), y + reach * np.sin(angle))
        draw.line(((x, y), end), fill=color, width=max(1, side // 130))
    return tensor(image)


def tensor(image: Image.Image) -> Tensor:
    """A picture as float32 (1, 3, H, W) in [0, 1]."""
    return torch.from_numpy(np.asarray(image.convert("RGB"), dtype=np.float32) / 255).permute(2, 0, 1)[None]
