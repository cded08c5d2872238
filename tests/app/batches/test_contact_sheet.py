"""Contact sheets of batches: what is on which page, and where on it."""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from PIL import Image

from app.batches.batch import Batch
from app.batches.contact_sheet import MAX_SIDE, SMALLEST, Cell, Heading, Sheet, draw, side_for
from app.batches.sheet_pages import GRID_CELLS, MAX_COLUMNS, MAX_ROWS, page_of
from app.http.services import Services
from app.jobs.states import State
from app.jobs.storage_keys import job_folder
from tests.app.conftest import upload
from tests.support.batches import add_batch, add_jobs, give, refuse, set_batch, set_jobs

Color = tuple[int, int, int]
RED, GREEN, BLUE, YELLOW, VIOLET = (
    (220, 0, 0),
    (0, 180, 0),
    (0, 0, 220),
    (230, 220, 0),
    (160, 0, 200),
)


def solid(color: Color, width: int = 120, height: int = 80) -> Image.Image:
    return Image.new("RGB", (width, height), color)


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def boxes(sheet: Image.Image, *colors: Color) -> dict[Color, tuple[int, int, int, int]]:
    """Where the pixels of colors lie: left, top, right, bottom; a JPEG changes them a little."""
    pixels = np.asarray(sheet.convert("RGB")).astype(int)
    found = {}
    for color in colors:
        rows, columns = np.nonzero(np.abs(pixels - color).max(axis=2) < 12)
        if len(rows):
            found[color] = (columns.min(), rows.min(), columns.max(), rows.max())
    return found


def matrix(rows: int, columns: int, images: Mapping[int, list[str]] | None = None) -> dict[str, Any]:
    axes = [
        {"param": name, "labels": [f"{name} {n}" for n in range(count)], "images": (images or {}).get(place)}
        for place, (name, count) in enumerate((("content", rows), ("style", columns)))
    ]
    return {"kind": "style_transfer", "combine": "cross", "axes": axes}


@pytest.mark.medium
def test_rows_and_columns_are_where_their_values_are() -> None:
    colors = {(0, 0): RED, (0, 1): GREEN, (1, 0): BLUE}
    cells = {place: Cell(solid(color)) for place, color in colors.items()} | {(1, 1): Cell(word="failed")}
    sheet = Sheet(
        "A title that is longer than its pictures are wide, " * 3,
        "2 × 2",
        cells,
        rows=[Heading("first", solid(YELLOW, 40, 40)), Heading("second")],
        columns=[Heading("one"), Heading("two", solid(VIOLET, 40, 40))],
        params=("content", "style"),
    )
    drawn = draw(sheet, 360)
    found = boxes(drawn, RED, GREEN, BLUE, YELLOW, VIOLET)
    assert len(found) == 5
    # No picture has more pixels than it came with.
    assert all(
        right - left + 1 == 120 and bottom - top + 1 == 80
        for left, top, right, bottom in list(found.values())[:3]
    )
    assert found[RED][1] == found[GREEN][1] and found[RED][0] == found[BLUE][0]
    assert found[RED][2] < found[GREEN][0] and found[RED][3] < found[BLUE][1]
    # Headings: beside the first row, above the second column.
    assert found[YELLOW][2] < found[RED][0] and found[RED][1] - 40 < found[YELLOW][1] < found[BLUE][1]
    assert found[VIOLET][3] < found[GREEN][1]
    middle = (found[VIOLET][0] + found[VIOLET][2]) / 2
    assert found[GREEN][0] < middle < found[GREEN][2]


def test_a_row_is_as_high_as_its_pictures() -> None:
    cells = {
        (0, 0): Cell(solid(RED, 200, 100)),
        (0, 1): Cell(solid(GREEN, 100, 200)),
        (1, 0): Cell(solid(BLUE, 200, 50)),
    }
    found = boxes(draw(Sheet("a", "b", cells, captions={(0, 0): "red"}), 200), RED, GREEN, BLUE)
    # In a grid pictures stand on the line above their captions.
    assert found[RED][3] == found[GREEN][3] < found[BLUE][1]
    assert found[GREEN][3] - found[GREEN][1] + 1 == 200 and found[BLUE][3] - found[BLUE][1] + 1 == 50


def test_small_pictures_are_enlarged_by_whole_times() -> None:
    found = boxes(draw(Sheet("a", "", {(0, 0): Cell(solid(RED, 28, 28))}), 360), RED)
    assert found[RED][2] - found[RED][0] + 1 == 84 <= SMALLEST


@pytest.mark.medium
@limits(max_examples=30, deadline=None)
@given(rows=st.integers(1, MAX_ROWS), columns=st.integers(1, MAX_COLUMNS), cross=st.booleans())
def test_no_sheet_is_too_large(rows: int, columns: int, cross: bool) -> None:
    side = side_for(rows, columns, cross=cross)
    picture = Image.new("RGB", (side, side))
    cells = {(row, column): Cell(picture) for row in range(rows) for column in range(columns)}
    if cross:
        heading = Heading("a long label that takes two lines", picture)
        sheet = Sheet("t", "n", cells, rows=[heading] * rows, columns=[heading] * columns, params=("a", "b"))
    else:
        sheet = Sheet("t", "n", cells, captions=dict.fromkeys(cells, "caption"))
    assert max(draw(sheet, side).size) <= MAX_SIDE


def _batch(lines: int, matrix: dict[str, Any] | None = None) -> Batch:
    values: dict[str, Any] = dict.fromkeys(Batch.__dataclass_fields__)
    return Batch(**{**values, "lines": lines, "matrix": matrix})


@pytest.mark.medium
@given(rows=st.integers(1, 70), columns=st.integers(1, 70))
def test_pages_of_a_cross_hold_every_entry_once(rows: int, columns: int) -> None:
    batch = _batch(rows * columns, matrix(rows, columns))
    seen: list[int] = []
    number = 1
    while (page := page_of(batch, number)) is not None:
        assert len(page.rows) <= MAX_ROWS and len(page.columns) <= MAX_COLUMNS
        for (row, column), line in page.lines.items():
            assert line == page.rows[row] * columns + page.columns[column] + 1
            seen.append(line)
        assert page.number == number
        number += 1
    assert sorted(seen) == list(range(1, rows * columns + 1))


def test_params_with_one_value_are_no_axes_of_a_cross_of_others() -> None:
    described = matrix(1, 1)
    described["axes"] += [
        {"param": "style_weight", "labels": ["5", "15", "45"], "images": None},
        {"param": "style_scale", "labels": ["0.5", "2"], "images": None},
    ]
    page = page_of(_batch(6, described), 1)
    assert page is not None
    assert (page.rows, page.columns) == (range(3), range(2))
    assert [page.lines[divmod(line, 2)] for line in range(6)] == [1, 2, 3, 4, 5, 6]


@given(lines=st.integers(1, 1000))
def test_pages_of_a_grid_hold_every_entry_once_in_order(lines: int) -> None:
    batch = _batch(lines)
    seen: list[int] = []
    number = 1
    while (page := page_of(batch, number)) is not None:
        assert len(page.lines) <= GRID_CELLS
        assert list(page.lines) == sorted(page.lines)
        seen += page.lines.values()
        number += 1
    assert seen == list(range(1, lines + 1))


def read(client: TestClient, batch: Batch, query: str = "") -> Image.Image:
    answer = client.get(f"/v1/batches/{batch.id}/contact-sheet{query}")
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/jpeg"
    return Image.open(io.BytesIO(answer.content))


@pytest.mark.medium
def test_a_matrix_becomes_a_table_of_pictures(client: TestClient, services: Services) -> None:
    contents = [upload(client, png(solid(color, 64, 64))).json()["id"] for color in (YELLOW, VIOLET)]
    engine = services.engine
    batch = add_batch(engine, 6, source="matrix", matrix=matrix(2, 3, {0: contents}))
    ids = add_jobs(engine, batch, [1, 2, 3, 4, 5])
    refuse(engine, batch, [6])
    set_batch(engine, batch.id, next_line=7)
    for job_id, color in ((ids[0], RED), (ids[2], GREEN), (ids[4], BLUE)):
        set_jobs(engine, [job_id], State.SUCCEEDED)
        give(engine, services.storage, job_id, "image", png(solid(color)))
    found = boxes(read(client, batch), RED, GREEN, BLUE, YELLOW, VIOLET)
    assert len(found) == 5
    assert found[RED][2] < found[BLUE][0] < found[BLUE][2] < found[GREEN][0]
    assert found[RED][1] == pytest.approx(found[GREEN][1], abs=2)
    assert found[RED][3] < found[BLUE][1]
    assert found[YELLOW][2] < found[RED][0] and found[YELLOW][3] < found[VIOLET][1] < found[BLUE][3]


def test_a_sheet_is_made_again_only_when_it_changes(client: TestClient, services: Services) -> None:
    engine = services.engine
    batch = add_batch(engine, 3)
    ids = add_jobs(engine, batch, [1, 2])
    url = f"/v1/batches/{batch.id}/contact-sheet"
    first = client.get(url)
    assert first.status_code == 200
    again = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and again.content == b""
    assert client.head(url).headers["ETag"] == first.headers["ETag"]
    set_jobs(engine, ids[:1], State.SUCCEEDED)
    give(engine, services.storage, ids[0], "image", png(solid(RED)))
    changed = client.get(url, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200 and RED in boxes(Image.open(io.BytesIO(changed.content)), RED)
    # Neither what cannot be decoded nor what is gone keeps the others from being shown.
    set_jobs(engine, ids[1:], State.SUCCEEDED)
    give(engine, services.storage, ids[1], "image", b"no picture")
    assert RED in boxes(read(client, batch), RED)
    assert "ETag" in client.get(url).headers
    services.storage.delete(f"{job_folder(ids[1])}/1/image.png")
    assert RED in boxes(read(client, batch), RED)
    # It may be put back.
    gap = client.get(url).headers
    assert gap["Cache-Control"] == "no-store" and "ETag" not in gap and "Link" in gap


@pytest.mark.medium
def test_pages_name_the_next_and_the_last(client: TestClient, services: Services) -> None:
    batch = add_batch(services.engine, GRID_CELLS + 1)
    url = f"/v1/batches/{batch.id}/contact-sheet"
    assert client.get(url).headers["Link"] == f'<{url}?page=2>; rel="next", <{url}?page=2>; rel="last"'
    assert client.get(f"{url}?page=2").headers["Link"] == f'<{url}?page=2>; rel="last"'
    for wrong in ("0", "3", "x"):
        answer = client.get(f"{url}?page={wrong}")
        assert answer.status_code == 422 and answer.json()["field"] == "page"
    assert client.get("/v1/batches/x/contact-sheet").json()["type"] == "unknown_batch"
