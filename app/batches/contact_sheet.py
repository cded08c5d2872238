"""The pictures of a batch on one sheet: of a cross of two params a row and a column for each of their values,
of any other batch its entries in order."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw

from app.media.lettering import font, line_height, shorten, width_of, wrap
from app.media.sheets import fit, paste

# Of the longer side of a sheet in pixels, and of the longer side of a picture on it.
MAX_SIDE = 4000
SMALLEST, LARGEST, LARGEST_HEADING = 96, 360, 160
MARGIN, GAP = 48, 12
TITLE_SIZE, NOTE_SIZE, LABEL_SIZE = 30, 15, 15
# The page's own, in the light.
PAPER, INK, FAINT, LINE, EMPTY, ERROR = "#f6f6f4", "#19191c", "#5c5c63", "#d3d3cf", "#ecece8", "#b3201a"
# Height over width of places whose row has no picture yet.
ASPECT = 0.75
LABEL_LINES = 2


@dataclass(frozen=True)
class Cell:
    """A place of a sheet: a picture, or the word that stands where none is."""

    picture: Image.Image | None = None
    word: str = ""
    is_error: bool = False


@dataclass(frozen=True)
class Heading:
    """What stands beside a row or above a column: what its value is called, and its picture if it is one."""

    label: str
    picture: Image.Image | None = None


@dataclass(frozen=True)
class Sheet:
    """What is on a sheet. ``cells`` are by row and column.

    A cross has ``rows`` and ``columns``, which differ in a param each: ``params``. Else the cells have
    captions.
    """

    title: str
    note: str
    cells: Mapping[tuple[int, int], Cell]
    rows: Sequence[Heading] = ()
    columns: Sequence[Heading] = ()
    params: tuple[str, str] = ("", "")
    captions: Mapping[tuple[int, int], str] = field(default_factory=dict)

    @property
    def is_cross(self) -> bool:
        """Whether rows and columns have headings."""
        return bool(self.rows)

    @property
    def shape(self) -> tuple[int, int]:
        """The numbers of rows and columns."""
        if self.is_cross:
            return len(self.rows), len(self.columns)
        return max(row for row, _ in self.cells) + 1, max(column for _, column in self.cells) + 1


def side_for(rows: int, columns: int, *, cross: bool) -> int:
    """The longer side of pictures in pixels, so that a sheet of so many is not too large."""
    # Headings are at most as large as a picture, and so are labels below them.
    more = 1 if cross else 0
    beside = 2 * MARGIN + GAP
    above = 2 * MARGIN + 2 * GAP + _height_of_title() + more * _labels_height()
    below = 0 if cross else line_height(LABEL_SIZE) + GAP
    across = (MAX_SIDE - beside) // (columns + more) - GAP
    down = (MAX_SIDE - above) // (rows + more) - GAP - below
    return max(SMALLEST, min(LARGEST, across, down))


def draw(sheet: Sheet, side: int) -> Image.Image:
    """The sheet, with pictures of ``side`` pixels at most: as large as the largest, if none has as many."""
    pictures = [cell.picture for cell in sheet.cells.values() if cell.picture is not None]
    side = max(SMALLEST, min(side, max((max(each.size) for each in pictures), default=side)))
    return _Layout(sheet, side).draw()


class _Layout:
    """Where everything is on a sheet."""

    def __init__(self, sheet: Sheet, side: int) -> None:
        self.sheet, self.side = sheet, side
        rows, _ = sheet.shape
        self.cells = {
            place: None if cell.picture is None else fit(cell.picture, side)
            for place, cell in sheet.cells.items()
        }
        widest = max((each.width for each in self.cells.values() if each is not None), default=side)
        self.width = max(widest, SMALLEST)
        # With its label no higher than a row of pictures.
        self.heading = max(SMALLEST // 2, min(LARGEST_HEADING, side - _labels_height()))
        beside = max(self.heading, SMALLEST)
        self.row_headings = [_fit_heading(each, self.heading, beside) for each in sheet.rows]
        self.column_headings = [_fit_heading(each, self.heading, self.width) for each in sheet.columns]
        self.heights = self._heights(rows)
        self.left = MARGIN + self._beside()
        self.above = MARGIN + _height_of_title()
        self.top = self.above + self._headings_height()
        self.pitch = self.width + GAP

    def draw(self) -> Image.Image:
        rows, columns = self.sheet.shape
        caption = 0 if self.sheet.is_cross else line_height(LABEL_SIZE) + 2
        right = self.left + columns * self.pitch - GAP
        bottom = self.top + sum(self.heights) + rows * (caption + GAP) - GAP
        words = max(width_of(self.sheet.title, TITLE_SIZE), width_of(self.sheet.note, NOTE_SIZE))
        width = max(right, MARGIN + min(words, 800)) + MARGIN
        image = Image.new("RGB", (width, bottom + MARGIN), PAPER)
        pen = ImageDraw.Draw(image)
        self._draw_title(pen, width)
        if self.sheet.is_cross:
            self._draw_headings(image, pen, right, bottom)
        top = self.top
        for row in range(rows):
            for column in range(columns):
                if (row, column) in self.sheet.cells:
                    self._draw_cell(image, pen, (row, column), top)
            top += self.heights[row] + caption + GAP
        return image

    def _heights(self, rows: int) -> list[int]:
        """Of each row: of its highest picture or heading, or as others are on the average."""
        found: list[int | None] = []
        for row in range(rows):
            those = [each.height for (at, _), each in self.cells.items() if at == row and each is not None]
            found.append(max(those, default=None))
        known = [height for height in found if height is not None]
        usual = round(sum(known) / len(known)) if known else round(self.side * ASPECT)
        heights = [usual if height is None else height for height in found]
        if not self.sheet.is_cross:
            return heights
        least = [
            (0 if picture is None else picture.height + 4) + len(lines) * line_height(LABEL_SIZE)
            for picture, lines in self.row_headings
        ]
        return [max(height, low) for height, low in zip(heights, least, strict=True)]

    def _beside(self) -> int:
        """Width of the headings of rows, with the gap."""
        if not self.sheet.is_cross:
            return 0
        widths = [width_of(line, LABEL_SIZE) for _, lines in self.row_headings for line in lines]
        widths += [picture.width for picture, _ in self.row_headings if picture is not None]
        return max([*widths, width_of(f"{self.sheet.params[0]} ↓", NOTE_SIZE)]) + 2 * GAP

    def _headings_height(self) -> int:
        """Height of the headings of columns, with the gap."""
        if not self.sheet.is_cross:
            return 0
        highest = max((p.height for p, _ in self.column_headings if p is not None), default=0)
        lines = max(len(lines) for _, lines in self.column_headings)
        return max(highest + 4 + lines * line_height(LABEL_SIZE), 2 * line_height(NOTE_SIZE)) + 2 * GAP

    def _draw_title(self, pen: ImageDraw.ImageDraw, width: int) -> None:
        title = shorten(self.sheet.title, TITLE_SIZE, width - 2 * MARGIN)
        pen.text((MARGIN, MARGIN - 12), title, INK, font(TITLE_SIZE))
        note = shorten(self.sheet.note, NOTE_SIZE, width - 2 * MARGIN)
        pen.text((MARGIN, MARGIN - 12 + line_height(TITLE_SIZE)), note, FAINT, font(NOTE_SIZE))

    def _draw_headings(self, image: Image.Image, pen: ImageDraw.ImageDraw, right: int, bottom: int) -> None:
        line_x, line_y = self.left - GAP, self.top - GAP
        pen.line([(MARGIN, line_y), (right, line_y)], LINE)
        pen.line([(line_x, self.above), (line_x, bottom)], LINE)
        down, across = f"{self.sheet.params[0]} ↓", f"{self.sheet.params[1]} →"
        step = line_height(NOTE_SIZE)
        left = line_x - GAP - width_of(across, NOTE_SIZE)
        pen.text((left, line_y - 2 * step - 6), across, FAINT, font(NOTE_SIZE))
        pen.text((MARGIN, line_y - step - 6), down, FAINT, font(NOTE_SIZE))
        for column, (picture, lines) in enumerate(self.column_headings):
            left = self.left + column * self.pitch
            high = len(lines) * line_height(LABEL_SIZE)
            base = line_y - GAP - high
            if picture is not None:
                paste(image, picture, left, base - 4 - picture.height, self.width, picture.height)
            self._draw_lines(pen, lines, left, base, self.width, 0.5)
        top = self.top
        for row, (picture, lines) in enumerate(self.row_headings):
            high = len(lines) * line_height(LABEL_SIZE)
            whole = high + (0 if picture is None else picture.height + 4)
            at = top + (self.heights[row] - whole) // 2
            wide = line_x - GAP - MARGIN
            if picture is not None:
                paste(image, picture, MARGIN, at, wide, picture.height)
                at += picture.height + 4
            self._draw_lines(pen, lines, MARGIN, at, wide, 1.0 if picture is None else 0.5)
            top += self.heights[row] + GAP

    def _draw_lines(
        self, pen: ImageDraw.ImageDraw, lines: Sequence[str], left: int, top: int, width: int, share: float
    ) -> None:
        """Lines in a box, with a ``share`` of what is left of its width before them."""
        for number, line in enumerate(lines):
            before = round((width - width_of(line, LABEL_SIZE)) * share)
            pen.text((left + before, top + number * line_height(LABEL_SIZE)), line, INK, font(LABEL_SIZE))

    def _draw_cell(
        self, image: Image.Image, pen: ImageDraw.ImageDraw, place: tuple[int, int], top: int
    ) -> None:
        row, column = place
        cell, picture = self.sheet.cells[place], self.cells[place]
        left, height = self.left + column * self.pitch, self.heights[row]
        if picture is not None:
            # Beside a heading in the middle; above a caption on its line.
            down = height if self.sheet.is_cross else 2 * height - picture.height
            paste(image, picture, left, top, self.width, down)
        else:
            pen.rounded_rectangle((left, top, left + self.width - 1, top + height - 1), 4, EMPTY)
            word = shorten(cell.word, LABEL_SIZE, self.width - 8)
            ink = ERROR if cell.is_error else FAINT
            middle = (left + self.width // 2, top + height // 2)
            pen.text(middle, word, ink, font(LABEL_SIZE), anchor="mm")
        if (caption := self.sheet.captions.get(place)) is not None:
            text = shorten(caption, LABEL_SIZE, self.width)
            pen.text((left, top + height + 2), text, FAINT, font(LABEL_SIZE))


def _fit_heading(heading: Heading, side: int, width: int) -> tuple[Image.Image | None, list[str]]:
    """The picture of a heading, ``side`` pixels long at most, and its label in lines of a width."""
    picture = heading.picture
    if picture is not None:
        picture = fit(picture, side)
        picture.thumbnail((side, side))
    return picture, wrap(heading.label, LABEL_SIZE, width, LABEL_LINES)


def _height_of_title() -> int:
    return line_height(TITLE_SIZE) + line_height(NOTE_SIZE) + 2 * GAP


def _labels_height() -> int:
    return LABEL_LINES * line_height(LABEL_SIZE) + 4


def columns_for(count: int, most: int) -> int:
    """Columns of a grid of so many pictures that is a little wider than high."""
    return max(1, min(most, math.ceil(math.sqrt(1.4 * count))))
