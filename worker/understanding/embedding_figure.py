"""Figures of an embedding: thumbnails on a grid, places by label, neighbours, and probes by layer."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten, width_of, wrap
from worker.understanding.figures import FAINT, INK, TRACK, Bar, bar_chart, below, percent, to_tensor
from worker.understanding.layout import Points
from worker.understanding.probes import Probe

# Okabe and Ito's colors, apart for all eyes, but for their yellow, which is faint on white.
COLORS = (
    (0, 114, 178),
    (230, 159, 0),
    (0, 158, 115),
    (213, 94, 0),
    (86, 180, 233),
    (204, 121, 167),
    (60, 60, 60),
)
SHAPES = ("circle", "square", "triangle")
# Labels with a color and a shape of their own; where there are more, their names are written on the map.
TOLD_APART = len(COLORS) * len(SHAPES)

TITLE, TEXT = 22, 16
MARGIN = 18
# Pixels of a map, and how much finer it is drawn than it is shown, for smooth edges.
MAP, FINER = 620, 3
NEIGHBOR = 96
# Named marks are this far from the borders, as a share.
INSET = 0.05


def thumbnail_grid(
    thumbnails: Tensor, cells: NDArray[np.int64], rows: int, columns: int, heading: str
) -> Tensor:
    """Thumbnails (N, 3, t, t) uint8 at their cells (row, column), (1, 3, H, W)."""
    side = thumbnails.shape[2]
    grid = torch.full((3, rows * side, columns * side), 255, dtype=torch.uint8)
    for picture, (row, column) in zip(thumbnails, cells.tolist(), strict=True):
        grid[:, row * side : (row + 1) * side, column * side : (column + 1) * side] = picture
    size = max(TITLE, min(grid.shape[2] // 45, 64))
    return below([_heading(heading, grid.shape[2], size), grid[None].float() / 255])


def scatter(maps: Sequence[tuple[str, Points]], labels: Sequence[str | None], heading: str) -> Tensor:
    """Places (N, 2) on maps side by side, colored by label with a legend."""
    counts = Counter(label for label in labels if label is not None)
    names = sorted(counts)
    named = len(names) > TOLD_APART
    styles = {name: _style(place) for place, name in enumerate(names)}
    legend = 0 if named or not names else _legend_width(names)
    width = len(maps) * (MAP + MARGIN) + MARGIN + legend
    head = line_height(TITLE) + line_height(TEXT) + MARGIN
    canvas = Image.new("RGB", (width, head + MAP + MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN // 2), shorten(heading, TITLE, width - 2 * MARGIN), INK, font(TITLE))
    for number, (title, points) in enumerate(maps):
        left = MARGIN + number * (MAP + MARGIN)
        draw.text((left, head - line_height(TEXT)), title, FAINT, font(TEXT))
        canvas.paste(_map(points, labels, styles), (left, head))
        if named:
            _write_names(draw, _spread(points), labels, names, left, head)
    if legend:
        _draw_legend(draw, names, styles, counts, len(maps) * (MAP + MARGIN) + MARGIN, head)
    return to_tensor(canvas)


def neighbors_figure(
    lines: Sequence[tuple[Tensor, str, Sequence[Mapping[str, Any]]]], thumbnails: Tensor, heading: str
) -> Tensor:
    """A row for each picture (3, t, t) uint8: itself with its name, and its neighbours with their cosines."""
    most = max(len(found) for _, _, found in lines)
    step, gap = NEIGHBOR + 10, 26
    width = max(2 * MARGIN + NEIGHBOR + gap + most * step, 480)
    tall = NEIGHBOR + 2 * line_height(13) + 8
    title = wrap(heading, TITLE, width - 2 * MARGIN, 2)
    head = MARGIN // 2 + len(title) * line_height(TITLE) + 6
    canvas = Image.new("RGB", (width, head + len(lines) * tall + MARGIN // 2), "white")
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(title):
        draw.text((MARGIN, MARGIN // 2 + place * line_height(TITLE)), line, INK, font(TITLE))
    for row, (picture, name, found) in enumerate(lines):
        top = head + row * tall
        canvas.paste(_image(picture), (MARGIN, top))
        draw.text((MARGIN, top + NEIGHBOR), shorten(name, 13, NEIGHBOR), INK, font(13))
        for place, each in enumerate(found):
            left = MARGIN + NEIGHBOR + gap + place * step
            canvas.paste(_image(thumbnails[each["place"]]), (left, top))
            said = each["label"] or each["name"]
            draw.text((left, top + NEIGHBOR), shorten(said, 13, NEIGHBOR), FAINT, font(13))
            draw.text((left, top + NEIGHBOR + line_height(13)), f"{each['similarity']:.2f}", FAINT, font(13))
    return to_tensor(canvas)


def probe_figure(probes: Sequence[Probe], chance: float, heading: str) -> Tensor:
    """The accuracy of each layer as bars, from the picture to the scores, and of guessing."""
    bars = [Bar(each.layer, each.accuracy, percent(each.accuracy)) for each in probes]
    bars.append(Bar("guessing the commonest label", chance, percent(chance), "wrong"))
    return below([_heading(heading, 560, 18), bar_chart(bars, width=560)])


def _heading(text: str, width: int, size: int) -> Tensor:
    lines = wrap(text, size, width - size, 2)
    canvas = Image.new("RGB", (width, len(lines) * line_height(size) + size // 2), "white")
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(lines):
        draw.text((size // 2, size // 4 + place * line_height(size)), line, INK, font(size))
    return to_tensor(canvas)


def _image(picture: Tensor) -> Image.Image:
    image = Image.fromarray(picture.permute(1, 2, 0).contiguous().numpy())
    return image.resize((NEIGHBOR, NEIGHBOR), Image.Resampling.BICUBIC)


def _style(place: int) -> tuple[tuple[int, int, int], str]:
    """The color and shape of a label; they come again where there are more labels than that."""
    return COLORS[place % len(COLORS)], SHAPES[place // len(COLORS) % len(SHAPES)]


def _spread(points: Points) -> Points:
    """Points within the unit square, the longer side filling it."""
    low, high = points.min(0), points.max(0)
    span = float((high - low).max()) or 1.0
    unit: Points = 0.5 + (points - (low + high) / 2) / span
    return np.asarray(INSET + (1 - 2 * INSET) * unit)


def _map(
    points: Points,
    labels: Sequence[str | None],
    styles: Mapping[str, tuple[tuple[int, int, int], str]],
) -> Image.Image:
    canvas = Image.new("RGB", (MAP * FINER, MAP * FINER), "white")
    draw = ImageDraw.Draw(canvas)
    draw.rectangle((0, 0, MAP * FINER - 1, MAP * FINER - 1), outline=TRACK, width=FINER)
    radius = FINER * (5.0 if len(points) <= 500 else 3.5 if len(points) <= 3000 else 2.0)
    for (x, y), label in zip(_spread(points) * MAP * FINER, labels, strict=True):
        color, shape = styles[label] if label is not None else ((150, 150, 156), "circle")
        _mark(draw, float(x), float(y), radius, color, shape)
    return canvas.resize((MAP, MAP), Image.Resampling.BOX)


def _mark(
    draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, color: tuple[int, int, int], shape: str
) -> None:
    # A white edge keeps marks apart where they overlap.
    edge = max(1, round(radius / 4))
    if shape == "circle":
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), color, "white", edge)
    elif shape == "square":
        side = 0.9 * radius
        draw.rectangle((x - side, y - side, x + side, y + side), color, "white", edge)
    else:
        tall = 1.2 * radius
        corners = [(x, y - tall), (x - tall, y + 0.8 * radius), (x + tall, y + 0.8 * radius)]
        draw.polygon(corners, color, "white", edge)


def _write_names(
    draw: ImageDraw.ImageDraw,
    spread: Points,
    labels: Sequence[str | None],
    names: Sequence[str],
    left: int,
    top: int,
) -> None:
    """The name of each label amid its pictures; one that would cover another is moved down, or left out."""
    size, taken = 12, list[tuple[int, int, int, int]]()
    every = np.array([label or "" for label in labels])
    for name in names:
        x, y = np.median(spread[every == name], 0) * MAP
        text = shorten(name, size, 130)
        wide, high = width_of(text, size), line_height(size)
        x = min(max(2, round(x - wide / 2)), MAP - wide - 2)
        for shift in (0, high, -high, 2 * high, -2 * high):
            box = (x, round(y) + shift - high // 2, x + wide, round(y) + shift + high - high // 2)
            if box[1] >= 0 and box[3] <= MAP and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                draw.text(
                    (left + box[0], top + box[1]), text, INK, font(size), stroke_width=2, stroke_fill="white"
                )
                break


def _overlap(one: tuple[int, int, int, int], other: tuple[int, int, int, int]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _legend_width(names: Sequence[str]) -> int:
    return 40 + min(200, max(width_of(f"{name} (0,000)", TEXT) for name in names))


def _draw_legend(
    draw: ImageDraw.ImageDraw,
    names: Sequence[str],
    styles: Mapping[str, tuple[tuple[int, int, int], str]],
    counts: Mapping[str, int],
    left: int,
    top: int,
) -> None:
    for place, name in enumerate(names):
        y = top + place * round(line_height(TEXT) * 1.25)
        color, shape = styles[name]
        _mark(draw, left + 8, y + line_height(TEXT) / 2, 7, color, shape)
        draw.text((left + 22, y), shorten(f"{name} ({counts[name]:,})", TEXT, 200), INK, font(TEXT))
