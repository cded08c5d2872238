"""The life of batches, on SQLite and PostgreSQL."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import Engine, update

from app.batches import leases
from app.batches.batch import BatchState, Counts
from app.batches.deletion import delete_leftover_spools
from app.batches.errors import BatchEnded, BatchNotEnded, JobOfBatch, UnknownBatch
from app.batches.expansion import expand_chunk
from app.batches.repository import get_batch
from app.batches.settling import end_state
from app.batches.spool import spool_key
from app.batches.tables import batches
from app.database.engine import now, write
from app.database.ids import new_id
from app.jobs import repository
from app.jobs.claims import finish
from app.jobs.errors import JobInUse
from app.jobs.job import Artifact
from app.jobs.preparing import Preparer
from app.jobs.repository import NewJob
from app.jobs.states import State
from tests.support.batch_context import BatchContext, counts_of, small_chunks, state_of
from tests.support.databases import leave_to_a_newer_release


@pytest.fixture
def context(engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchContext]:
    with small_chunks(monkeypatch, 10):
        yield BatchContext(engine, tmp_path / "data")


def let_leases_end(engine: Engine) -> None:
    with write(engine) as connection:
        connection.execute(update(batches).values(lease_until=0.0))


@pytest.mark.medium
def test_every_line_becomes_a_job_and_the_batch_ends(context: BatchContext) -> None:
    batch = context.create(25)
    context.keep()
    assert context.states(batch) == dict.fromkeys(range(1, 26), "queued")
    assert {job.flow for job in context.all_jobs(batch)} == {batch.id}
    ended = context.end(State.SUCCEEDED, 25)
    assert [job.batch_line for job in ended] == list(range(1, 26))
    context.keep()
    found = get_batch(context.engine, batch.id)
    assert (found.state, found.worker_id) == (BatchState.SUCCEEDED, None)
    assert found.finished_at is not None


def test_reading_a_batch_ends_it_too(context: BatchContext) -> None:
    batch = context.create(1)
    context.keep()
    context.end(State.SUCCEEDED)
    assert get_batch(context.engine, batch.id).state == "running"
    assert state_of(context, batch) == "succeeded"


@pytest.mark.parametrize("is_leased", [False, True])
def test_lines_are_left_to_the_release_that_has_migrated_the_database(
    context: BatchContext, is_leased: bool
) -> None:
    batch = context.create(25)
    keeper = context.keeper()
    if is_leased:
        taken = leases.take(context.engine, batch.id, keeper._worker_id)
        assert taken is not None
        expand_chunk(context.engine, context.storage, Preparer(context.engine, context.settings), taken)
    made = len(context.states(batch))
    # That release knows a kind that this one does not.
    spool = context.storage.root / spool_key(batch.id)
    spool.write_text(spool.read_text().replace("architecture", "architextura"))
    leave_to_a_newer_release(context.engine)
    keeper.work_off()
    found = get_batch(context.engine, batch.id)
    assert (len(context.states(batch)), counts_of(context, batch).failed) == (made, 0)
    assert (found.next_line, found.worker_id) == (made + 1, None)


def test_two_keepers_at_once_make_each_job_once(context: BatchContext) -> None:
    made = [context.create(95), context.create(35)]
    keepers = [context.keeper() for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for each in [pool.submit(keeper.work_off) for keeper in keepers]:
            each.result()
    let_leases_end(context.engine)
    context.keep()
    for batch in made:
        assert sorted(context.states(batch)) == list(range(1, batch.lines + 1))


def test_another_keeper_goes_on_when_the_lease_ends(context: BatchContext) -> None:
    batch = context.create(25)
    first, second = context.keeper(), context.keeper()
    taken = leases.take(context.engine, batch.id, "killed")
    assert taken is not None
    expand_chunk(context.engine, context.storage, Preparer(context.engine, context.settings), taken)
    first.work_off()
    assert len(context.entries(batch)) == 10
    let_leases_end(context.engine)
    second.work_off()
    assert len(context.entries(batch)) == 25


def test_a_dead_keeper_holds_no_batch_until_a_clock_that_was_set_back_has_caught_up(
    context: BatchContext,
) -> None:
    batch = context.create(3)
    assert leases.take(context.engine, batch.id, "dead") is not None
    context.keep()
    assert context.states(batch) == {}
    with write(context.engine) as connection:
        connection.execute(update(batches).values(lease_until=now() + 3600))
    context.keep()
    assert len(context.states(batch)) == 3


def test_a_keeper_that_lost_its_lease_writes_nothing(context: BatchContext) -> None:
    batch = context.create(25)
    stale = leases.take(context.engine, batch.id, "frozen")
    assert stale is not None
    let_leases_end(context.engine)
    assert leases.take(context.engine, batch.id, "next") is not None
    preparer = Preparer(context.engine, context.settings)
    assert expand_chunk(context.engine, context.storage, preparer, stale) == set()
    assert context.entries(batch) == {}


def test_a_cancel_ends_what_waits_and_what_is_no_job_yet(context: BatchContext) -> None:
    batch = context.create(45)
    keeper = context.keeper()
    taken = leases.take(context.engine, batch.id, "w1")
    assert taken is not None
    preparer = Preparer(context.engine, context.settings)
    assert expand_chunk(context.engine, context.storage, preparer, taken) == {"short"}
    (running,) = context.claim()
    context.end(State.SUCCEEDED)
    view = context.service.cancel(batch.id)
    assert view.cancel_requested_at is not None
    leases.release_all(context.engine, "w1")
    keeper.work_off()
    states = context.states(batch)
    assert (states[1], states[2]) == ("running", "succeeded")
    assert set(list(states.values())[2:]) == {"cancelled"} and len(states) == 10
    assert counts_of(context, batch) == Counts(0, 0, 1, 1, 0, 43)
    assert repository.get_job(context.engine, running.job.id).cancel_requested_at is not None
    done = [event.type for event in repository.list_events(context.engine, context.entries(batch)[3].id)]
    assert done == ["state", "done"]
    assert state_of(context, batch) == "running"
    finish(context.engine, running, State.CANCELLED)
    assert state_of(context, batch) == "cancelled"
    assert context.service.cancel(batch.id).state == "cancelled"
    assert counts_of(context, batch).cancelled == 44


def test_a_cancel_is_carried_out_by_whoever_is_there_after_a_crash(context: BatchContext) -> None:
    batch = context.create(25)
    context.keep()
    context.service.cancel(batch.id)
    assert leases.take(context.engine, batch.id, "killed") is not None
    context.keep()
    assert counts_of(context, batch).queued == 25
    let_leases_end(context.engine)
    context.keep()
    assert state_of(context, batch) == "cancelled"


@pytest.mark.medium
def test_pause_and_resume_follow_the_row(context: BatchContext) -> None:
    batch = context.create(25)
    context.keep()
    assert context.service.pause(batch.id).paused
    context.service.resume(batch.id)
    context.service.pause(batch.id)
    context.keep()
    assert {job.paused for job in context.entries(batch).values()} == {True}
    assert context.claim() == []
    context.service.resume(batch.id)
    context.keep()
    assert len(context.end(State.SUCCEEDED, 30)) == 25
    assert state_of(context, batch) == "succeeded"
    with pytest.raises(BatchEnded, match="has ended as succeeded"):
        context.service.pause(batch.id)


def test_what_is_expanded_during_a_pause_is_paused(context: BatchContext) -> None:
    batch = context.create(5)
    context.service.pause(batch.id)
    context.keep()
    assert {job.paused for job in context.entries(batch).values()} == {True}


def test_a_single_cancel_counts(context: BatchContext) -> None:
    batch = context.create(2)
    context.keep()
    context.jobs.cancel(context.entries(batch)[1].id)
    context.end(State.SUCCEEDED)
    assert counts_of(context, batch) == Counts(0, 0, 0, 1, 0, 1)
    assert state_of(context, batch) == "cancelled"


@pytest.mark.medium
def test_a_batch_is_deleted_with_all_that_is_of_it(context: BatchContext) -> None:
    batch, other = context.create(25, 3), context.create(2)
    context.keep()
    with pytest.raises(BatchNotEnded):
        context.service.delete(batch.id)
    (failed, *_) = context.end(State.FAILED, 30)
    context.keep()
    context.service.retry_job(failed.id)
    context.end(State.SUCCEEDED)
    with pytest.raises(JobOfBatch):
        context.service.delete_job(failed.id)
    for job in context.all_jobs(batch):
        context.storage.put(f"jobs/{job.id}/1/image.png", b"x")
    context.service.delete(batch.id)
    with pytest.raises(UnknownBatch):
        context.service.get(batch.id)
    with pytest.raises(UnknownBatch):
        context.service.retry_job(context.entries(batch)[1].id)
    context.keep()
    assert context.all_jobs(batch) == []
    files = [path.name for path in context.storage.root.rglob("*") if path.is_file()]
    assert files == [other.id]
    assert len(context.all_jobs(other)) == 2


def test_a_batch_whose_picture_is_needed_stays(context: BatchContext) -> None:
    batch = context.create(1)
    context.keep()
    (claim,) = context.claim()
    made = Artifact(claim.job.id, "image", f"jobs/{claim.job.id}/1/image.png", "image/png", 1, "0" * 64)
    finish(context.engine, claim, State.SUCCEEDED, made=[made])
    assert state_of(context, batch) == "succeeded"
    user, _ = repository.create_job(
        context.engine, NewJob("k", "long", {}, pictures=(f"{claim.job.id}/image",))
    )
    with pytest.raises(JobInUse, match=user.id):
        context.service.delete(batch.id)
    repository.request_cancel(context.engine, user.id)
    context.service.delete(batch.id)
    context.keep()
    assert context.all_jobs(batch) == []


def test_a_picture_of_a_batch_that_is_needed_since_it_was_hidden_stays(context: BatchContext) -> None:
    batch = context.create(12)
    context.keep()
    ended = []
    for claim in context.claim(12):
        stored = context.storage.put(f"jobs/{claim.job.id}/1/image.png", b"x")
        made = Artifact(claim.job.id, "image", stored.key, "image/png", 1, stored.sha256)
        ended.append(finish(context.engine, claim, State.SUCCEEDED, made=[made]))
    assert state_of(context, batch) == "succeeded"
    context.service.delete(batch.id)
    needed = ended[3].id
    user, _ = repository.create_job(context.engine, NewJob("k", "long", {}, pictures=(f"{needed}/image",)))
    context.keep()
    assert [job.id for job in context.all_jobs(batch)] == [needed]
    assert list(context.storage.list_keys("jobs")) == [f"jobs/{needed}/1/image.png"]
    repository.request_cancel(context.engine, user.id)
    context.keep()
    assert context.all_jobs(batch) == [] and list(context.storage.list_keys()) == []


def test_a_batch_without_its_file_ends_and_can_be_retried(context: BatchContext) -> None:
    batch = context.create(3)
    with context.storage.open(batch.spool) as file:
        lines = file.read()
    context.storage.delete(batch.spool)
    context.keep()
    assert state_of(context, batch) == "failed"
    assert counts_of(context, batch).failed == 3
    context.storage.put(batch.spool, lines)
    context.service.retry(batch.id)
    context.keep()
    assert context.states(batch) == {1: "queued", 2: "queued", 3: "queued"}


def test_a_batch_waits_for_a_storage_that_is_away(context: BatchContext) -> None:
    batch = context.create(3)
    root = context.storage.root
    moved = root.rename(root.with_name("moved"))
    root.mkdir()
    context.keep()
    assert (state_of(context, batch), counts_of(context, batch).failed) == ("running", 0)
    root.rmdir()
    moved.rename(root)
    context.keep()
    assert context.states(batch) == {1: "queued", 2: "queued", 3: "queued"}


def test_a_file_that_was_cut_off_refuses_the_lines_that_are_missing(context: BatchContext) -> None:
    batch = context.create(25)
    with context.storage.open(batch.spool) as file:
        lines = file.readlines()
    context.storage.put(batch.spool, b"".join(lines[:12]))
    context.keep()
    assert counts_of(context, batch) == Counts(0, 12, 0, 0, 13, 0)


def test_a_file_that_was_cut_off_within_a_line_ends_its_batch(context: BatchContext) -> None:
    batch = context.create(25)
    with context.storage.open(batch.spool) as file:
        whole = file.read()
    lines = whole.splitlines(keepends=True)
    context.storage.put(batch.spool, b"".join(lines[:12]) + lines[12][:20])
    context.keep()
    assert counts_of(context, batch) == Counts(0, 12, 0, 0, 13, 0)
    context.end(State.SUCCEEDED, 12)
    context.service.retry(batch.id)
    context.keep()
    assert counts_of(context, batch) == Counts(0, 0, 0, 12, 13, 0)
    context.storage.put(batch.spool, whole)
    context.service.retry(batch.id)
    context.keep()
    assert counts_of(context, batch) == Counts(0, 13, 0, 12, 0, 0)


def test_a_batch_that_cannot_be_read_does_not_keep_others_waiting(
    context: BatchContext, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = context.create(5), context.create(5)
    path = context.storage.path(broken.spool)
    path.unlink()
    path.mkdir()  # reading it fails as a broken disk does, with an OSError
    context.keep()
    assert (len(context.entries(broken)), len(context.entries(whole))) == (0, 5)
    (said,) = [each for each in caplog.records if broken.id in each.getMessage()]
    assert (said.levelname, said.exc_info) == ("WARNING", None) and "Is a directory" in said.getMessage()
    path.rmdir()
    context.keep()
    assert counts_of(context, broken).failed == 5


def test_lines_of_an_upload_that_was_killed_are_deleted(context: BatchContext) -> None:
    kept = [context.create(1).id for _ in range(2)]
    lost = new_id()
    context.storage.put(spool_key(lost), b"{}")
    assert delete_leftover_spools(context.engine, context.storage) == 0
    assert delete_leftover_spools(context.engine, context.storage, older_than=-1.0) == 1
    assert sorted(context.storage.list_old("batches", -1.0)) == sorted(kept)


@pytest.mark.parametrize(
    ("counts", "is_cancelled", "state"),
    [
        (Counts(0, 0, 0, 3, 0, 0), False, "succeeded"),
        (Counts(0, 0, 0, 3, 0, 0), True, "succeeded"),
        (Counts(0, 0, 0, 2, 1, 0), False, "failed"),
        (Counts(0, 0, 0, 2, 1, 0), True, "failed"),
        (Counts(0, 0, 0, 1, 1, 1), False, "failed"),
        (Counts(0, 0, 0, 1, 1, 1), True, "cancelled"),
        (Counts(0, 0, 0, 2, 0, 1), False, "cancelled"),
    ],
)
def test_how_a_batch_ends(context: BatchContext, counts: Counts, is_cancelled: bool, state: str) -> None:
    batch = context.create(3)
    if is_cancelled:
        batch = context.service.cancel(batch.id)
    assert end_state(batch, counts) == state
