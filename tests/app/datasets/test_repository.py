"""Sets in the database, on SQLite and PostgreSQL."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from app.database.engine import write
from app.database.ids import new_id
from app.datasets import changes, repository
from app.datasets.builtin import find_or_begin
from app.datasets.dataset import NewMember, content_hash
from app.datasets.deletion import Needs, delete_dataset
from app.datasets.errors import DatasetClosed, DatasetNameTaken, DatasetTooLarge, UnknownDataset
from app.datasets.parts import count_labels, require_parts
from app.datasets.repository import Added, Limits
from app.datasets.service import DatasetService, PictureFile
from app.datasets.split import split_members
from app.datasets.tables import dataset_members, datasets
from app.images.errors import ImageInSet, UnknownImage
from app.images.repository import get_image
from app.jobs.uploads import delete_image
from app.media import PictureInfo
from app.settings import Settings
from app.storage import make_storage

LIMITS = Limits(members=10, bytes=1000)
INFO = PictureInfo("PNG", "image/png", 4, 3, has_alpha=False, orientation=1, bytes=10)


def member(number: int, name: str | None = None, label: str | None = None) -> NewMember:
    """A member that came with its file."""
    return NewMember(
        image_id=f"image-{number}",
        sha256=f"{number:064}",
        bytes=10,
        name=name or f"{number}.png",
        label=label,
        info=INFO,
    )


def test_members_are_added_once_and_in_order(engine: Engine) -> None:
    dataset = repository.add_dataset(engine, "a", "upload", {})
    first = [member(1, label="x"), member(2)]
    assert repository.add_members(engine, dataset.id, first, LIMITS) == Added(2, 0, 0)
    more = [member(2), member(1, "other"), member(3), member(3)]
    assert repository.add_members(engine, dataset.id, more, LIMITS) == Added(2, 2, 1)
    found = list(repository.all_members(engine, dataset.id))
    assert [(m.position, m.name, m.label) for m in found] == [
        (0, "1.png", "x"),
        (1, "2.png", None),
        (2, "other", None),
        (3, "3.png", None),
    ]
    kept = repository.get_dataset(engine, "a")
    assert (kept.members, kept.duplicates, kept.bytes) == (4, 1, 40)
    assert count_labels(engine, dataset.id) == {"x": {None: 1}, None: {None: 3}}
    assert get_image(engine, "image-1").imported


def test_limits_hold_to_the_member_and_to_the_byte(engine: Engine) -> None:
    dataset = repository.add_dataset(engine, "a", "upload", {})
    repository.add_members(engine, dataset.id, [member(n) for n in range(9)], LIMITS)
    with pytest.raises(DatasetTooLarge, match="would have 11"):
        repository.add_members(engine, dataset.id, [member(20), member(21)], LIMITS)
    with pytest.raises(DatasetTooLarge, match="would have 100"):
        repository.add_members(engine, dataset.id, [member(20)], Limits(10, 99))
    files = [("0.png", f"{0:064}", 10), ("20.png", f"{20:064}", 10)]
    repository.require_room(engine, dataset.id, files, LIMITS)
    with pytest.raises(DatasetTooLarge):
        repository.require_room(engine, dataset.id, [*files, ("21.png", "f", 1)], LIMITS)
    assert repository.get_dataset(engine, "a").members == 9
    repository.add_members(engine, dataset.id, [member(20)], LIMITS)


def test_a_closed_set_is_named_by_its_content(engine: Engine) -> None:
    for name in ("a", "b"):
        dataset = repository.add_dataset(engine, name, "upload", {})
        repository.add_members(engine, dataset.id, [member(1, label="ü"), member(2)], LIMITS)
        closed = repository.close_dataset(engine, dataset.id)
        expected = content_hash([(f"{1:064}", "ü", "1.png", None), (f"{2:064}", None, "2.png", None)])
        assert (closed.state, closed.sha256) == ("closed", expected)
        assert repository.close_dataset(engine, dataset.id) == closed
        with pytest.raises(DatasetClosed):
            repository.add_members(engine, dataset.id, [member(3)], LIMITS)
    a, b = (repository.get_dataset(engine, name) for name in ("a", "b"))
    assert repository.find_dataset(engine, f"b@{a.sha256}") == b
    assert repository.find_dataset(engine, f"{b.id}@{a.sha256}") == b
    assert repository.find_dataset(engine, f"gone@{a.sha256}") == a
    assert repository.find_dataset(engine, "a@0") is None
    assert repository.find_dataset(engine, "c") is None


def test_the_database_keeps_pictures_of_sets(engine: Engine) -> None:
    dataset = repository.add_dataset(engine, "a", "upload", {})
    repository.add_members(engine, dataset.id, [member(1)], LIMITS)
    with pytest.raises(ImageInSet):
        delete_image(engine, "image-1")
    assert list(delete_dataset(engine, dataset.id, Needs())) == [["image-1"]]
    with pytest.raises(UnknownImage):
        get_image(engine, "image-1")
    with pytest.raises(UnknownDataset):
        repository.add_members(engine, dataset.id, [member(1)], LIMITS)


def test_names_are_unique(engine: Engine) -> None:
    repository.add_dataset(engine, "a", "upload", {})
    with pytest.raises(DatasetNameTaken):
        repository.add_dataset(engine, "a", "upload", {})
    assert find_or_begin(engine, "digits") == find_or_begin(engine, "digits")


def test_calls_at_one_time_add_each_member_once(engine: Engine, tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    datasets = DatasetService(settings, engine, make_storage(settings))
    dataset = datasets.begin("a")
    files = [
        PictureFile(data=b"%d" % n, sha256=f"{n:064}", info=INFO, name=f"{n}.png", label=None)
        for n in range(12)
    ]

    def add() -> None:
        owner = new_id()
        for start in range(0, 12, 3):
            datasets.add_files(dataset.id, files[start : start + 3], owner)

    threads = [threading.Thread(target=add) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = list(repository.all_members(engine, dataset.id))
    assert [m.position for m in found] == list(range(12))
    assert sorted(m.name for m in found) == sorted(file.name for file in files)
    for m in found:
        with datasets.storage.open(f"images/{m.image_id}") as file:
            assert file.read() == b"%d" % int(m.sha256)


def test_members_get_their_parts_when_a_set_is_closed(engine: Engine) -> None:
    dataset = repository.add_dataset(engine, "a", "upload", {})
    new = [*(member(number, label="x") for number in range(4)), member(4)]
    repository.add_members(engine, dataset.id, new, LIMITS)
    assert not dataset.is_split and {m.part for m in repository.all_members(engine, dataset.id)} == {None}
    closed = repository.close_dataset(engine, dataset.id)
    found = list(repository.all_members(engine, dataset.id))
    assert closed.is_split
    assert [m.part for m in found] == split_members([(m.sha256, m.label, m.name) for m in found])
    assert count_labels(engine, dataset.id) == {
        "x": {"train": 2, "validation": 1, "test": 1},
        None: {None: 1},
    }
    (tested,) = repository.list_members(engine, dataset.id, part="test")
    assert tested == next(m for m in found if m.part == "test")


def test_a_set_of_an_earlier_version_is_split_when_asked(engine: Engine) -> None:
    dataset = repository.add_dataset(engine, "a", "upload", {})
    repository.add_members(engine, dataset.id, [member(n, label="x") for n in range(4)], LIMITS)
    require_parts(engine, repository.get_dataset(engine, "a"))
    assert count_labels(engine, dataset.id) == {"x": {None: 4}}
    closed = repository.close_dataset(engine, dataset.id)
    found = list(repository.all_members(engine, dataset.id))
    with write(engine) as connection:
        connection.execute(update(datasets).values(is_split=False))
        connection.execute(update(dataset_members).values(part=None))
    require_parts(engine, repository.get_dataset(engine, "a"))
    assert list(repository.all_members(engine, dataset.id)) == found
    assert repository.get_dataset(engine, "a") == closed


def test_a_set_shares_the_pictures_of_another(engine: Engine) -> None:
    origin = repository.add_dataset(engine, "a", "upload", {})
    new = [member(n, label="x") for n in range(3)] + [member(0, "again")]
    repository.add_members(engine, origin.id, new, LIMITS)
    repository.close_dataset(engine, origin.id)
    members = list(repository.all_members(engine, origin.id))
    kept = [replace(members[3], position=0, label="y"), replace(members[0], position=1)]
    made = changes.add_closed(engine, "b", {"relabeled": "a"}, kept, "f" * 64, origin.id)
    assert (made.state, made.members, made.duplicates, made.bytes) == ("closed", 2, 1, 20)
    assert (made.options, made.is_split) == ({"relabeled": "a"}, True)
    assert made.closed_at == pytest.approx(made.created_at, abs=1)
    assert [(m.name, m.label, m.part) for m in repository.all_members(engine, made.id)] == [
        ("again", "y", "train"),
        ("0.png", "x", "train"),
    ]
    with pytest.raises(DatasetNameTaken):
        changes.add_closed(engine, "b", {}, kept, "f" * 64, origin.id)
    with pytest.raises(DatasetNameTaken):
        changes.rename_dataset(engine, made.id, "a")
    assert changes.rename_dataset(engine, made.id, "c") == replace(made, name="c")
    assert list(delete_dataset(engine, origin.id, Needs())) == [["image-1", "image-2"]]
    with pytest.raises(UnknownDataset):
        changes.add_closed(engine, "d", {}, kept, "f" * 64, origin.id)
    with pytest.raises(UnknownDataset):
        changes.rename_dataset(engine, origin.id, "d")
