"""Figures to project: maps in colors, panels with titles and color bars, bars with names.

Color maps are even to the eye and safe for color-blind ones: viridis for what begins at zero (Smith and van
der Walt 2015), vik for what has a sign (Crameri, Shephard, Heron, "The misuse of colour in science
communication", Nature Communications 2020).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
import torch
from cmap import Colormap
from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten, width_of, wrap
from worker.media.pictures import to_image
from worker.optim.pyramids.scales import resize

ColorScale = Literal["sequential", "diverging"]
_COLORMAPS: dict[ColorScale, str] = {"sequential": "bids:viridis", "diverging": "crameri:vik"}

INK = (33, 33, 38)
FAINT = (120, 120, 128)
TRACK = (236, 236, 240)
BAR = (62, 96, 160)
# Okabe and Ito's vermilion and bluish green, apart for all eyes.
WRONG = (213, 94, 0)
RIGHT = (0, 138, 100)

# How much of an overlay's opacity values near zero have.
_FAINTEST = 0.35
# Of a panel's side: text, margins.
_TEXT = 1 / 17
_GAP = 1 / 14
_SMALLEST_TEXT = 11


@dataclass(frozen=True)
class Scale:
    """What the colors of a map mean: values from ``low`` to ``high``, and what they are of."""

    low: float
    high: float
    label: str = ""
    colors: ColorScale = "sequential"


@dataclass(frozen=True)
class Panel:
    """A picture (1, 3, H, W) in [0, 1] with a title above and a color bar and a caption below."""

    picture: Tensor
    title: str = ""
    caption: str = ""
    scale: Scale | None = None


@dataclass(frozen=True)
class Bar:
    """A bar of a chart: a name, a value in [0, 1], its text, and whether it is marked as right or wrong.

    ``color``, RGB of 0 to 255, is that of the bar alone, where bars are the legend of a map.
    """

    name: str
    value: float
    text: str
    mark: Literal["none", "right", "wrong"] = "none"
    color: tuple[int, int, int] | None = None


@cache
def _colors(scale: ColorScale) -> Tensor:
    """256 colors of a scale, (256, 3), RGB in [0, 1]."""
    table = Colormap(_COLORMAPS[scale]).lut(256)[:, :3]
    return torch.from_numpy(np.ascontiguousarray(table, dtype=np.float32))


def colorize(values: Tensor, scale: Scale) -> Tensor:
    """A map (H, W) in the colors of a scale, (1, 3, H, W) on the CPU; values outside are clipped."""
    span = scale.high - scale.low
    relative = (values.detach().float().cpu() - scale.low) / (span if span > 0 else 1.0)
    places = relative.nan_to_num(0.0).clamp(0, 1).mul(255).round().long()
    return _colors(scale.colors)[places].permute(2, 0, 1)[None].contiguous()


def scale_of(values: Tensor, label: str = "", quantile: float = 1.0) -> Scale:
    """The scale of a map of values from zero up: its end is the quantile of the values."""
    high = float(torch.quantile(_sample(values), quantile))
    return Scale(0.0, high if high > 0 else 1.0, label)


def signed_scale_of(values: Tensor, label: str = "", quantile: float = 1.0) -> Scale:
    """The scale of a map with a sign, symmetric around zero, so that zero has the neutral color."""
    high = float(torch.quantile(_sample(values).abs(), quantile))
    return Scale(-high if high > 0 else -1.0, high if high > 0 else 1.0, label, "diverging")


def _sample(values: Tensor) -> Tensor:
    """At most a million values of a tensor, which is as many as torch's quantile takes many times over."""
    flat = values.detach().float().cpu().flatten()
    return flat[:: max(1, math.ceil(flat.numel() / 1_000_000))]


def enlarge(image: Tensor, height: int, width: int) -> Tensor:
    """A map (1, C, h, w) at another size, smoothly, within its range."""
    low, high = image.amin(), image.amax()
    bigger = torch.nn.functional.interpolate(image, (height, width), mode="bicubic", align_corners=False)
    return torch.minimum(torch.maximum(bigger, low), high)


def enlarge_sharp(image: Tensor, height: int, width: int) -> Tensor:
    """A map (N, C, h, w) at another size with its values as squares, for grids of single values."""
    return torch.nn.functional.interpolate(image, (height, width), mode="nearest-exact")


def overlay(picture: Tensor, values: Tensor, scale: Scale, opacity: float = 0.6) -> Tensor:
    """A map (H, W) in colors over a grey copy of a picture (1, 3, H, W) of its size.

    Grey, so that all color in it is the map's; what is near zero covers it less, so that the picture is seen.
    """
    grey = picture.detach().float().cpu().mean(1, keepdim=True).expand(-1, 3, -1, -1)
    largest = max(abs(scale.low), abs(scale.high))
    strength = (values.detach().float().cpu().abs() / (largest or 1.0)).nan_to_num(0.0).clamp(0, 1)
    cover = opacity * (_FAINTEST + (1 - _FAINTEST) * strength)
    return torch.lerp(grey.contiguous(), colorize(values, scale), cover.expand(1, 3, -1, -1))


def sheet(
    panels: Sequence[Panel], *, columns: int | None = None, heading: str = "", side: int = 256
) -> Tensor:
    """Panels in rows, (1, 3, H, W), each picture fitted into a square of ``side`` pixels.

    ``columns`` is None for about as many as rows.
    """
    across = min(len(panels), columns or math.ceil(math.sqrt(len(panels))))
    rows = [panels[place : place + across] for place in range(0, len(panels), across)]
    size, gap = _text_size(side), max(6, round(side * _GAP))
    pictures = [[_fitted(panel.picture, side) for panel in row] for row in rows]
    width = across * side + (across + 1) * gap
    head = _heading_height(heading, size, width - 2 * gap, gap)
    heights = [_height(row, made, size, side, gap) for row, made in zip(rows, pictures, strict=True)]
    canvas = Image.new("RGB", (width, head + sum(heights) + gap), "white")
    draw = ImageDraw.Draw(canvas)
    _draw_heading(draw, heading, size, gap, width - 2 * gap)
    top = head
    for row, made, height in zip(rows, pictures, heights, strict=True):
        for place, (panel, image) in enumerate(zip(row, made, strict=True)):
            _draw_panel(canvas, draw, panel, image, gap + place * (side + gap), top, row, size, side)
        top += height
    return to_tensor(canvas)


def bar_chart(bars: Sequence[Bar], *, width: int = 420, size: int = 16) -> Tensor:
    """Horizontal bars with names and numbers, (1, 3, H, width)."""
    line, gap = line_height(size), round(size * 0.5)
    step = line + round(size * 0.7) + gap
    canvas = Image.new("RGB", (width, step * len(bars) + gap), "white")
    draw = ImageDraw.Draw(canvas)
    for place, bar in enumerate(bars):
        top = gap + place * step
        color = {"none": BAR, "right": RIGHT, "wrong": WRONG}[bar.mark]
        number = width_of(bar.text, size)
        name = shorten(bar.name, size, width - 3 * gap - number)
        draw.text((gap, top), name, INK if bar.mark == "none" else color, font(size))
        draw.text((width - gap - number, top), bar.text, INK, font(size))
        y, end = top + line, gap + round((width - 2 * gap) * min(1.0, max(0.0, bar.value)))
        draw.rectangle((gap, y, width - gap, y + round(size * 0.5)), TRACK)
        if end > gap:
            draw.rectangle((gap, y, end, y + round(size * 0.5)), bar.color or color)
    return to_tensor(canvas)


def beside(pictures: Sequence[Tensor], gap: int = 12) -> Tensor:
    """Pictures (1, 3, H, W) of any sizes side by side on white, aligned at their tops."""
    height = max(each.shape[2] for each in pictures)
    padded = []
    for place, each in enumerate(pictures):
        right = gap if place < len(pictures) - 1 else 0
        padded.append(torch.nn.functional.pad(each, (0, right, 0, height - each.shape[2]), value=1.0))
    return torch.cat(padded, 3)


def below(pictures: Sequence[Tensor], gap: int = 0) -> Tensor:
    """Pictures (1, 3, H, W) of any sizes one below the other on white, aligned at their left."""
    turned = [each.transpose(2, 3) for each in pictures]
    return beside(turned, gap).transpose(2, 3).contiguous()


def to_tensor(image: Image.Image) -> Tensor:
    """An RGB image as (1, 3, H, W) in [0, 1]."""
    levels = torch.from_numpy(np.array(image.convert("RGB")))
    return levels.permute(2, 0, 1)[None].float().div(255).contiguous()


def number(value: float) -> str:
    """A number for a legend, with three digits."""
    return f"{value:.3g}"


def percent(value: float) -> str:
    """A share as percent: with a digit behind the point, or as less than the smallest that is shown."""
    return "< 0.1 %" if 0 < value < 0.0005 else f"{100 * value:.1f} %"


def _text_size(side: int) -> int:
    return max(_SMALLEST_TEXT, round(side * _TEXT))


def _fitted(picture: Tensor, side: int) -> Image.Image:
    """A picture at the size of a panel; small maps keep their squares."""
    height, width = picture.shape[2:]
    scale = side / max(height, width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    picture = picture.detach().float().cpu()
    return to_image(enlarge_sharp(picture, *size) if scale >= 2 else resize(picture, *size))


def _heading_height(heading: str, size: int, width: int, gap: int) -> int:
    lines = wrap(heading, round(size * 1.25), width, 2)
    return gap + len(lines) * line_height(round(size * 1.25)) + (gap // 2 if lines else 0)


def _draw_heading(draw: ImageDraw.ImageDraw, heading: str, size: int, gap: int, width: int) -> None:
    big = round(size * 1.25)
    for place, line in enumerate(wrap(heading, big, width, 2)):
        draw.text((gap, gap + place * line_height(big)), line, INK, font(big))


def _titles(row: Sequence[Panel], size: int, side: int) -> int:
    """Lines that the titles of a row take."""
    return max(len(wrap(panel.title, size, side, 2)) for panel in row)


def _captions(row: Sequence[Panel], size: int, side: int) -> int:
    return max(len(wrap(panel.caption, _small(size), side, 3)) for panel in row)


def _small(size: int) -> int:
    return max(_SMALLEST_TEXT, round(size * 0.85))


def _bar_height(row: Sequence[Panel], size: int) -> int:
    """Pixels of the color bars of a row, with their numbers."""
    return line_height(_small(size)) + size if any(panel.scale for panel in row) else 0


def _height(row: Sequence[Panel], made: Sequence[Image.Image], size: int, side: int, gap: int) -> int:
    texts = _titles(row, size, side) * line_height(size)
    texts += _captions(row, size, side) * line_height(_small(size))
    return max(image.height for image in made) + texts + _bar_height(row, size) + gap


def _draw_panel(
    canvas: Image.Image,
    draw: ImageDraw.ImageDraw,
    panel: Panel,
    image: Image.Image,
    left: int,
    top: int,
    row: Sequence[Panel],
    size: int,
    side: int,
) -> None:
    for place, line in enumerate(wrap(panel.title, size, side, 2)):
        draw.text((left, top + place * line_height(size)), line, INK, font(size))
    top += _titles(row, size, side) * line_height(size)
    canvas.paste(image, (left + (side - image.width) // 2, top))
    top += image.height
    small = _small(size)
    if panel.scale is not None:
        _draw_scale(canvas, draw, panel.scale, left, top + size // 3, side, small)
        top += _bar_height(row, size)
    for place, line in enumerate(wrap(panel.caption, small, side, 3)):
        draw.text((left, top + place * line_height(small)), line, FAINT, font(small))


def _draw_scale(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, scale: Scale, left: int, top: int, side: int, size: int
) -> None:
    """A color bar with the numbers at its ends, and what it is of between them."""
    thick = max(4, size // 2)
    ramp = torch.linspace(scale.low, scale.high, side).expand(thick, side)
    canvas.paste(to_image(colorize(ramp, scale)), (left, top))
    top += thick + 2
    low, high = number(scale.low), number(scale.high)
    draw.text((left, top), low, FAINT, font(size))
    draw.text((left + side - width_of(high, size), top), high, FAINT, font(size))
    room = side - width_of(low, size) - width_of(high, size) - 2 * size
    label = shorten(scale.label, size, room)
    draw.text((left + (side - width_of(label, size)) // 2, top), label, FAINT, font(size))
