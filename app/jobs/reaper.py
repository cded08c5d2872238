"""What puts right what others left: lost workers, overdue cancels, lost hints."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, Engine, select

from app.database.engine import now, read, write
from app.jobs.dispatch.base import Dispatcher
from app.jobs.job import Job, Json
from app.jobs.states import State
from app.jobs.storage_keys import sweep
from app.jobs.tables import jobs
from app.jobs.transitions import state_data, transition
from app.storage import Storage

WORKER_LOST: Json = {
    "type": "worker_lost",
    "title": "The worker was lost",
    "detail": (
        "The process that ran this job ended without a word on every attempt, most often for want of memory. "
        "Try a smaller size, or see the log of the worker."
    ),
    "field": None,
}


@dataclass(frozen=True)
class OverdueCancel:
    """A running job that was told to stop too long ago."""

    job_id: str
    worker_id: str
    attempt: int


def expire_leases(engine: Engine, max_attempts: int) -> list[Job]:
    """Take back every running job whose lease ran out. Returns them as they are now."""
    return _take_back(engine, (jobs.c.lease_until < now(),), max_attempts)


def expire_worker(engine: Engine, worker_id: str, max_attempts: int) -> list[Job]:
    """Take back what a worker held that is known to be dead, without waiting for its lease.

    ``worker_id`` is a worker's name, or that of the supervised process that names its children after itself.
    """
    mine = (jobs.c.worker_id == worker_id) | jobs.c.worker_id.startswith(f"{worker_id}:", autoescape=True)
    return _take_back(engine, (mine,), max_attempts)


def _take_back(engine: Engine, conditions: Sequence[ColumnElement[bool]], max_attempts: int) -> list[Job]:
    running = jobs.c.state == State.RUNNING
    with read(engine) as connection:
        # The common case takes no write lock.
        if connection.execute(select(jobs.c.id).where(running, *conditions)).first() is None:
            return []
    with write(engine) as connection:
        lost = connection.execute(
            select(jobs.c.id).where(running, *conditions).with_for_update(skip_locked=True)
        ).scalars()
        changed = [_take_back_one(connection, job_id, conditions, max_attempts) for job_id in list(lost)]
    return [job for job in changed if job is not None]


def _take_back_one(
    connection: Connection,
    job_id: str,
    conditions: Sequence[ColumnElement[bool]],
    max_attempts: int,
) -> Job | None:
    mine = (jobs.c.id == job_id, jobs.c.state == State.RUNNING, *conditions)
    freed = {"worker_id": None, "lease_until": None, "lost_attempts": jobs.c.lost_attempts + 1}
    ended = {**freed, "finished_at": now(), "checkpoint": None}
    return (
        transition(
            connection,
            *mine,
            jobs.c.cancel_requested_at.is_not(None),
            event="done",
            data=state_data,
            values={**ended, "state": State.CANCELLED},
        )
        or transition(
            connection,
            *mine,
            jobs.c.lost_attempts + 1 >= max_attempts,
            event="done",
            data=state_data,
            values={**ended, "state": State.FAILED, "error": WORKER_LOST},
        )
        or transition(
            connection,
            *mine,
            event="state",
            data=state_data,
            values={**freed, "state": State.QUEUED},
        )
    )


def finish_takeback(jobs: Sequence[Job], dispatcher: Dispatcher, storage: Storage) -> None:
    """Do for jobs that were taken back what their worker would have done: tell of them, hint, sweep."""
    for job in jobs:
        if job.ended:
            sweep(storage, job.id)
        else:
            dispatcher.hint(job)
        dispatcher.changed(job.id)


def overdue_cancels(engine: Engine, seconds: float) -> list[OverdueCancel]:
    """Running jobs whose cancel was requested more than ``seconds`` ago."""
    query = select(jobs.c.id, jobs.c.worker_id, jobs.c.attempt).where(
        jobs.c.state == State.RUNNING, jobs.c.cancel_requested_at < now() - seconds
    )
    with read(engine) as connection:
        return [OverdueCancel(*row) for row in connection.execute(query)]
