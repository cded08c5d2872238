"""What a set is like, and its contact sheet."""

import io
from typing import Any

import pytest
from fastapi.testclient import TestClient
from PIL import Image
from sqlalchemy import Engine

from app.datasets import contact_sheet, repository
from app.datasets.contact_sheet import Cell, Row, affordable, choose_rows, draw_sheet
from app.datasets.dataset import NewMember
from app.datasets.repository import Limits
from app.datasets.statistics import measure
from app.media import PictureInfo
from tests.app.conftest import upload
from tests.support.strange_pictures import plain

URL = "/v1/datasets"
RED, GREEN = (255, 0, 0), (0, 255, 0)


def fill(engine: Engine, labels: list[str | None], *, close: bool = True, **known: Any) -> str:
    """A set of different pictures with these labels; ``known`` are pictures that come several times."""
    dataset = repository.add_dataset(engine, "a", "upload", {})
    new = []
    for place, label in enumerate(labels):
        sha256 = known.get(f"n{place}", f"{place:064}")
        info = PictureInfo("PNG", "image/png", 10 + place, 2**place, has_alpha=False, orientation=1, bytes=10)
        new.append(
            NewMember(
                image_id=f"i{sha256[-8:]}",
                sha256=sha256,
                bytes=10,
                name=f"{place}.png",
                label=label,
                info=info,
            )
        )
    repository.add_members(engine, dataset.id, new, Limits(2000, 10**9))
    if close:
        repository.close_dataset(engine, dataset.id)
    return dataset.id


def test_classes_parts_and_sizes_are_counted(engine: Engine) -> None:
    fill(engine, ["cat"] * 6 + ["dog"] * 2 + ["cow", None])
    found = measure(engine, repository.get_dataset(engine, "a"))
    assert (found.members, found.classes, found.unlabeled, found.pictures, found.bytes) == (10, 3, 1, 10, 100)
    assert [(each.label, each.members) for each in found.labels] == [
        ("cat", 6),
        ("cow", 1),
        ("dog", 2),
        (None, 1),
    ]
    assert found.parts is not None
    assert found.parts.model_dump() == {"train": 6, "validation": 2, "test": 1}
    assert found.largest is not None and found.smallest is not None
    assert (found.largest.label, found.smallest.label, found.imbalance) == ("cat", "cow", 6.0)
    assert found.widths is not None and found.heights is not None
    assert (found.widths.smallest, found.widths.median, found.widths.largest) == (10, 14, 19)
    assert [bar.model_dump() for bar in found.widths.histogram] == [
        {"least": 8, "below": 16, "members": 6},
        {"least": 16, "below": 32, "members": 4},
    ]
    assert [(bar.least, bar.members) for bar in found.heights.histogram] == [(2**n, 1) for n in range(10)]
    assert found.media_types == {"image/png": 10}
    assert found.duplicates == found.conflicts == []
    assert found.notes == [
        "Members without a label, which are not trained on: 1.",
        "The largest class is 6 times as large as the smallest, 'cow': accuracy says little of small ones.",
        "Classes of one picture, which is only trained on: 1 (cow).",
        "Classes that are not tested: 2 (cow, dog).",
    ]
    # 4, 1 and 1 of the classes are trained on.
    assert found.suggestion is not None and found.suggestion.transfer == "head"
    assert found.suggestion.text.startswith("1 training pictures a class are few")


def test_identical_pictures_and_contradictions_are_found(engine: Engine) -> None:
    fill(
        engine,
        ["a", "b", "a", "a", "b", None],
        n2="x" * 64,
        n3="x" * 64,
        n1="y" * 64,
        n4="y" * 64,
        n0="y" * 64,
    )
    found = measure(engine, repository.get_dataset(engine, "a"))
    assert (found.pictures, found.duplicate_pictures, found.conflicting_pictures) == (3, 2, 1)
    first, second = found.duplicates
    assert [member.position for member in first.members] == [0, 1, 4]
    assert [member.label for member in first.members] == ["a", "b", "b"]
    assert {member.part for member in first.members} == {"train"}
    assert [member.position for member in second.members] == [2, 3]
    assert found.conflicts == [first]
    assert any(note.startswith("Pictures with several labels: 1.") for note in found.notes)


def test_two_pictures_in_all_and_none(engine: Engine) -> None:
    fill(engine, ["a", "b"])
    found = measure(engine, repository.get_dataset(engine, "a"))
    assert found.parts is not None and found.parts.train == 2
    assert [note.split(":")[0] for note in found.notes[1:]] == [
        "No picture is left for validation",
        "No picture is left for a test",
    ]
    empty = measure(engine, repository.add_dataset(engine, "empty", "upload", {}))
    assert (empty.members, empty.labels, empty.parts, empty.imbalance, empty.widths) == (
        0,
        [],
        None,
        None,
        None,
    )
    assert empty.notes == []
    assert empty.suggestion is None


def test_rows_show_classes_evenly(engine: Engine) -> None:
    dataset = fill(engine, ["b"] * 8 + ["a", None, "a"], close=False)
    rows = choose_rows(engine, dataset, columns=4)
    assert [(row.label, row.members) for row in rows] == [("a", 2), ("b", 8), (None, 1)]
    assert [int(cell.image_id[1:]) for cell in rows[1].cells] == [0, 2, 4, 6]
    assert [int(cell.image_id[1:]) for cell in rows[0].cells] == [8, 10]
    assert rows[1].cells[1].cost == 12 * 4
    assert [row.label for row in choose_rows(engine, dataset, columns=4, skip=1)] == ["b", None]
    assert choose_rows(engine, dataset, columns=4, part="test") == []


def test_a_sheet_decodes_no_more_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_sheet, "MAX_PIXELS", 100)
    rows = [
        Row("a", 3, [Cell("a0", 40), Cell("a1", 40), Cell("a2", 1)]),
        Row("b", 2, [Cell("b0", 40), Cell("b1", 20)]),
    ]
    # Every class has its first picture before one has its second.
    assert affordable(rows) == {"a0", "b0", "b1"}
    assert affordable([]) == set()


def test_a_sheet_has_a_row_for_each_class() -> None:
    pictures = {"r": Image.new("RGB", (8, 4), RED), "g": Image.new("RGB", (100, 100), GREEN)}
    rows = [Row("red", 1, [Cell("r", 1)]), Row(None, 2, [Cell("gone", 1), Cell("g", 1)])]
    sheet = Image.open(io.BytesIO(draw_sheet(rows, pictures, side=100, columns=3)))
    assert sheet.size == (200 + 3 * 104, 2 * 104)

    def is_near(place: tuple[int, int], color: tuple[int, int, int]) -> bool:
        found = sheet.getpixel(place)
        assert isinstance(found, tuple)
        return all(abs(level - other) < 20 for level, other in zip(found, color, strict=True))

    # 12 times as large, in the middle of its square.
    assert is_near((250, 50), RED) and is_near((206, 50), RED) and is_near((250, 20), (255, 255, 255))
    assert is_near((354, 154), GREEN) and is_near((250, 154), (255, 255, 255))
    names = sheet.crop((0, 0, 200, 208)).convert("L")
    assert names.getextrema()[0] < 100
    assert Image.open(io.BytesIO(draw_sheet([], {}, 32, 1))).size == (160 + 36, 36)


def test_statistics_and_sheet_of_the_service(client: TestClient) -> None:
    client.post(URL, json={"name": "flags"})
    ids = [upload(client, plain(size=(64, 64), color=color), "a.png").json()["id"] for color in (RED, GREEN)]
    new = [
        {"image": ids[0], "label": "red"},
        {"image": ids[1], "label": "green"},
        {"image": ids[0], "name": "b"},
    ]
    client.post(f"{URL}/flags/members", json={"members": new})
    opened = client.get(f"{URL}/flags/contact-sheet")
    assert opened.headers["cache-control"] == "no-cache"
    client.post(f"{URL}/flags/close")
    found = client.get(f"{URL}/flags/statistics").json()
    assert (found["classes"], found["unlabeled"], found["duplicate_pictures"]) == (2, 1, 1)
    assert found["duplicates"][0]["image"] == ids[0]
    sheet = client.get(f"{URL}/flags/contact-sheet", params={"columns": 2, "side": 64})
    assert (sheet.status_code, sheet.headers["content-type"]) == (200, "image/jpeg")
    assert Image.open(io.BytesIO(sheet.content)).size == (160 + 2 * 68, 3 * 68)
    assert opened.headers["etag"] != sheet.headers["etag"]
    known = {"If-None-Match": sheet.headers["etag"]}
    again = client.get(f"{URL}/flags/contact-sheet", params={"columns": 2, "side": 64}, headers=known)
    assert (again.status_code, again.content) == (304, b"")
    trained = client.get(f"{URL}/flags/contact-sheet", params={"part": "train", "columns": 1, "side": 32})
    assert Image.open(io.BytesIO(trained.content)).size == (160 + 36, 2 * 36)
    assert client.get(f"{URL}/none/statistics").status_code == 404
    assert client.get(f"{URL}/flags/contact-sheet", params={"side": 500}).status_code == 422
