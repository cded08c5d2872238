"""Some pictures of every class of a set on one sheet."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw
from sqlalchemy import Engine, select

from app.database.engine import read
from app.datasets.split import Part
from app.datasets.tables import dataset_members
from app.images.tables import images
from app.media.lettering import font, line_height, shorten
from app.media.sheets import FAINT, INK, MAX_PIXELS, PAPER, fit, paste, to_jpeg

# Rows of one sheet.
MAX_ROWS = 50
# A JPEG is reduced as it is decoded.
JPEG_COST = 0.25
GAP, FONT_SIZE = 4, 13


@dataclass(frozen=True)
class Cell:
    """A picture of a sheet. ``cost`` is in pixels that are decoded."""

    image_id: str
    cost: float


@dataclass(frozen=True)
class Row:
    """A class of a sheet: its label (None: members without one), its members, and some of them."""

    label: str | None
    members: int
    cells: Sequence[Cell]


def choose_rows(
    engine: Engine, dataset_id: str, *, columns: int, skip: int = 0, part: Part | None = None
) -> list[Row]:
    """The rows of a sheet: classes in alphabetical order from the one at ``skip`` on, then what has no label.

    Of each class ``columns`` members that lie evenly in it, or all if it has fewer.
    """
    table = dataset_members.c
    query = select(table.label, table.position).where(table.dataset_id == dataset_id)
    if part is not None:
        query = query.where(table.part == part)
    with read(engine) as connection:
        positions: dict[str | None, list[int]] = {}
        for label, position in connection.execute(query.order_by(table.position)):
            positions.setdefault(label, []).append(position)
        labels = sorted(positions, key=lambda label: (label is None, label or ""))[skip : skip + MAX_ROWS]
        chosen = {label: _evenly(positions[label], columns) for label in labels}
        cells: dict[int, Cell] = {}
        for each in chosen.values():
            files = select(table.position, images.c.id, images.c.width, images.c.height, images.c.media_type)
            files = files.join(images, images.c.id == table.image_id)
            own = files.where(table.dataset_id == dataset_id, table.position.in_(each))
            for position, image_id, width, height, media_type in connection.execute(own):
                cost = width * height * (JPEG_COST if media_type == "image/jpeg" else 1)
                cells[position] = Cell(image_id, cost)
    return [Row(label, len(positions[label]), [cells[each] for each in chosen[label]]) for label in labels]


def _evenly(positions: Sequence[int], count: int) -> list[int]:
    if len(positions) <= count:
        return list(positions)
    return [positions[place * len(positions) // count] for place in range(count)]


def affordable(rows: Sequence[Row]) -> set[str]:
    """The ids of the pictures that are shown: column by column, until they are too many pixels to decode."""
    shown: set[str] = set()
    left: float = MAX_PIXELS
    for column in range(max((len(row.cells) for row in rows), default=0)):
        for row in rows:
            if column < len(row.cells) and row.cells[column].cost <= left:
                left -= row.cells[column].cost
                shown.add(row.cells[column].image_id)
    return shown


def draw_sheet(rows: Sequence[Row], pictures: Mapping[str, Image.Image], side: int, columns: int) -> bytes:
    """The sheet as a JPEG: a row a class, in squares of ``side`` pixels, beside its name and its number of
    members. A picture that is not in ``pictures`` leaves its square empty."""
    names = 2 * side if side >= 80 else 160
    width, pitch = names + columns * (side + GAP), side + GAP
    sheet = Image.new("RGB", (width, max(1, len(rows)) * pitch), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        top = number * pitch
        name = "(no label)" if row.label is None else row.label
        middle = top + pitch // 2 - line_height(FONT_SIZE)
        draw.text((GAP, middle), shorten(name, FONT_SIZE, names - 3 * GAP), INK, font(FONT_SIZE))
        draw.text((GAP, middle + line_height(FONT_SIZE)), f"{row.members:,}", FAINT, font(FONT_SIZE))
        for column, cell in enumerate(row.cells):
            picture = pictures.get(cell.image_id)
            if picture is not None:
                paste(sheet, fit(picture, side), names + column * pitch, top, side, side)
    return to_jpeg(sheet)
