"""What is old and not needed is deleted, once an hour by one process."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, func, insert, select, update

from app.batches import retention
from app.batches.errors import UnknownBatch
from app.batches.retention import delete_old
from app.database.engine import now, read, write
from app.datasets.repository import add_dataset
from app.datasets.tables import dataset_members
from app.images.tables import images
from app.jobs import repository
from app.jobs.chores import HOUR_SECONDS, Chore, is_due
from app.jobs.claims import finish
from app.jobs.job import Artifact
from app.jobs.repository import NewJob, create_job
from app.jobs.retention import DAY_SECONDS
from app.jobs.states import State
from app.jobs.tables import chores, jobs
from tests.support.batch_context import BatchContext


@pytest.fixture
def context(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> BatchContext:
    # A step is shorter than what is kept, which a pass must get past.
    monkeypatch.setattr(retention, "STEP", 2)
    return BatchContext(engine, tmp_path / "data")


def make_old(engine: Engine, days: float) -> None:
    """All that there is, that much older."""
    with write(engine) as connection:
        connection.execute(update(images).values(created_at=images.c.created_at - days * DAY_SECONDS))
        for table in (jobs, retention.batches):
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


def test_uploads_stay_while_lines_of_a_batch_are_unread(context: BatchContext) -> None:
    context.settings.keep_uploads_days = 3
    context.add_image()
    make_old(context.engine, 4)
    batch = context.create(2)
    assert a_pass(context) == 0
    # A keeper was at work.
    assert len(context.entries(batch)) == 2
    assert a_pass(context) == 1


def test_what_is_needed_does_not_keep_the_rest(context: BatchContext) -> None:
    context.settings.keep_days = 3
    makers = []
    for _ in range(5):
        job, _ = create_job(context.engine, NewJob("k", "short", {}))
        (claim,) = context.claim()
        made = Artifact(job.id, "image", f"jobs/{job.id}/1/image.png", "image/png", 1, "0" * 64)
        finish(context.engine, claim, State.SUCCEEDED, made=[made])
        makers.append(job.id)
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
