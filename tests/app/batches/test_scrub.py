"""Rows without files, and files without rows."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from app.batches import scrub
from app.batches.scrub import Damage, missing_files, unknown_files
from app.batches.spool import spool_key
from app.database.engine import write
from app.database.ids import new_id
from app.datasets import deletion
from app.datasets.service import DatasetService, ImageMember
from app.images.repository import find_images
from app.jobs import repository
from app.jobs.claims import finish
from app.jobs.job import Artifact
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.jobs.tables import jobs
from app.storage.folder import DAY_SECONDS
from tests.support.batch_context import BatchContext


@pytest.fixture
def context(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchContext:
    # A page is shorter than the artifacts of a job.
    monkeypatch.setattr(scrub, "PAGE", 2)
    return BatchContext(engine, tmp_path / "data")


def make(context: BatchContext) -> list[Artifact]:
    """A job with three files."""
    context.create(1)
    context.keep()
    (claim,) = context.claim()
    made = []
    for name in ("image", "a", "b"):
        stored = context.storage.put(f"jobs/{claim.job.id}/1/{name}.png", name.encode())
        made.append(Artifact(claim.job.id, name, stored.key, "image/png", stored.bytes, stored.sha256))
    finish(context.engine, claim, State.SUCCEEDED, made=made)
    return made


def found(context: BatchContext) -> set[Damage]:
    return {each for page in missing_files(context.engine, context.storage) for each in page}


def test_every_row_whose_file_is_not_right_is_found(
    context: BatchContext, caplog: pytest.LogCaptureFixture
) -> None:
    artifacts = [each for _ in range(3) for each in make(context)]
    pictures = [context.add_image() for _ in range(5)]
    assert found(context) == set()
    gone, other = artifacts[2].key, artifacts[6].key
    context.storage.delete(gone)
    context.storage.put(other, b"longer")
    context.storage.delete(f"images/{pictures[3]}")
    assert found(context) == {
        Damage(gone, "its file is missing"),
        Damage(other, f"its file has 6 bytes instead of {artifacts[6].bytes}"),
        Damage(f"images/{pictures[3]}", "its file is missing"),
    }
    assert sum(scrub.scrub(context.engine, context.storage)) == 3
    assert all(each.key in caplog.text for each in found(context))


def test_files_that_no_row_names_are_found(context: BatchContext) -> None:
    make(context)
    context.add_image()
    lost, fresh = new_id(), new_id()
    context.storage.put(f"images/{lost}", b"x")
    context.storage.put(f"jobs/{fresh}/1/image.png", b"x")
    unknown, unreadable = unknown_files(context.engine, context.storage, older_than=-1)
    assert unreadable == []
    assert {each.key for each in unknown} == {f"images/{lost}", f"jobs/{fresh}"}
    # Whoever writes them may be about to write the row.
    assert unknown_files(context.engine, context.storage) == ([], [])


def test_lines_of_batches_are_looked_at_too(context: BatchContext) -> None:
    batch, fresh = context.create(1), new_id()
    key = spool_key(batch.id)
    assert found(context) == set()
    context.storage.delete(key)
    context.storage.put(spool_key(fresh), b"{}")
    assert found(context) == {Damage(key, "its file is missing")}
    assert unknown_files(context.engine, context.storage) == ([], [])
    (unknown,), _ = unknown_files(context.engine, context.storage, older_than=-1)
    assert unknown.key == spool_key(fresh)


def test_what_an_interrupted_deletion_left_of_a_set_is_deleted(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    left, needed, held, own = *(context.add_image(imported=True) for _ in range(3)), context.add_image()
    sets = DatasetService(context.settings, context.engine, context.storage)
    first, second = sets.begin("first"), sets.begin("second")
    # The same picture has the same hash everywhere: only the name tells members apart.
    members = [ImageMember(image=each, name=each) for each in (left, needed, held, own)]
    sets.add_images(first, members)
    sets.add_images(second, members[2:3])
    repository.create_job(context.engine, NewJob("k", "long", {}, pictures=(needed,)))
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "_delete_unheld", raise_away)
        with pytest.raises(OperationalError):
            sets.delete(first, deletion.Needs())
    assert sum(scrub.scrub(context.engine, context.storage)) == 1
    found = find_images(context.engine, (left, needed, held, own))
    assert {each: image.imported for each, image in found.items()} == {needed: False, held: True, own: False}
    assert set(context.storage.list_keys("images")) == {f"images/{each}" for each in found}


def raise_away(*_: object) -> None:
    raise OperationalError("DELETE", None, Exception("the database is away"))


def test_a_file_that_cannot_be_looked_at_ends_no_pass(context: BatchContext) -> None:
    made = make(context)
    folder = context.storage.path(made[0].key).parent
    shutil.rmtree(folder)
    folder.write_bytes(b"")
    assert {each.key for each in found(context)} == {each.key for each in made}


def test_what_an_ended_job_left_is_deleted_after_a_day(context: BatchContext) -> None:
    made = make(context)
    stray = f"jobs/{made[0].job_id}/1/lost.png"
    context.storage.put(stray, b"x")
    assert sum(scrub.scrub(context.engine, context.storage)) == 0
    let_a_day_pass(context)
    (named,), _ = unknown_files(context.engine, context.storage)
    assert named == Damage(stray, "no row of its job names it")
    assert sum(scrub.scrub(context.engine, context.storage)) == 1
    assert set(context.storage.list_keys("jobs")) == {each.key for each in made}


def let_a_day_pass(context: BatchContext) -> None:
    with write(context.engine) as connection:
        connection.execute(update(jobs).values(finished_at=jobs.c.finished_at - 2 * DAY_SECONDS))


def put_a_loop(folder: Path) -> None:
    """Have a link that leads to itself in the place of a folder: it cannot be read, as a bad sector."""
    shutil.rmtree(folder)
    folder.symlink_to(folder.name)


def test_a_folder_of_a_job_that_cannot_be_read_hides_nothing_behind_it(
    context: BatchContext, caplog: pytest.LogCaptureFixture
) -> None:
    first, *others = sorted(make(context)[0].job_id for _ in range(4))
    strays = [context.storage.put(f"jobs/{each}/1/lost.png", b"x").key for each in others]
    let_a_day_pass(context)
    put_a_loop(context.storage.path(f"jobs/{first}"))
    unknown, unreadable = unknown_files(context.engine, context.storage)
    assert [each.key for each in unknown] == strays
    loop = "Too many levels of symbolic links"
    assert unreadable == [Damage(f"jobs/{first}", f"it cannot be read: {loop}")]
    assert sum(scrub.scrub(context.engine, context.storage)) == 3 + len(strays)
    assert f"jobs/{first} cannot be read, and stays: {loop}" in caplog.text
    assert unknown_files(context.engine, context.storage) == ([], unreadable)


def test_a_folder_of_a_store_that_cannot_be_read_hides_no_other(
    context: BatchContext, caplog: pytest.LogCaptureFixture
) -> None:
    stray = make(context)[0].key.replace("image", "lost")
    context.storage.put(stray, b"x")
    let_a_day_pass(context)
    context.add_image()
    put_a_loop(context.storage.path("images"))
    unknown, unreadable = unknown_files(context.engine, context.storage)
    assert [each.key for each in unknown] == [stray] and [each.key for each in unreadable] == ["images"]
    assert sum(scrub.scrub(context.engine, context.storage)) == 2
    assert "images cannot be read" in caplog.text


def test_a_storage_that_is_away_as_a_whole_ends_the_pass(context: BatchContext) -> None:
    make(context)
    let_a_day_pass(context)
    put_a_loop(context.storage.root)
    with pytest.raises(OSError, match="Too many levels"):
        unknown_files(context.engine, context.storage)
    with pytest.raises(OSError, match="Too many levels"):
        list(scrub.scrub(context.engine, context.storage))
