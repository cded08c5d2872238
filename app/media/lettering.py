"""Text in pictures, in DejaVu Sans: Latin, Greek, Cyrillic and most signs of mathematics."""

import unicodedata
from bisect import bisect_right
from functools import lru_cache
from pathlib import Path

from PIL import ImageFont
from PIL.ImageFont import FreeTypeFont

_FONT = Path(__file__).parent / "fonts" / "DejaVuSans.ttf"
_ELLIPSIS = "…"
# Controls, and separators of lines and paragraphs: the layout of a single line refuses some of them.
_NOT_ON_A_LINE = frozenset({"Cc", "Zl", "Zp"})


@lru_cache(maxsize=32)
def font(size: int) -> FreeTypeFont:
    """The font at a size in pixels."""
    return ImageFont.truetype(_FONT, size)


def width_of(text: str, size: int) -> int:
    """Width of a line in pixels."""
    return round(font(size).getlength(on_a_line(text)))


def on_a_line(text: str) -> str:
    """The text with a space for each character that cannot be drawn on a line, such as the end of one."""
    return "".join(" " if unicodedata.category(each) in _NOT_ON_A_LINE else each for each in text)


def line_height(size: int) -> int:
    """Pixels from one line to the next."""
    return round(size * 1.3)


def shorten(text: str, size: int, width: int) -> str:
    """The text on a line, cut to ``width`` pixels with an ellipsis at its end where it is too long."""
    text = on_a_line(text)
    if width_of(text, size) <= width:
        return text
    # The most characters that fit: not one by one, since a text may be long.
    most = bisect_right(
        range(1, len(text) + 1), width, key=lambda end: width_of(text[:end] + _ELLIPSIS, size)
    )
    return text[:most].rstrip() + _ELLIPSIS


def wrap(text: str, size: int, width: int, lines: int) -> list[str]:
    """At most ``lines`` lines of ``width`` pixels, broken between words; the last is shortened."""
    found: list[str] = []
    words = text.split()
    while words and len(found) < lines - 1:
        taken = 1
        while taken < len(words) and width_of(" ".join(words[: taken + 1]), size) <= width:
            taken += 1
        found.append(shorten(" ".join(words[:taken]), size, width))
        words = words[taken:]
    return [*found, shorten(" ".join(words), size, width)] if words else found
