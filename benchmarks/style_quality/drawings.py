"""Drawn contents and styles, the same everywhere: what palette is trained on may change, these may not."""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from app.cli.demo_pictures import brushwork, landscape
from benchmarks.drawn_pictures import drawn_content, drawn_style
from worker.media.pictures import to_image

WIDTH, HEIGHT = 512, 384
# Drawn at a multiple of the size, so that edges are smooth.
TIMES = 2

Pixels = NDArray[np.float64]
Color = tuple[int, int, int]


def bridge() -> Image.Image:
    """A suspension bridge over water before a bare sky: thin cables, long gradients."""
    w, h = WIDTH * TIMES, HEIGHT * TIMES
    y = np.linspace(0, 1, h)[:, None, None]
    sky = (1 - y) * np.array([70, 120, 200]) + y * np.array([235, 225, 205])
    water = (1 - y) * np.array([120, 150, 160]) + y * np.array([25, 60, 85])
    image = _image(np.broadcast_to(np.where(y < 0.66, sky, water), (h, w, 3)))
    draw = ImageDraw.Draw(image)
    shore = [(0, 0.66 * h), (0, 0.52 * h), (0.16 * w, 0.60 * h), (0.34 * w, 0.66 * h)]
    draw.polygon(shore, fill=(70, 88, 62))
    deck, top, red = 0.58 * h, 0.20 * h, (168, 58, 44)
    towers = (0.27 * w, 0.75 * w)

    def cable(x: float) -> float:
        left, right = towers
        if left <= x <= right:
            middle = (left + right) / 2
            return deck - 0.03 * h - (deck - 0.03 * h - top) * ((x - middle) / (right - middle)) ** 2
        near = left if x < left else right
        return min(deck, top + (deck - top) * math.pow(abs(x - near) / (0.28 * w), 0.9))

    for place in range(0, w, round(0.022 * w)):
        draw.line([(place, cable(place)), (place, deck)], fill=(120, 60, 50), width=2)
    draw.line([(place, cable(place)) for place in range(0, w, 4)], fill=red, width=4)
    draw.rectangle((0, deck, w, deck + 0.022 * h), fill=red)
    for x in towers:
        draw.rectangle((x - 0.016 * w, top, x + 0.016 * w, 0.72 * h), fill=(150, 50, 40))
        for share in (0.28, 0.40, 0.52):
            draw.rectangle(
                (x - 0.007 * w, share * h, x + 0.007 * w, (share + 0.07) * h), fill=(205, 190, 175)
            )
    rng = np.random.default_rng(2)
    for _ in range(160):
        x, row = rng.uniform(0, w), rng.uniform(0.68 * h, h)
        draw.line([(x, row), (x + rng.uniform(0.01, 0.05) * w, row)], fill=(150, 175, 180), width=2)
    return _smaller(image)


def still_life() -> Image.Image:
    """Fruit and a jug on a striped cloth, lit from the left."""
    w, h = WIDTH * TIMES, HEIGHT * TIMES
    y, x = np.mgrid[0:h, 0:w] / h
    wall = np.stack([150 - 60 * x + 20 * y, 135 - 45 * x, 110 - 30 * x], axis=2)
    stripes = ((x * 9 + y * 3).astype(int) % 2)[..., None]
    cloth = stripes * np.array([205, 200, 190]) + (1 - stripes) * np.array([120, 45, 50])
    pixels = np.where((y > 0.62)[..., None], cloth * (1.1 - 0.3 * x[..., None]), wall)
    body = ((x - 0.42) / 0.15) ** 2 + ((y - 0.5) / 0.24) ** 2 < 1
    neck = (np.abs(x - 0.42) < 0.07) & (y > 0.15) & (y < 0.4)
    shade = np.clip(1.15 - 2.2 * np.abs(x - 0.38), 0.25, 1.1)[..., None]
    pixels = np.where((body | neck)[..., None], shade * np.array([70, 110, 135]), pixels)
    for left, top, radius, color in (
        (0.68, 0.70, 0.13, (215, 120, 35)),
        (0.88, 0.74, 0.11, (190, 40, 40)),
        (1.04, 0.68, 0.14, (150, 170, 50)),
        (0.24, 0.78, 0.10, (230, 190, 60)),
    ):
        pixels = _sphere(pixels, x, y, (left, top, radius), color)
    return _smaller(_image(pixels))


def _sphere(pixels: Pixels, x: Pixels, y: Pixels, place: tuple[float, float, float], color: Color) -> Pixels:
    left, top, radius = place
    dx, dy = (x - left) / radius, (y - top) / radius
    height = np.sqrt(np.clip(1 - dx**2 - dy**2, 0, 1))
    light = np.clip(-0.5 * dx - 0.5 * dy + 0.7 * height, 0, 1)
    shaded = (0.25 + 0.85 * light)[..., None] * np.array(color) + 160 * (light**24)[..., None]
    shadow = ((dx - 0.5) / 1.3) ** 2 + ((dy - 0.9) / 0.35) ** 2 < 1
    pixels = np.where(shadow[..., None], 0.6 * pixels, pixels)
    return np.where((dx**2 + dy**2 < 1)[..., None], shaded, pixels)


def pen() -> Image.Image:
    """A pen drawing, grey: strokes that follow a form and lie denser in its shadows."""
    w, h = WIDTH * TIMES, HEIGHT * TIMES
    rng = np.random.default_rng(3)
    image = Image.new("L", (w, h), 244)
    draw = ImageDraw.Draw(image)
    for _ in range(26000):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        u, v = x / h, y / h
        tone = 0.5 + 0.5 * math.sin(5 * u + 2.5 * math.sin(4 * v))
        if rng.random() < tone**2:
            angle = 1.2 * math.sin(3 * u) + 1.2 * math.cos(3.5 * v) + (1.2 if tone > 0.8 else 0)
            reach = rng.uniform(0.01, 0.028) * h
            end = (x + reach * math.cos(angle), y + reach * math.sin(angle))
            draw.line([(x, y), end], fill=int(rng.uniform(15, 90)), width=int(rng.integers(2, 4)))
    return _smaller(image.convert("RGB"))


def planes() -> Image.Image:
    """Facets with gradients and dark contours, in ochres, greens and greys."""
    w, h = WIDTH * TIMES, HEIGHT * TIMES
    rng = np.random.default_rng(4)
    y, x = np.mgrid[0:h, 0:w] / h
    colors = np.array([(176, 138, 82), (108, 116, 84), (206, 186, 142), (84, 74, 62), (134, 142, 138)])
    seeds = rng.uniform((0, 0), (w / h, 1), (80, 2))
    (nearest, second), order = (
        np.moveaxis(each, 2, 0) for each in cKDTree(seeds).query(np.stack([x, y], axis=2), k=2)
    )
    angle = rng.uniform(0, math.tau, 80)[order[0]]
    ramp = (x - seeds[order[0], 0]) * np.cos(angle) + (y - seeds[order[0], 1]) * np.sin(angle)
    shade = np.clip(1 + 3.5 * ramp, 0.5, 1.4)[..., None]
    pixels = colors[rng.integers(0, len(colors), 80)[order[0]]] * shade
    contour = np.clip((second - nearest) / 0.012, 0, 1)[..., None]
    grain = rng.normal(0, 6, (h, w, 1))
    return _smaller(_image(pixels * (0.25 + 0.75 * contour) + grain))


def dots() -> Image.Image:
    """Dots of pure colors side by side, that mix for the eye."""
    w, h = WIDTH * TIMES, HEIGHT * TIMES
    rng = np.random.default_rng(5)
    image = Image.new("RGB", (w, h), (226, 214, 186))
    draw = ImageDraw.Draw(image)
    warm = ((236, 160, 60), (214, 84, 60), (240, 210, 120), (190, 110, 150))
    cold = ((50, 90, 160), (70, 150, 150), (60, 120, 80), (120, 100, 170))
    for _ in range(24000):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        share = 0.5 + 0.5 * math.sin(6 * x / w + 3 * math.sin(5 * y / h))
        color = np.array((warm if rng.random() < share else cold)[rng.integers(0, 4)])
        color = np.clip(color + rng.normal(0, 14, 3), 0, 255).astype(int)
        radius = rng.uniform(0.004, 0.008) * h
        draw.circle((x, y), radius, fill=tuple(color.tolist()))
    return _smaller(image)


def mask() -> Image.Image:
    """A large painted face before a plain wall: a thing that a transfer should not put into its result."""
    w, h = WIDTH * TIMES, HEIGHT * TIMES
    rng = np.random.default_rng(6)
    image = Image.new("RGB", (w, h), (196, 148, 70))
    draw = ImageDraw.Draw(image)

    def ellipse(x: float, y: float, rx: float, ry: float, color: Color) -> None:
        box = ((x - rx) * h, (y - ry) * h, (x + rx) * h, (y + ry) * h)
        draw.ellipse(box, fill=color)

    ellipse(0.66, 0.46, 0.38, 0.44, (38, 26, 24))
    ellipse(0.66, 0.52, 0.27, 0.36, (222, 176, 138))
    ellipse(0.66, 1.02, 0.30, 0.16, (96, 34, 42))
    for x in (0.55, 0.77):
        ellipse(x, 0.46, 0.062, 0.036, (244, 238, 226))
        ellipse(x, 0.46, 0.03, 0.034, (52, 40, 30))
        arc = ((x - 0.08) * h, 0.36 * h, (x + 0.08) * h, 0.48 * h)
        draw.arc(arc, 200, 340, fill=(40, 28, 24), width=round(0.016 * h))
    draw.line(
        [(0.66 * h, 0.46 * h), (0.63 * h, 0.61 * h), (0.67 * h, 0.62 * h)], fill=(150, 100, 76), width=8
    )
    ellipse(0.66, 0.72, 0.09, 0.032, (168, 44, 50))
    ground = np.asarray(image)
    for _ in range(9000):
        x, y = rng.uniform(0, w), rng.uniform(0, h)
        color = ground[int(y), int(x)] + rng.normal(0, 10, 3)
        reach, angle = rng.uniform(0.01, 0.025) * h, math.atan2(y / h - 0.5, x / h - 0.66) + math.pi / 2
        end = (x + reach * math.cos(angle), y + reach * math.sin(angle))
        draw.line([(x, y), end], fill=tuple(np.clip(color, 0, 255).astype(int).tolist()), width=6)
    return _smaller(image)


def tower() -> Image.Image:
    """A tower before hills."""
    return to_image(drawn_content(WIDTH // 2))


def strokes() -> Image.Image:
    """Short strokes along a swirling field."""
    return to_image(drawn_style(WIDTH // 2))


def _image(pixels: Pixels) -> Image.Image:
    return Image.fromarray(np.clip(pixels, 0, 255).round().astype(np.uint8))


def _smaller(image: Image.Image) -> Image.Image:
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


CONTENTS: dict[str, Callable[[], Image.Image]] = {
    "landscape": landscape,
    "tower": tower,
    "bridge": bridge,
    "still-life": still_life,
}
STYLES: dict[str, Callable[[], Image.Image]] = {
    "brushwork": brushwork,
    "strokes": strokes,
    "pen": pen,
    "planes": planes,
    "dots": dots,
    "mask": mask,
}
