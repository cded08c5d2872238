"""Sheets of results for the eye: all side by side, and blind pairs."""

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from app.errors import InputError
from app.media.lettering import font, line_height, shorten
from app.media.sheets import INK, PAPER, paste, to_jpeg
from benchmarks.style_quality.report import Result, grouped
from benchmarks.style_quality.settings import PUBLISHED

GAP = 8
TEXT = 12
CAPTION = line_height(TEXT)

KEY = "key.json"


@dataclass(frozen=True)
class Cell:
    """A picture of a sheet and the line under it."""

    picture: Image.Image
    caption: str


def lay_out(rows: Sequence[Sequence[Cell]], side: int) -> Image.Image:
    """Rows of pictures in boxes of ``side`` pixels, each reduced to fit its box."""
    columns = max(map(len, rows))
    step, down = side + GAP, side + CAPTION + GAP
    sheet = Image.new("RGB", (columns * step + GAP, len(rows) * down + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for row, cells in enumerate(rows):
        for column, cell in enumerate(cells):
            left, top = GAP + column * step, GAP + row * down
            picture = cell.picture.convert("RGB")
            picture.thumbnail((side, side), Image.Resampling.LANCZOS)
            paste(sheet, picture, left, top, side, side)
            text = shorten(cell.caption, TEXT, side)
            draw.text((left, top + side), text, fill=INK, font=font(TEXT))
    return sheet


def contact_sheet(
    results: Sequence[Result], inputs: dict[str, tuple[Path, Path]], side: int, path: Path
) -> None:
    """Write a row for each pair: content and style, whose files are ``inputs``, and each result."""
    rows = []
    for pair, (content, style) in inputs.items():
        cells = [_cell(content, pair), _cell(style, "style")]
        for (setting, weight), group in grouped(results).items():
            caption = setting if weight is None else f"{setting}, style weight {weight:g}"
            cells += [_cell(Path(each.picture), caption) for each in group if each.pair == pair]
        rows.append(cells)
    path.write_bytes(to_jpeg(lay_out(rows, side)))


def _cell(path: Path, caption: str) -> Cell:
    with Image.open(path) as opened:
        return Cell(opened.convert("RGB"), caption)


@dataclass(frozen=True)
class BlindPair:
    """A sheet: the setting of the picture on either side."""

    pair: str
    left: str
    right: str


def shuffled(pairs: Sequence[str], first: str, second: str, rng: random.Random) -> list[BlindPair]:
    """The sheets in random order, and the sides: each setting is as often on the left, or once more."""
    order = rng.sample(list(pairs), len(pairs))
    first_left = [place % 2 == 0 for place in range(len(order))]
    if rng.random() < 0.5:
        first_left = [not each for each in first_left]
    rng.shuffle(first_left)
    return [
        BlindPair(pair, *((first, second) if left else (second, first)))
        for pair, left in zip(order, first_left, strict=True)
    ]


def write_blind(
    results: Sequence[Result],
    inputs: dict[str, tuple[Path, Path]],
    names: tuple[str, str],
    folder: Path,
    seed: int | None,
) -> int:
    """Write numbered sheets of two settings, and ``key.json``, which says what is on which side.

    A sheet shows content and style above, and two results of one size below. Of a setting with several style
    weights the first is taken. Returns the number of sheets. Raises InputError on ``blind``.
    """
    found = [_of_setting(results, name) for name in names]
    pairs = [pair for pair in inputs if all(pair in each for each in found)]
    if not pairs:
        raise InputError("blind", f"{names[0]} and {names[1]} have no pair in common.")
    rng = random.SystemRandom() if seed is None else random.Random(seed)
    sheets = shuffled(pairs, *names, rng)
    folder.mkdir(parents=True, exist_ok=True)
    key = {}
    for place, sheet in enumerate(sheets, 1):
        number = f"{place:03}"
        content, style = inputs[sheet.pair]
        sides = [found[names.index(name)][sheet.pair] for name in (sheet.left, sheet.right)]
        pictures = _of_one_size([Path(each.picture) for each in sides])
        above = [_cell(content, "content"), _cell(style, "style")]
        below = [Cell(p, f"{number} {s}") for p, s in zip(pictures, ("left", "right"), strict=True)]
        lay_out([above, below], max(pictures[0].size)).save(folder / f"{number}.png")
        key[number] = {"pair": sheet.pair, "left": sheet.left, "right": sheet.right}
    (folder / KEY).write_text(json.dumps(key, indent=2) + "\n", encoding="utf-8")
    return len(sheets)


def _of_setting(results: Sequence[Result], name: str) -> dict[str, Result]:
    """The first result of a setting for each pair. Raises InputError on ``blind``."""
    found: dict[str, Result] = {}
    for each in results:
        if each.setting == name:
            found.setdefault(each.pair, each)
    if not found:
        there = ", ".join(dict.fromkeys(each.setting for each in results))
        what = "No pair has a published result" if name == PUBLISHED else f"there is no setting {name!r}"
        raise InputError("blind", f"{what}. There are {there}.")
    return found


def _of_one_size(paths: Sequence[Path]) -> list[Image.Image]:
    """The pictures at the size of the smallest, so that size does not tell them apart."""
    pictures = [_cell(path, "").picture for path in paths]
    smallest = min((each.size for each in pictures), key=lambda size: size[0] * size[1])
    return [
        each if each.size == smallest else each.resize(smallest, Image.Resampling.LANCZOS)
        for each in pictures
    ]
