"""Charts of numbers over numbers: axes with ticks, and lines."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten, width_of
from worker.understanding.figures import FAINT, INK, TRACK, number, to_tensor

Color = tuple[int, int, int]

# Lines are drawn so many times as large, and made smaller, which smooths them.
_FINE = 3
_TEXT = 15
_MARGIN = 18
# Room for the numbers of a vertical axis at least, so that charts line up.
_NUMBERS = 54
# Ticks of an axis, about.
_TICKS = 5
# Positive values whose largest is so many times the smallest are drawn over a logarithmic axis.
_WIDE = 50.0
# Points that are drawn with a dot each, at most.
_DOTTED = 24


@dataclass(frozen=True)
class Line:
    """A line of a chart: its name, its points (x, y), all finite, and its color.

    With ``radii``, those of its points in pixels, the points are not connected.
    """

    name: str
    points: Sequence[tuple[float, float]]
    color: Color
    radii: Sequence[float] = ()


@dataclass(frozen=True)
class Axis:
    """A range of values, and where its ticks are."""

    low: float
    high: float
    ticks: Sequence[float]
    logarithmic: bool = False

    def share(self, value: float) -> float:
        """How far along the axis a value lies: 0 at its low end, 1 at the high one."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return (value - low) / (high - low)


def axis_of(values: Sequence[float], low: float | None = None, high: float | None = None) -> Axis:
    """An axis that shows all values, whose ends are ticks or as given.

    Logarithmic if nothing else is asked for and positive values are far apart.
    """
    least, most = min(values, default=0.0), max(values, default=1.0)
    if low is None and high is None and least > 0 and most / least > _WIDE:
        powers = range(math.floor(math.log10(least)), math.ceil(math.log10(most)) + 1)
        every = math.ceil((len(powers) - 1) / (_TICKS + 1))
        return Axis(10.0 ** powers[0], 10.0 ** powers[-1], [10.0**power for power in powers[::every]], True)
    start, end = least if low is None else low, most if high is None else high
    if end <= start:
        end = start + (abs(start) or 1.0)
    step = nice_step((end - start) / _TICKS)
    first = math.floor(start / step) * step if low is None else start
    last = math.ceil(end / step) * step if high is None else end
    # Quotients that are whole but for rounding are whole.
    ticks = [
        place * step for place in range(math.ceil(first / step - 1e-9), math.floor(last / step + 1e-9) + 1)
    ]
    return Axis(first, last, ticks)


def nice_step(least: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is at least so much."""
    power = 10.0 ** math.floor(math.log10(least))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * (1 - 1e-9))


def line_chart(
    title: str,
    lines: Sequence[Line],
    vertical: Axis,
    horizontal: Axis,
    *,
    width: int = 560,
    height: int = 240,
    label: str = "",
    mark: tuple[float, str] | None = None,
) -> Tensor:
    """Lines over axes, (1, 3, height, width).

    The names of the lines are beside the title, ``label`` is below the horizontal axis. ``mark`` is a place
    on it, and what is there.
    """
    texts = [_short(tick) for tick in vertical.ticks]
    left = _MARGIN + max(_NUMBERS, *(width_of(text, _TEXT) for text in texts)) + 8
    top = _MARGIN + line_height(_TEXT) + 10
    box = (left, top, width - _MARGIN, height - _MARGIN - line_height(_TEXT) * (2 if label else 1))
    canvas = Image.new("RGB", (width, height), "white")
    canvas.paste(_plot(lines, vertical, horizontal, (box[2] - left, box[3] - top), mark), (left, top))
    draw = ImageDraw.Draw(canvas)
    _write_names(draw, title, lines, width)
    for tick, text in zip(vertical.ticks, texts, strict=True):
        y = round(box[3] - vertical.share(tick) * (box[3] - top))
        draw.text((left - 8 - width_of(text, _TEXT), y - line_height(_TEXT) // 2), text, FAINT, font(_TEXT))
    for tick in horizontal.ticks:
        text = _short(tick)
        x = left + horizontal.share(tick) * (box[2] - left) - width_of(text, _TEXT) / 2
        draw.text((min(x, width - _MARGIN - width_of(text, _TEXT)), box[3] + 4), text, FAINT, font(_TEXT))
    if label:
        x = left + (box[2] - left - width_of(label, _TEXT)) / 2
        draw.text((x, box[3] + 2 + line_height(_TEXT)), label, FAINT, font(_TEXT))
    if mark is not None:
        x = left + horizontal.share(mark[0]) * (box[2] - left) + 5
        if x + width_of(mark[1], _TEXT) > box[2]:
            x -= width_of(mark[1], _TEXT) + 10
        draw.text((x, top + 2), mark[1], FAINT, font(_TEXT))
    return to_tensor(canvas)


def _short(value: float) -> str:
    """A number for an axis: 1e-7, not 1e-07."""
    return number(value).replace("e-0", "e-")


def _plot(
    lines: Sequence[Line],
    vertical: Axis,
    horizontal: Axis,
    size: tuple[int, int],
    mark: tuple[float, str] | None,
) -> Image.Image:
    """The area between the axes, smoothly drawn."""
    width, height = size[0] * _FINE, size[1] * _FINE
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)

    def at(x: float, y: float) -> tuple[float, float]:
        return horizontal.share(x) * (width - 1), (1 - vertical.share(y)) * (height - 1)

    for tick in vertical.ticks:
        y = at(horizontal.low, tick)[1]
        draw.line((0, y, width, y), TRACK, _FINE)
    if mark is not None:
        x = at(mark[0], vertical.low)[0]
        for y in range(0, height, 8 * _FINE):
            draw.line((x, y, x, y + 4 * _FINE), FAINT, _FINE)
    for line in lines:
        points = [at(x, y) for x, y in line.points]
        for start, end in () if line.radii else pairwise(points):
            draw.line((*start, *end), line.color, 2 * _FINE)
        radii = line.radii or [3 if len(points) <= _DOTTED else 1] * len(points)
        for (x, y), radius in zip(points, radii, strict=True):
            around = radius * _FINE
            edge = "white" if line.radii else None
            draw.ellipse((x - around, y - around, x + around, y + around), line.color, edge, _FINE)
    draw.line((0, height - 1, width, height - 1), FAINT, _FINE)
    return image.resize(size, Image.Resampling.LANCZOS)


def _write_names(draw: ImageDraw.ImageDraw, title: str, lines: Sequence[Line], width: int) -> None:
    """The title at the left, the names of the lines in their colors at the right."""
    right = width - _MARGIN
    for line in reversed(lines):
        if line.name:
            right -= width_of(line.name, _TEXT)
            draw.text((right, _MARGIN), line.name, line.color, font(_TEXT))
            right -= 16
    draw.text((_MARGIN, _MARGIN), shorten(title, _TEXT, right - _MARGIN), INK, font(_TEXT))
