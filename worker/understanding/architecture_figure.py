"""The table of an architecture as a slide: a row a layer, and bars that show where its numbers lie."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw
from torch import Tensor

from app.media.lettering import font, line_height, shorten, width_of
from models.layer_table import LayerRow, Shape
from worker.understanding.figures import BAR, FAINT, INK, RIGHT, TRACK, WRONG, to_tensor

SIZE = 15
MARGIN = 24
GAP = 20
BAR_WIDTH = 190
# Layers that are shown; the rest of a longer table is in the file.
MOST_ROWS = 120


@dataclass(frozen=True)
class _Column:
    """A column of texts, aligned at its right if ``numbers``."""

    title: str
    text: Callable[[LayerRow], str]
    numbers: bool = False
    most: int = 340


@dataclass(frozen=True)
class _Bars:
    """A column of bars, each beside its number, the longest that of the largest."""

    title: str
    value: Callable[[LayerRow], int]
    text: Callable[[int], str]
    color: tuple[int, int, int]


def architecture_figure(name: str, given: Shape, rows: Sequence[LayerRow], totals: dict[str, int]) -> Tensor:
    """The slide, (1, 3, H, W): name, shape and window of each layer, and bars of values, parameters and work.

    Layers that cost nothing are left out: functions of single values, and dropout.
    """
    shown = [row for row in rows if row.cost.values or row.cost.parameters]
    columns = [
        _Column("layer", lambda row: row.name),
        _Column("window", _window_text),
        _Column("output", lambda row: times(row.output)),
        _Column("(N - F + 2P) / S + 1", _fit_text),
        _Column("sees", lambda row: "all" if row.seen is None else f"{row.seen.size:,}", numbers=True),
    ]
    bars = [
        _Bars("values, forward", lambda row: 4 * row.cost.values, bytes_text, BAR),
        _Bars("parameters", lambda row: row.cost.parameters, short, WRONG),
        _Bars("multiply-adds", lambda row: row.cost.multiply_adds, short, RIGHT),
    ]
    return to_tensor(_draw(_heading(name, given, totals), shown, columns, bars))


def times(shape: Shape) -> str:
    """``64 × 112 × 112``."""
    return " × ".join(map(str, shape))


def short(count: int) -> str:
    """A count with three digits: 34.9 K, 61.1 M, 15.5 G."""
    value = float(count)
    for unit in ("", " K", " M", " G"):
        if value < 999.5:
            return f"{value:.0f}" if not unit else f"{value:.3g}{unit}"
        value /= 1000
    return f"{value:.3g} T" if value < 999.5 else f"{count:.2g}"


def bytes_text(count: int) -> str:
    """A number of bytes with three digits."""
    return f"{short(count)}B" if " " in short(count) else f"{short(count)} B"


def _heading(name: str, given: Shape, totals: dict[str, int]) -> tuple[str, str]:
    sums = (
        f"{totals['parameters']:,} parameters, {short(totals['multiply_adds'])} multiply-adds; one picture: "
        f"{bytes_text(totals['bytes'])} forward, {bytes_text(totals['training_bytes'])} in training"
    )
    return f"{name}, input {times(given)}", sums


def _window_text(row: LayerRow) -> str:
    # That of a block is the sum of those within it.
    if row.window is None or all(fit.name != row.name for fit in row.fits):
        return ""
    parts = [f"{row.window.size} × {row.window.size}", f"/ {row.window.stride}"]
    if row.window.padding:
        parts.append(f"pad {row.window.padding}")
    if row.groups > 1:
        parts.append(f"in {row.groups:,} groups")
    return " ".join(parts)


def _fit_text(row: LayerRow) -> str:
    own = [fit for fit in row.fits if fit.name == row.name] or [fit for fit in row.fits if fit.rounding]
    return "; ".join(
        fit.formula + (f" → {fit.result} ({fit.rounding})" if fit.rounding else "") for fit in own[:2]
    )


def _draw(
    heading: tuple[str, str], rows: Sequence[LayerRow], columns: Sequence[_Column], bars: Sequence[_Bars]
) -> Image.Image:
    shown = rows[:MOST_ROWS]
    texts = [[column.text(row) for row in shown] for column in columns]
    widths = [
        min(column.most, max(width_of(text, SIZE) for text in (column.title, *made)))
        for column, made in zip(columns, texts, strict=True)
    ]
    step, big = round(SIZE * 1.7), round(SIZE * 1.6)
    numbers = round(SIZE * 4.4)
    whole = 2 * MARGIN + sum(widths) + len(columns) * GAP + len(bars) * (BAR_WIDTH + numbers + GAP) - GAP
    top = MARGIN + line_height(big) + line_height(SIZE) + GAP
    left_out = len(rows) - len(shown)
    height = top + step * (len(shown) + 1 + bool(left_out)) + MARGIN
    canvas = Image.new("RGB", (whole, height), "white")
    draw = ImageDraw.Draw(canvas)
    draw.text((MARGIN, MARGIN), shorten(heading[0], big, whole - 2 * MARGIN), INK, font(big))
    sums = shorten(heading[1], SIZE, whole - 2 * MARGIN)
    draw.text((MARGIN, MARGIN + line_height(big)), sums, FAINT, font(SIZE))

    left = MARGIN
    for column, made, width in zip(columns, texts, widths, strict=True):
        for place, text in enumerate((column.title, *made)):
            fitted = shorten(text, SIZE, width)
            shift = width - width_of(fitted, SIZE) if column.numbers else 0
            draw.text((left + shift, top + place * step), fitted, INK if place else FAINT, font(SIZE))
        left += width + GAP
    for each in bars:
        _draw_bars(draw, each, shown, left, top, step, numbers)
        left += BAR_WIDTH + numbers + GAP
    draw.line((MARGIN, top + step - 4, whole - MARGIN, top + step - 4), TRACK, 2)
    if left_out:
        draw.text((MARGIN, height - MARGIN - step), f"and {left_out} more layers", FAINT, font(SIZE))
    return canvas


def _draw_bars(
    draw: ImageDraw.ImageDraw,
    bars: _Bars,
    rows: Sequence[LayerRow],
    left: int,
    top: int,
    step: int,
    numbers: int,
) -> None:
    draw.text((left + numbers + 8, top), bars.title, bars.color, font(SIZE))
    values = [bars.value(row) for row in rows]
    largest = max(values, default=0)
    for place, value in enumerate(values, start=1):
        y = top + place * step
        text = bars.text(value) if value else "–"
        draw.text((left + numbers - width_of(text, SIZE), y), text, INK if value else FAINT, font(SIZE))
        if value:
            start = left + numbers + 8
            end = start + max(1, round((BAR_WIDTH - 8) * value / largest))
            draw.rectangle((start, y + 2, end, y + round(SIZE * 1.1)), bars.color)
