"""The files of pictures that come with sets, on SQLite and PostgreSQL."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, event
from sqlalchemy.exc import OperationalError

from app.batches.scrub import missing_files
from app.database import engine as engines
from app.database.engine import make_engine
from app.datasets.repository import add_dataset, all_members
from app.datasets.service import DatasetService, PictureFile
from app.images.repository import image_key
from app.media import PictureInfo
from app.settings import Settings
from app.storage import make_storage


@pytest.fixture
def sets(engine: Engine, tmp_path: Path) -> DatasetService:
    settings = Settings(data_dir=tmp_path / "data")
    return DatasetService(settings, engine, make_storage(settings))


def picture(data: bytes) -> PictureFile:
    info = PictureInfo("PNG", "image/png", 4, 3, has_alpha=False, orientation=1, bytes=len(data))
    sha256 = hashlib.sha256(data).hexdigest()
    return PictureFile(data=data, sha256=sha256, info=info, name=f"{sha256[:8]}.png", label=None)


def problems(sets: DatasetService) -> list[str]:
    return [each.problem for page in missing_files(sets.engine, sets.storage) for each in page]


def test_files_that_were_lost_come_back_with_another_set_of_them(sets: DatasetService) -> None:
    files = [picture(b"one"), picture(b"another"), picture(b"third")]
    first = add_dataset(sets.engine, "first", "upload", {})
    sets.add_files(first.id, files, "a")
    gone, short, whole = (image_key(each.image_id) for each in all_members(sets.engine, first.id))
    sets.storage.delete(gone)
    sets.storage.put(short, b"ano")
    assert len(problems(sets)) == 2
    second = add_dataset(sets.engine, "second", "upload", {})
    sets.add_files(second.id, files, "b")
    assert problems(sets) == []
    assert sorted(sets.storage.list_keys()) == sorted([gone, short, whole])
    with sets.storage.open(short) as file:
        assert file.read() == b"another"


@pytest.fixture
def impatient(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """Another engine of the same database, which waits a second for the locks of others."""
    monkeypatch.setattr(engines, "BUSY_SECONDS", 1.0)
    other = make_engine(engine.url, statement_seconds=1)
    yield other
    other.dispose()


def test_one_who_cannot_wait_deletes_no_files_of_one_who_makes_the_same(
    sets: DatasetService, impatient: Engine
) -> None:
    dataset = add_dataset(sets.engine, "digits", "digits", {})
    files = [picture(b"one"), picture(b"two")]
    other = DatasetService(sets.settings, impatient, sets.storage)
    refused = []

    @event.listens_for(sets.engine, "after_cursor_execute")
    def before_commit(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO dataset_members"):
            with pytest.raises(OperationalError) as caught:
                other.add_files(dataset.id, files, dataset.id)
            refused.append(caught.value)

    assert sets.add_files(dataset.id, files, dataset.id).added == 2
    assert len(refused) == 1 and problems(sets) == []
