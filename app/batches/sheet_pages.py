"""Which entries of a batch are on which page of its contact sheet."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil

from app.batches.batch import Batch
from app.batches.contact_sheet import columns_for
from app.jobs.job import Json

# Of a cross, and of a sheet in the order of lines, whose captions take their place.
MAX_ROWS, MAX_COLUMNS = 20, 20
GRID_ROWS, GRID_COLUMNS = 9, 12
GRID_CELLS = GRID_ROWS * GRID_COLUMNS


@dataclass(frozen=True)
class Page:
    """A page: the lines of its places by row and column, and for a cross which values of each axis it has."""

    number: int
    pages: int
    lines: Mapping[tuple[int, int], int]
    rows: range
    columns: range


def cross_axes(batch: Batch) -> tuple[Json, Json] | None:
    """The axes of a matrix that is a cross of two: of rows and of columns.

    Of more axes those count that have several values; the others are the same everywhere.
    """
    matrix = batch.matrix
    if matrix is None or matrix["combine"] != "cross":
        return None
    axes: list[Json] = matrix["axes"]
    if len(axes) > 2:
        axes = [axis for axis in axes if len(axis["labels"]) > 1]
    if len(axes) != 2:
        return None
    rows, columns = axes
    return rows, columns


def page_of(batch: Batch, number: int) -> Page | None:
    """A page of the sheet, from 1; None if there is none of this number."""
    axes = cross_axes(batch)
    if axes is None:
        return _grid_page(batch.lines, number)
    rows, columns = (len(axis["labels"]) for axis in axes)
    return _cross_page(rows, columns, number)


def _cross_page(rows: int, columns: int, number: int) -> Page | None:
    """A block of the cross: pages go along the columns first."""
    across, down = ceil(columns / MAX_COLUMNS), ceil(rows / MAX_ROWS)
    if number > across * down:
        return None
    block, place = divmod(number - 1, across)
    those_rows = _part(rows, block, down)
    those_columns = _part(columns, place, across)
    lines = {
        (row - those_rows.start, column - those_columns.start): row * columns + column + 1
        for row in those_rows
        for column in those_columns
    }
    return Page(number, across * down, lines, those_rows, those_columns)


def _part(count: int, place: int, parts: int) -> range:
    """One of several parts that are as large as each other, or one apart."""
    return range(count * place // parts, count * (place + 1) // parts)


def _grid_page(count: int, number: int) -> Page | None:
    pages = ceil(count / GRID_CELLS)
    if number > pages:
        return None
    those = range((number - 1) * GRID_CELLS, min(count, number * GRID_CELLS))
    # The same on all pages.
    columns = columns_for(min(count, GRID_CELLS), GRID_COLUMNS)
    lines = {divmod(place, columns): line + 1 for place, line in enumerate(those)}
    return Page(number, pages, lines, range(ceil(len(those) / columns)), range(columns))
