"""Cancels, pauses, resumes and retries batches: the row says so at once, and its jobs follow in chunks."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, String, case, func, literal, or_, select, update

from app.batches.batch import Batch, BatchState
from app.batches.checking import CHUNK
from app.batches.errors import BatchEnded, BatchNotEnded
from app.batches.leases import lock
from app.batches.repository import entries_of, read_batch
from app.batches.tables import batches
from app.database.engine import now, write
from app.database.keys import Note, no_note
from app.database.removal import delete_files
from app.jobs.job import Job
from app.jobs.states import State
from app.jobs.storage_keys import discard_job_files
from app.jobs.tables import jobs
from app.jobs.transitions import in_order, state_data, transition_all
from app.jobs.turns import renew_turns
from app.storage import Storage

_IS_RUNNING = batches.c.state == BatchState.RUNNING
_IS_CANCELLED = batches.c.cancel_requested_at.is_not(None)


def request_cancel(engine: Engine, batch_id: str, note: Note = no_note) -> Batch:
    """Cancel a batch: lines that are no jobs yet never become some. An ended one stays as it is."""
    values = {
        "cancel_requested_at": func.coalesce(batches.c.cancel_requested_at, now()),
        "retry_line": None,
        "revision": batches.c.revision + 1,
    }
    with write(engine) as connection:
        batch = _change(connection, batch_id, _IS_RUNNING, values=values)
        note(connection)
    return batch


def request_pause(engine: Engine, batch_id: str, paused: bool, note: Note = no_note) -> Batch:
    """Pause or resume a batch. One that is so already stays as it is.

    Raises UnknownBatch, BatchEnded; also for one that was cancelled, where an entry was retried alone: its
    jobs would follow the cancel.
    """
    values = {"paused": paused, "revision": batches.c.revision + 1}
    with write(engine) as connection:
        may = (_IS_RUNNING, ~_IS_CANCELLED, batches.c.paused != paused)
        batch = _change(connection, batch_id, *may, values=values)
        if batch.ended or batch.cancel_requested_at is not None:
            raise BatchEnded(batch_id, batch.state)
        note(connection)
    return batch


def request_retry(engine: Engine, batch_id: str, note: Note = no_note) -> Batch:
    """Have every entry that failed or was cancelled tried again; a batch that succeeded stays as it is.

    Lines of a cancelled batch that were no jobs become jobs. Raises UnknownBatch; BatchNotEnded for one that
    is being cancelled.
    """
    values = {
        "state": BatchState.RUNNING,
        # Also while one is carried out: what it has passed may have failed again.
        "retry_line": 1,
        "cancel_requested_at": None,
        "finished_at": None,
    }
    may = (batches.c.state != BatchState.SUCCEEDED, or_(~_IS_RUNNING, ~_IS_CANCELLED))
    with write(engine) as connection:
        batch = _change(connection, batch_id, *may, values=values)
        if not batch.ended and batch.cancel_requested_at is not None:
            raise BatchNotEnded(batch_id)
        note(connection)
    return batch


def _change(
    connection: Connection, batch_id: str, *conditions: ColumnElement[bool], values: dict[str, Any]
) -> Batch:
    """Change the row of a batch if the conditions hold; returns it as it is then. Raises UnknownBatch."""
    kept = (batches.c.id == batch_id, batches.c.delete_requested_at.is_(None))
    statement = update(batches).where(*kept, *conditions).values(**values).returning(*batches.c)
    row = connection.execute(statement).mappings().first()
    return read_batch(connection, batch_id) if row is None else Batch.from_row(row)


def apply_chunk(engine: Engine, storage: Storage, batch: Batch) -> set[str]:
    """Have some jobs of a batch follow its row. Returns the lanes of those that may be claimed again."""
    with write(engine) as connection:
        current = lock(connection, batch, batches.c.applied < batches.c.revision)
        if current is None:
            return set()
        is_cancelled = current.cancel_requested_at is not None
        changed = _cancel(connection, batch.id) if is_cancelled else _pause(connection, current)
        if not changed:
            done = update(batches).where(batches.c.id == batch.id)
            connection.execute(done.values(applied=current.revision))
    for job in changed:
        if job.ended and job.attempt:
            delete_files(partial(discard_job_files, storage, job.id))
    return set() if is_cancelled or current.paused else {job.lane for job in changed}


def _cancel(connection: Connection, batch_id: str) -> list[Job]:
    """Cancel some jobs of a batch at once, and mark those that run. Returns them."""
    queued = jobs.c.state == State.QUEUED
    open_ones = (
        *entries_of(batch_id),
        jobs.c.state.in_((State.QUEUED, State.RUNNING)),
        jobs.c.cancel_requested_at.is_(None),
    )
    # In one statement, so that none slips through that begins, or goes back to the queue, at this moment.
    values = {
        "state": case((queued, literal(State.CANCELLED, String)), else_=jobs.c.state),
        "finished_at": case((queued, now())),
        "checkpoint": case((~queued, jobs.c.checkpoint)),
        "cancel_requested_at": now(),
    }
    chosen = in_order(select(jobs.c.id).where(_some(open_ones), *open_ones))
    return transition_all(connection, chosen, values=values)


def _pause(connection: Connection, batch: Batch) -> list[Job]:
    """Pause or resume some jobs of a batch, as its row says, in the order of lines. Returns them."""
    others = (
        *entries_of(batch.id),
        jobs.c.state.in_((State.QUEUED, State.RUNNING)),
        jobs.c.paused != batch.paused,
    )
    query = select(jobs.c.id).where(*others).order_by(jobs.c.batch_line).limit(CHUNK)
    job_ids = connection.execute(query).scalars().all()
    # Before any of them is changed, in the order of ids: see in_order.
    locked = select(jobs.c.id).where(jobs.c.id.in_(job_ids)).order_by(jobs.c.id)
    connection.execute(locked.with_for_update())
    if not batch.paused:
        renew_turns(connection, batch.id, job_ids)
    return transition_all(
        connection,
        jobs.c.id.in_(job_ids),
        *others,
        values={"paused": batch.paused},
        data=lambda job: {**state_data(job), "paused": job.paused},
    )


def _some(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool]:
    """That a job is among the next ``CHUNK`` that meet some conditions."""
    return jobs.c.id.in_(select(jobs.c.id).where(*conditions).limit(CHUNK).scalar_subquery())
