"""Two drawn pictures for ``impasto demo``, so that nothing needs to be downloaded."""

import math
import random
from collections.abc import Callable

from PIL import Image, ImageDraw

# An sRGB colour, each channel 0 to 255.
Color = tuple[int, int, int]
# Pictures are drawn at a multiple of their size and scaled down, which smooths the edges.
_OVERSAMPLING = 2


def _mix(first: Color, second: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def _sky(draw: ImageDraw.ImageDraw, width: int, height: int, top: Color, bottom: Color) -> None:
    for y in range(height):
        draw.line([(0, y), (width, y)], fill=_mix(top, bottom, y / height))


def _ridge(
    width: int, height: int, rng: random.Random, base: float, swing: float
) -> list[tuple[float, float]]:
    """The outline of a range of hills: a sum of waves whose amplitudes fall with frequency."""
    waves = [(k, swing / k, rng.uniform(0, math.tau)) for k in range(1, 12)]
    return [
        (x, height * (base - sum(a * math.sin(math.tau * k * x / width / 1.7 + p) for k, a, p in waves)))
        for x in range(0, width + 4, 4)
    ]


def landscape(width: int = 512, height: int = 384) -> Image.Image:
    """A lake between hills in the evening, with a house and firs: the content picture."""
    rng = random.Random(7)
    w, h = width * _OVERSAMPLING, height * _OVERSAMPLING
    image = Image.new("RGB", (w, h))
    draw = ImageDraw.Draw(image)
    _sky(draw, w, h, (70, 110, 180), (250, 205, 150))
    sun = (0.68 * w, 0.34 * h, 0.07 * h)
    for step in range(12, 0, -1):
        radius = sun[2] * (1 + 0.12 * step)
        draw.circle(sun[:2], radius, fill=_mix((255, 236, 190), (190, 170, 168), step / 13))
    draw.circle(sun[:2], sun[2], fill=(255, 244, 214))
    for base, swing, color in (
        (0.52, 0.09, (120, 130, 165)),
        (0.60, 0.06, (80, 100, 120)),
        (0.66, 0.035, (52, 82, 70)),
    ):
        draw.polygon([(0, h), *_ridge(w, h, rng, base, swing), (w, h)], fill=color)
    lake = 0.70 * h
    for row in range(round(lake), h):
        depth = (row - lake) / (h - lake)
        draw.line([(0, row), (w, row)], fill=_mix((205, 178, 150), (40, 70, 110), depth))
    for _ in range(90):
        x, y = rng.gauss(sun[0], 0.06 * w), rng.uniform(lake, h)
        length = rng.uniform(0.01, 0.05) * w
        draw.line([(x - length, y), (x + length, y)], fill=(255, 226, 176), width=_OVERSAMPLING)
    shore = [(x, y + 0.19 * h) for x, y in _ridge(w, h, rng, 0.70, 0.02)]
    draw.polygon([(0, h), *shore, (w, h)], fill=(58, 74, 40))
    _house(draw, 0.22 * w, 0.86 * h, 0.20 * h)
    for x in (0.05, 0.11, 0.40, 0.46, 0.88, 0.95):
        _fir(draw, x * w, (0.90 + rng.uniform(-0.01, 0.04)) * h, rng.uniform(0.24, 0.38) * h)
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _house(draw: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    """A house; (x, y) is the centre of its lower edge."""
    half = 0.55 * size
    draw.rectangle([x - half, y - 0.6 * size, x + half, y], fill=(226, 206, 178))
    roof = [(x - 1.2 * half, y - 0.6 * size), (x, y - 1.1 * size), (x + 1.2 * half, y - 0.6 * size)]
    draw.polygon(roof, fill=(150, 62, 44))
    draw.rectangle([x - 0.1 * size, y - 0.34 * size, x + 0.1 * size, y], fill=(92, 58, 40))
    for dx in (-0.33, 0.33):
        left, top = x + (dx - 0.09) * size, y - 0.45 * size
        draw.rectangle([left, top, left + 0.18 * size, top + 0.18 * size], fill=(250, 214, 120))


def _fir(draw: ImageDraw.ImageDraw, x: float, y: float, size: float) -> None:
    """A fir; (x, y) is the centre of its lower edge."""
    draw.rectangle([x - 0.03 * size, y - 0.15 * size, x + 0.03 * size, y], fill=(70, 48, 34))
    for tier, (low, high, half) in enumerate(((0.1, 0.5, 0.24), (0.34, 0.75, 0.19), (0.6, 1.0, 0.13))):
        outline = [(x - half * size, y - low * size), (x, y - high * size), (x + half * size, y - low * size)]
        draw.polygon(outline, fill=(26 + 8 * tier, 60 + 10 * tier, 40 + 4 * tier))


def brushwork(width: int = 512, height: int = 384) -> Image.Image:
    """Thick brush strokes around stars in a night sky: the style picture."""
    rng = random.Random(11)
    w, h = width * _OVERSAMPLING, height * _OVERSAMPLING
    stars = [(rng.uniform(0, w), rng.uniform(0, h), rng.choice((-1, 1))) for _ in range(7)]
    image = Image.new("RGB", (w, h), (24, 38, 84))
    draw = ImageDraw.Draw(image)
    night = ((22, 40, 98), (40, 84, 150), (86, 140, 190), (30, 60, 120), (150, 190, 205))
    light = ((244, 206, 92), (250, 232, 150), (232, 160, 60))
    for width_share in (0.020, 0.012, 0.008):
        strokes = round(14 / width_share)
        for _ in range(strokes):
            x, y = rng.uniform(0, w), rng.uniform(0, h)
            near = min(math.hypot(x - sx, y - sy) for sx, sy, _ in stars) / h
            palette = light if rng.random() < math.exp(-((near / 0.11) ** 2)) else night
            color = _mix(rng.choice(palette), rng.choice(palette), rng.random())
            _stroke(draw, (x, y), _flow(stars, h), color, round(width_share * h))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _flow(stars: list[tuple[float, float, int]], height: int) -> Callable[[float, float], float]:
    """The direction of strokes at a point, in radians: around stars, in waves between them."""

    def direction(x: float, y: float) -> float:
        dx, dy = height * 0.6, height * 0.35 * math.sin(5 * x / height)
        for sx, sy, turn in stars:
            distance = math.hypot(x - sx, y - sy) + 1
            pull = 2.2 * height * math.exp(-((distance / (0.28 * height)) ** 2)) * turn / distance
            dx, dy = dx - pull * (y - sy), dy + pull * (x - sx)
        return math.atan2(dy, dx)

    return direction


def _stroke(
    draw: ImageDraw.ImageDraw,
    start: tuple[float, float],
    direction: Callable[[float, float], float],
    color: Color,
    width: int,
) -> None:
    """One brush stroke along the flow."""
    points = [start]
    for _ in range(8):
        x, y = points[-1]
        angle = direction(x, y)
        points.append((x + width * math.cos(angle), y + width * math.sin(angle)))
    draw.line(points, fill=color, width=width, joint="curve")
