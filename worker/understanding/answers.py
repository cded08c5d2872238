"""Figures of answers: a picture with bars of what it is taken for."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from worker.media.lettering import font, line_height, shorten, wrap
from worker.optim.pyramids.scales import fit, resize
from worker.understanding.figures import FAINT, INK, Bar, bar_chart, beside, percent, to_tensor

# Pixels: side of a picture, width of its bars, size of their text, and the margin around.
SIDE = 320
WIDTH = 420
TEXT = 18
MARGIN = 16

Answer = Mapping[str, Any]


def answer_card(picture: Tensor, answers: Sequence[Answer], title: str = "") -> Tensor:
    """A picture (1, 3, H, W) beside the bars of each answer (``top``, ``network``, ``energy``, ``verdict``)."""
    columns = [_column(answer) for answer in answers]
    card = beside([_square(picture, SIDE), *columns], gap=MARGIN)
    if title:
        card = torch.cat([heading(title, card.shape[3]), card], 2)
    return torch.nn.functional.pad(card, (MARGIN,) * 4, value=1.0)


def heading(text: str, width: int, size: int = TEXT) -> Tensor:
    """A line of text above a figure, (1, 3, H, width)."""
    return _lines([(shorten(text, size, width), INK)], width, size)


def _square(picture: Tensor, side: int) -> Tensor:
    """A picture fitted into a white square, in its middle."""
    small = resize(picture, *fit(picture, side))
    height, width = small.shape[2:]
    left, top = (side - width) // 2, (side - height) // 2
    padding = (left, side - width - left, top, side - height - top)
    return torch.nn.functional.pad(small, padding, value=1.0)


def _column(answer: Answer) -> Tensor:
    """The bars of an answer, under the name of its network if it has one, and what its energy says."""
    bars = [Bar(row["class"], row["probability"], percent(row["probability"])) for row in answer["top"]]
    parts = [bar_chart(bars, width=WIDTH, size=TEXT)]
    if "network" in answer:
        parts.insert(0, _lines([(shorten(answer["network"], TEXT, WIDTH), INK)], WIDTH, TEXT))
    if answer["verdict"] is not None:
        said = f"energy {answer['energy']:.1f}: {answer['verdict']}"
        parts.append(_lines([(said, FAINT)], WIDTH, round(TEXT * 0.85)))
    return torch.cat(parts, 2)


def _lines(lines: Sequence[tuple[str, tuple[int, int, int]]], width: int, size: int) -> Tensor:
    """Lines of text on white, indented as bars are, (1, 3, H, width)."""
    step, indent = line_height(size), round(size * 0.5)
    canvas = Image.new("RGB", (width, step * len(lines) + indent), "white")
    draw = ImageDraw.Draw(canvas)
    for place, (line, color) in enumerate(lines):
        draw.text((indent, place * step), line, color, font(size))
    return to_tensor(canvas)
