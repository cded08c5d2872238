"""What is old and not needed is deleted, once an hour by one process."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, delete, event, func, insert, select, update

from app.batches import checking, retention, service
from app.batches.errors import NamedByBatch, PicturesDeleted, UnknownBatch
from app.batches.repository import list_batches, lock_makers
from app.batches.retention import delete_old
from app.batches.spool import spool_key
from app.batches.tables import batches
from app.batches.unread import UnreadLines
from app.database.engine import now, read, write
from app.datasets.repository import add_dataset
from app.datasets.tables import dataset_members
from app.images.repository import image_key
from app.images.tables import images
from app.jobs import preparing, repository
from app.jobs import uploads as job_uploads
from app.jobs.chores import HOUR_SECONDS, Chore, is_due
from app.jobs.claims import finish
from app.jobs.job import Artifact
from app.jobs.repository import NewJob, create_job
from app.jobs.retention import DAY_SECONDS, old_jobs
from app.jobs.states import State
from app.jobs.tables import chores, jobs
from app.jobs.uploads import remove_image
from tests.support.batch_context import BatchContext
from tests.support.databases import leave_to_a_newer_release


@pytest.fixture
def context(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchContext:
    # A step is shorter than what is kept, which a pass must get past.
    monkeypatch.setattr(retention, "STEP", 2)
    return BatchContext(engine, tmp_path / "data")


def make_old(engine: Engine, days: float) -> None:
    """All that there is, that much older."""
    with write(engine) as connection:
        connection.execute(update(images).values(created_at=images.c.created_at - days * DAY_SECONDS))
        for table in (jobs, batches):
            connection.execute(update(table).values(finished_at=table.c.finished_at - days * DAY_SECONDS))


def a_pass(context: BatchContext) -> int:
    deleted = sum(delete_old(context.service))
    context.keep()
    return deleted


def uploads(context: BatchContext) -> set[str]:
    with read(context.engine) as connection:
        found = set(connection.execute(select(images.c.id)).scalars())
    files = {path.name for path in (context.storage.root / "images").rglob("*") if path.is_file()}
    assert files == found
    return found


def ended_job(context: BatchContext, *pictures: str) -> str:
    job, _ = create_job(context.engine, NewJob("k", "long", {}, pictures=pictures))
    repository.request_cancel(context.engine, job.id)
    return job.id


def make_picture(context: BatchContext) -> str:
    """The id of a job that made the picture `image`."""
    job, _ = create_job(context.engine, NewJob("k", "short", {}))
    (claim,) = context.claim()
    made = Artifact(job.id, "image", f"jobs/{job.id}/1/image.png", "image/png", 1, "0" * 64)
    finish(context.engine, claim, State.SUCCEEDED, made=[made])
    return job.id


def test_uploads_go_that_nothing_names(context: BatchContext) -> None:
    context.settings.keep_uploads_days = 3
    used = {context.add_image() for _ in range(5)}
    ended_job(context, *used)
    in_set, came_with_a_set = context.add_image(), context.add_image(imported=True)
    dataset = add_dataset(context.engine, "birds", "upload", {})
    with write(context.engine) as connection:
        member = {"dataset_id": dataset.id, "position": 0, "image_id": in_set, "sha256": "0", "name": "a"}
        connection.execute(insert(dataset_members).values(**member))
    unused = {context.add_image() for _ in range(5)}
    kept = used | {in_set, came_with_a_set}
    make_old(context.engine, 2)
    assert a_pass(context) == 0 and uploads(context) == kept | unused
    make_old(context.engine, 2)
    young = context.add_image()
    assert a_pass(context) == 5 and uploads(context) == kept | {young}


def test_a_step_looks_at_some_uploads_and_the_next_one_goes_on(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_uploads, "LOOKED_AT", 3)
    context.settings.keep_uploads_days = 3
    first = context.add_image()
    used = {context.add_image() for _ in range(10)}
    ended_job(context, *used)
    last = {context.add_image(), context.add_image()}
    make_old(context.engine, 4)
    assert uploads(context) == {first, *used, *last}
    # Of 3, 3, 3, 3 (the first one unused of these is where it stops), and what is left.
    assert list(delete_old(context.service)) == [1, 0, 0, 1, 1]
    assert uploads(context) == used


def test_what_unread_lines_name_stays(context: BatchContext) -> None:
    context.settings.keep_uploads_days = context.settings.keep_days = 3
    named, other = context.add_image(side=64), context.add_image()
    made_by, alone = make_picture(context), ended_job(context)
    context.create_dreams([named, f"{made_by}/image"])
    make_old(context.engine, 4)
    assert a_pass(context) == 2
    left = {job.id for job in repository.list_jobs(context.engine, limit=99)}
    assert uploads(context) == {named} and made_by in left and alone not in left and other
    # A keeper was at work: now jobs need them.
    assert a_pass(context) == 0
    for job in repository.list_jobs(context.engine, limit=99):
        repository.request_cancel(context.engine, job.id)
    context.keep()
    make_old(context.engine, 4)
    a_pass(context)
    context.keep()
    assert a_pass(context) == 1 and uploads(context) == set()


def test_a_batch_that_comes_during_a_pass_keeps_what_it_names(context: BatchContext) -> None:
    context.settings.keep_uploads_days = 3
    pictures = [context.add_image(side=64) for _ in range(6)]
    make_old(context.engine, 4)
    steps = delete_old(context.service)
    assert next(steps) == 2
    context.create_dreams(pictures[3:])
    assert sum(steps) == 1
    assert uploads(context) == set(pictures[3:])


def test_a_batch_that_comes_during_a_step_keeps_all(context: BatchContext) -> None:
    picture = context.add_image(side=64)
    unread = UnreadLines(context.engine, context.storage)
    unread.find()
    context.create_dreams([picture])
    with pytest.raises(NamedByBatch):
        remove_image(context.engine, context.storage, picture, if_unused=True, keep=unread.keep)
    assert uploads(context) == {picture}


def test_a_picture_that_was_deleted_while_a_batch_was_checked_refuses_it(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = context.add_image(side=64)
    check = service.check_entries

    def checked(*arguments: Any, **options: Any) -> Iterator[bytes]:
        yield from check(*arguments, **options)
        remove_image(context.engine, context.storage, picture)

    monkeypatch.setattr(service, "check_entries", checked)
    with pytest.raises(PicturesDeleted, match=picture):
        context.create_dreams([picture])
    assert list(context.storage.list_keys()) == [] and list_batches(context.engine, limit=9) == []


def test_a_batch_of_more_pictures_than_are_remembered_is_refused_if_one_was_deleted(
    context: BatchContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = [context.add_image(side=64) for _ in range(6)]
    monkeypatch.setattr(checking, "CHUNK", 2)
    monkeypatch.setattr(preparing, "MAX_REMEMBERED", 2)
    check = service.check_entries

    def checked(*arguments: Any, **options: Any) -> Iterator[bytes]:
        yield from check(*arguments, **options)
        remove_image(context.engine, context.storage, pictures[0])

    monkeypatch.setattr(service, "check_entries", checked)
    with pytest.raises(PicturesDeleted, match=pictures[0]):
        context.create_dreams(pictures)


def made_in_batch(context: BatchContext) -> tuple[str, str]:
    """The id of a batch that has ended, and the reference of a picture that it made."""
    batch = context.create(1)
    context.keep()
    (claim,) = context.claim()
    made = Artifact(claim.job.id, "image", f"jobs/{claim.job.id}/1/image.png", "image/png", 1, "0" * 64)
    finish(context.engine, claim, State.SUCCEEDED, made=[made])
    context.keep()
    return batch.id, f"{claim.job.id}/image"


def values_of(context: BatchContext, batch_id: str) -> dict[str, Any]:
    """The columns of the row of a batch."""
    with read(context.engine) as connection:
        row = connection.execute(select(batches).where(batches.c.id == batch_id)).mappings().one()
    return dict(row)


@pytest.mark.medium
def test_a_batch_stays_that_is_named_by_one_that_comes_at_the_moment_of_its_deletion(
    context: BatchContext,
) -> None:
    context.settings.keep_days = 3
    old, made = made_in_batch(context)
    make_old(context.engine, 4)
    naming = context.create_dreams([made])
    row = values_of(context, naming.id)
    with write(context.engine) as connection:
        connection.execute(delete(batches).where(batches.c.id == naming.id))
    with ThreadPoolExecutor(1) as pool:
        with write(context.engine) as connection:
            # As whoever adds it does.
            lock_makers(connection, [made])
            connection.execute(insert(batches).values(**row))
            future = pool.submit(lambda: sum(delete_old(context.service)))
            with pytest.raises(TimeoutError):
                future.result(0.5)
        assert future.result() == 0
    assert context.service.get(old).ended


@pytest.mark.medium
def test_a_batch_that_names_pictures_of_one_that_is_deleted_at_this_moment_is_refused(
    context: BatchContext,
) -> None:
    old, made = made_in_batch(context)
    with ThreadPoolExecutor(1) as pool:
        with write(context.engine) as connection:
            gone = update(batches).where(batches.c.id == old).values(delete_requested_at=now())
            connection.execute(gone)
            future = pool.submit(context.create_dreams, [made])
            with pytest.raises(TimeoutError):
                future.result(0.5)
        with pytest.raises(PicturesDeleted, match=made):
            future.result()
    assert list_batches(context.engine, limit=9) == []


def test_lines_that_cannot_be_read_keep_everything(
    context: BatchContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.settings.keep_uploads_days = 3
    batch = context.create(1)
    other = context.add_image()
    make_old(context.engine, 4)
    lines = context.storage.path(spool_key(batch.id))
    lines.rename(lines.with_name("aside"))
    lines.mkdir()
    assert sum(delete_old(context.service)) == 0 and uploads(context) == {other}
    assert "the lines of a batch cannot be read" in caplog.text
    # A batch whose lines are lost ends.
    lines.rmdir()
    assert sum(delete_old(context.service)) == 1


def test_a_file_that_cannot_be_deleted_does_not_keep_the_rest(
    context: BatchContext, caplog: pytest.LogCaptureFixture
) -> None:
    context.settings.keep_uploads_days = 3
    first, *_ = [context.add_image() for _ in range(5)]
    make_old(context.engine, 4)
    file = context.storage.path(image_key(first))
    file.unlink()
    (file / "x").mkdir(parents=True)
    assert sum(delete_old(context.service)) == 5
    with read(context.engine) as connection:
        assert connection.execute(select(images.c.id)).all() == []
    assert "a file that nothing needs stays" in caplog.text and first in caplog.text


def test_old_jobs_are_found_by_an_index(context: BatchContext) -> None:
    statements: list[tuple[str, Any]] = []
    event.listen(
        context.engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, values, *_: statements.append((statement, values)),
    )
    old_jobs(context.engine, DAY_SECONDS, 0, 100)
    statement, values = next(each for each in statements if each[0].startswith("SELECT"))
    explain = "EXPLAIN QUERY PLAN" if context.engine.dialect.name == "sqlite" else "EXPLAIN"
    with context.engine.connect() as connection:
        if explain == "EXPLAIN":
            # The table is empty here.
            connection.exec_driver_sql("SET enable_seqscan = off")
        plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql(f"{explain} {statement}", values))
    assert "ix_jobs_ended" in plan, plan


def test_a_pass_looks_at_each_upload_once(context: BatchContext) -> None:
    """Those in use stay: a step that began at the first one would read all of them again."""
    context.settings.keep_uploads_days = 3
    ended_job(context, *(context.add_image() for _ in range(3)))
    unused = [context.add_image() for _ in range(5)]
    make_old(context.engine, 4)
    asked: list[Any] = []

    def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        if "job_pictures" in statement and "ORDER BY images.id" in statement:
            asked.append(list(values.values()) if isinstance(values, dict) else list(values))

    event.listen(context.engine, "before_cursor_execute", note)
    assert sum(delete_old(context.service)) == 5
    for values, last in zip(asked, ["", unused[1], unused[3]], strict=True):
        assert last in values


def test_what_is_needed_does_not_keep_the_rest(context: BatchContext) -> None:
    context.settings.keep_days = 3
    makers = [make_picture(context) for _ in range(5)]
    user, _ = create_job(
        context.engine, NewJob("k", "long", {}, pictures=tuple(f"{m}/image" for m in makers))
    )
    old = ended_job(context)
    batch = context.create(1)
    context.keep()
    context.end(State.SUCCEEDED)
    context.keep()
    make_old(context.engine, 4)
    young = ended_job(context)
    assert a_pass(context) == 2
    with pytest.raises(UnknownBatch):
        context.service.get(batch.id)
    left = {job.id for job in repository.list_jobs(context.engine, limit=99)}
    assert left == {*makers, user.id, young} and old not in left
    repository.request_cancel(context.engine, user.id)
    assert a_pass(context) == 5


def test_one_process_has_its_turn_each_hour(context: BatchContext) -> None:
    engine = context.engine

    def turns() -> int:
        with ThreadPoolExecutor(8) as pool:
            return sum(pool.map(lambda _: is_due(engine, "scrub", HOUR_SECONDS), range(16)))

    assert [turns(), turns()] == [1, 0]
    with write(engine) as connection:
        connection.execute(update(chores).values(begun_at=now() - HOUR_SECONDS))
    assert [turns(), turns()] == [1, 0]


def test_a_clock_that_is_set_back_puts_no_chore_off(engine: Engine) -> None:
    assert is_due(engine, "scrub", HOUR_SECONDS)
    for passed in (2 * HOUR_SECONDS, -1e8):
        with write(engine) as connection:
            connection.execute(update(chores).values(begun_at=chores.c.begun_at - passed))
        assert is_due(engine, "scrub", HOUR_SECONDS)
        assert not is_due(engine, "scrub", HOUR_SECONDS)


def test_steps_go_through_a_pass_and_then_wait(context: BatchContext) -> None:

    def chore() -> Chore:
        return Chore(context.engine, "retention", lambda: delete_old(context.service))

    ages = chore()
    for _ in range(5):
        context.add_image()
    make_old(context.engine, 4)
    context.settings.keep_uploads_days = 3
    assert [ages.step() for _ in range(5)] == [2, 2, 1, 0, 0]
    # Another process, in the same hour.
    context.add_image()
    make_old(context.engine, 4)
    assert chore().step() == 0
    with read(context.engine) as connection:
        assert connection.execute(select(func.count()).select_from(chores)).scalar() == 1


def test_what_is_old_is_left_to_the_release_that_has_migrated_the_database(context: BatchContext) -> None:
    for _ in range(5):
        context.add_image()
    make_old(context.engine, 4)
    context.settings.keep_uploads_days = 3
    begun = Chore(context.engine, "retention", lambda: delete_old(context.service))
    assert begun.step() == 2
    leave_to_a_newer_release(context.engine)
    assert begun.step() == 0
    with write(context.engine) as connection:
        connection.execute(update(chores).values(begun_at=now() - HOUR_SECONDS))
    # Nor does it take the pass of this hour from a process of that release.
    assert begun.step() == 0
    with read(context.engine) as connection:
        assert connection.execute(select(chores.c.begun_at <= now() - HOUR_SECONDS)).scalar()


def test_what_a_process_that_died_left_is_deleted_in_the_next_pass(context: BatchContext) -> None:
    for _ in range(5):
        context.add_image()
    make_old(context.engine, 4)
    context.settings.keep_uploads_days = 3
    # With two in a step; after the first one nobody has the steps any more.
    assert Chore(context.engine, "retention", lambda: delete_old(context.service)).step() == 2
    another = Chore(context.engine, "retention", lambda: delete_old(context.service))
    assert another.step() == 0
    with write(context.engine) as connection:
        connection.execute(update(chores).values(begun_at=now() - HOUR_SECONDS))
    assert [another.step() for _ in range(3)] == [2, 1, 0]
    assert list(context.storage.list_keys()) == []
