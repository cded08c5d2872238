"""Figures of answers: a picture with bars of what it is taken for."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten
from worker.optim.pyramids.scales import fit, resize
from worker.understanding.figures import FAINT, INK, RIGHT, Bar, bar_chart, beside, percent, to_tensor

# Pixels: side of a picture, width of its bars, size of their text, and the margin around.
SIDE = 320
WIDTH = 420
TEXT = 18
MARGIN = 16

# The same of the cards of a sheet.
SMALL_SIDE = 224
SMALL_TEXT = 15
SMALL_MARGIN = 8

Answer = Mapping[str, Any]


def answer_card(picture: Tensor, answers: Sequence[Answer], title: str = "") -> Tensor:
    """A picture (1, 3, H, W) beside the bars of each answer, with a line of text above.

    An answer has ``top`` and ``verdict``, and may have ``network`` and ``energy``.
    """
    columns = [_column(answer) for answer in answers]
    small = resize(picture, *fit(picture, SIDE))
    card = beside([pad_to(small, small.shape[2], SIDE), *columns], gap=MARGIN)
    if title:
        card = torch.cat([heading(title, card.shape[3]), card], 2)
    return torch.nn.functional.pad(card, (MARGIN,) * 4, value=1.0)


def marked_card(picture: Tensor, record: Answer) -> Tensor:
    """A picture (1, 3, H, W) above bars of its most likely classes, of which the right one is marked.

    ``record`` has ``class`` and ``index``, the right ones, and ``top``. The class that it is taken for in
    its place has the other mark.
    """
    small = resize(picture, *fit(picture, SMALL_SIDE))
    height, width = small.shape[2:]
    top, left = (SMALL_SIDE - height) // 2, (SMALL_SIDE - width) // 2
    padding = (left, SMALL_SIDE - width - left, top, SMALL_SIDE - height - top)
    square = torch.nn.functional.pad(small, padding, value=1.0)
    right = record["top"][0]["index"] == record["index"]
    title = _lines([(shorten(record["class"], SMALL_TEXT, SMALL_SIDE), RIGHT)], SMALL_SIDE, SMALL_TEXT, 0)
    bars = [
        Bar(
            row["class"],
            row["probability"],
            percent(row["probability"]),
            "right" if row["index"] == record["index"] else "wrong" if not right and place == 0 else "none",
        )
        for place, row in enumerate(record["top"])
    ]
    chart = bar_chart(bars, width=SMALL_SIDE, size=round(SMALL_TEXT * 0.9))
    card = torch.cat([title, square, chart], 2)
    return torch.nn.functional.pad(card, (SMALL_MARGIN,) * 4, value=1.0)


def heading(text: str, width: int, size: int = TEXT) -> Tensor:
    """A line of text above a figure, (1, 3, H, width)."""
    return _lines([(shorten(text, size, width), INK)], width, size, indent=0)


def pad_to(picture: Tensor, height: int, width: int) -> Tensor:
    """A picture (1, 3, H, W) at the top left of white paper."""
    padding = (0, width - picture.shape[3], 0, height - picture.shape[2])
    return torch.nn.functional.pad(picture, padding, value=1.0)


def sheet_of(cards: Sequence[Tensor], columns: int | None = None) -> Tensor:
    """Cards of any sizes on one sheet, in rows as high as their highest.

    None: about as many columns as make a square.
    """
    height, width = (max(card.shape[side] for card in cards) for side in (2, 3))
    across = columns or math.ceil(math.sqrt(len(cards) * height / width))
    rows = [cards[place : place + across] for place in range(0, len(cards), across)]
    made = []
    for row in rows:
        highest = max(card.shape[2] for card in row)
        made.append(torch.cat([pad_to(card, highest, width) for card in row], 3))
    return torch.cat([pad_to(each, each.shape[2], made[0].shape[3]) for each in made], 2)


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


def _lines(
    lines: Sequence[tuple[str, tuple[int, int, int]]], width: int, size: int, indent: int | None = None
) -> Tensor:
    """Lines of text on white, (1, 3, H, width), indented as bars are."""
    step, below = line_height(size), round(size * 0.5)
    indent = below if indent is None else indent
    canvas = Image.new("RGB", (width, step * len(lines) + below), "white")
    draw = ImageDraw.Draw(canvas)
    for place, (line, color) in enumerate(lines):
        draw.text((indent, place * step), line, color, font(size))
    return to_tensor(canvas)
