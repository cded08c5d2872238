"""The picture of a confusion matrix."""

from collections.abc import Sequence

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten, width_of
from worker.media.pictures import to_image
from worker.understanding.figures import FAINT, INK, Scale, colorize, number, to_tensor

# Classes that are shown at most, those with the most mistakes.
MOST = 64
# Pixels: a whole matrix about, one of few classes, the sides of a cell, the names.
_MATRIX = 880
_SMALL = 420
_CELLS = (13, 72, 160)
_NAMES = 190
_MARGIN = 24
# From this side on a cell has room for its count.
_COUNTED = 26


def confusion_figure(counts: Tensor, names: Sequence[str], heading: str) -> Tensor:
    """A confusion matrix (C, C) as a picture (1, 3, H, W): rows are the true classes.

    The color of a cell is its share of the pictures of its row. ``heading``, one line or more, goes above.
    """
    kept = shown_classes(counts)
    shares = counts.double() / counts.sum(1, keepdim=True).clamp_min(1)
    part, numbers = shares[kept][:, kept].float(), counts[kept][:, kept].tolist()
    titles = [names[place] for place in kept]
    cell = max(_CELLS[0], min(_CELLS[1], _MATRIX // len(kept)), min(_CELLS[2], _SMALL // len(kept)))
    size = max(9, min(18, round(cell * 0.72)))
    widest = min(_NAMES, max(width_of(title, size) for title in titles))
    matrix, left = cell * len(kept), _MARGIN + 26 + widest + 8
    # Names above the columns are upright where one is wider than its column.
    flat = widest <= cell - 6
    big, lines = 20, heading.splitlines()
    head = _MARGIN + line_height(big) * len(lines) + 8
    top = head + line_height(15) + (line_height(size) + 4 if flat else widest + 8)
    legend = top + matrix + 18
    least = max(left + matrix, *(_MARGIN + width_of(line, big) for line in lines)) + _MARGIN
    canvas = Image.new("RGB", (least, legend + 14 + line_height(15) + _MARGIN), "white")
    draw = ImageDraw.Draw(canvas)
    for place, line in enumerate(lines):
        draw.text((_MARGIN, _MARGIN + place * line_height(big)), line, INK, font(big))
    draw.text((left, head), "taken for", FAINT, font(15))
    _upright(canvas, "true class", (_MARGIN - 4, top + matrix), 15, FAINT)
    scale = Scale(0.0, 1.0, "share of the pictures of a class")
    colored = colorize(part.repeat_interleave(cell, 0).repeat_interleave(cell, 1), scale)
    canvas.paste(to_image(colored), (left, top))
    for place, title in enumerate(titles):
        short = shorten(title, size, widest)
        middle = place * cell + (cell - line_height(size)) // 2
        draw.text((left - 8 - width_of(short, size), top + middle), short, INK, font(size))
        if flat:
            across = place * cell + (cell - width_of(short, size)) // 2
            draw.text((left + across, top - 4 - line_height(size)), short, INK, font(size))
        else:
            _upright(canvas, short, (left + middle, top - 8), size, INK)
    if cell >= _COUNTED:
        _write_counts(draw, numbers, part, (left, top), cell)
    _legend(canvas, draw, scale, left, legend, min(matrix, 420))
    return to_tensor(canvas)


def shown_classes(counts: Tensor) -> list[int]:
    """The classes that appear at all, or those MOST with the most mistakes, in the order of the network."""
    right = counts.diagonal()
    seen = counts.sum(1) + counts.sum(0)
    mistakes = seen - 2 * right
    there = [place for place, count in enumerate(seen.tolist()) if count]
    if len(there) <= MOST:
        return there
    worst = mistakes.argsort(descending=True, stable=True)[:MOST].tolist()
    return sorted(worst)


def _upright(
    canvas: Image.Image, text: str, corner: tuple[int, int], size: int, color: tuple[int, int, int]
) -> None:
    """Text that is read from below, with its beginning at a lower left corner."""
    label = Image.new("RGB", (max(1, width_of(text, size)), line_height(size)), "white")
    ImageDraw.Draw(label).text((0, 0), text, color, font(size))
    turned = label.transpose(Image.Transpose.ROTATE_90)
    canvas.paste(turned, (corner[0], corner[1] - turned.height))


def _write_counts(
    draw: ImageDraw.ImageDraw,
    numbers: Sequence[Sequence[int]],
    shares: Tensor,
    corner: tuple[int, int],
    cell: int,
) -> None:
    size = max(9, min(16, round(cell * 0.36)))
    for row, line in enumerate(numbers):
        for column, count in enumerate(line):
            if count == 0:
                continue
            text = str(count)
            x = corner[0] + column * cell + (cell - width_of(text, size)) // 2
            y = corner[1] + row * cell + (cell - line_height(size)) // 2
            # Viridis is dark at its low end.
            draw.text((x, y), text, INK if float(shares[row, column]) > 0.6 else "white", font(size))


def _legend(
    canvas: Image.Image, draw: ImageDraw.ImageDraw, scale: Scale, left: int, top: int, width: int
) -> None:
    ramp = torch.linspace(scale.low, scale.high, width).expand(12, width)
    canvas.paste(to_image(colorize(ramp, scale)), (left, top))
    low, high = number(scale.low), number(scale.high)
    draw.text((left, top + 14), low, FAINT, font(13))
    draw.text((left + width - width_of(high, 13), top + 14), high, FAINT, font(13))
    label = shorten(scale.label, 13, max(0, width - 60))
    draw.text((left + (width - width_of(label, 13)) // 2, top + 14), label, FAINT, font(13))
