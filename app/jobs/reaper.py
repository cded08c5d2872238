"""Takes back the jobs of lost workers, and finds cancels that are overdue."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, select

from app.database.engine import now, read, write
from app.jobs.dispatch.base import Dispatcher
from app.jobs.job import Job, Json
from app.jobs.states import State
from app.jobs.storage_keys import delete_job_files
from app.jobs.tables import jobs
from app.jobs.transitions import state_data, transition
from app.storage import Storage

WORKER_LOST: Json = {
    "type": "worker_lost",
    "title": "The worker was lost",
    "detail": (
        "The process that ran this job crashed or was killed on every attempt, most often for lack of "
        "memory. Try a smaller size, or see the worker's log."
    ),
    "field": None,
}


def expire_leases(engine: Engine, max_attempts: int) -> list[Job]:
    """Take back every running job whose lease has run out. Returns them as they are afterwards."""
    return _take_back(engine, (jobs.c.lease_until < now(),), max_attempts)


def expire_worker(engine: Engine, worker_id: str, max_attempts: int) -> list[Job]:
    """Take back the jobs of a worker that is known to be dead, without waiting for its lease.

    ``worker_id`` is a worker's id, or a supervised process's, which is a prefix of its children's ids.
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
    connection: Connection, job_id: str, conditions: Sequence[ColumnElement[bool]], max_attempts: int
) -> Job | None:
    mine = (jobs.c.id == job_id, jobs.c.state == State.RUNNING, *conditions)
    freed = {"worker_id": None, "lease_until": None, "lost_attempts": jobs.c.lost_attempts + 1}
    ended = {**freed, "finished_at": now(), "checkpoint": None}

    def change(event: str, values: dict[str, Any], *when: ColumnElement[bool]) -> Job | None:
        return transition(connection, *mine, *when, event=event, data=state_data, values=values)

    failed = {**ended, "state": State.FAILED, "error": WORKER_LOST}
    return (
        change("done", {**ended, "state": State.CANCELLED}, jobs.c.cancel_requested_at.is_not(None))
        or change("done", failed, jobs.c.lost_attempts + 1 >= max_attempts)
        or change("state", {**freed, "state": State.QUEUED})
    )


def finish_takeback(jobs: Sequence[Job], dispatcher: Dispatcher, storage: Storage) -> None:
    """After a take-back: notify waiting callers, hint at jobs queued again, delete files of ended ones."""
    for job in jobs:
        if job.ended:
            delete_job_files(storage, job.id)
        else:
            dispatcher.hint(job)
        dispatcher.changed(job.id)


def overdue_cancels(engine: Engine, seconds: float) -> set[str]:
    """Ids of the workers that run a job whose cancel was requested more than ``seconds`` ago."""
    query = select(jobs.c.worker_id).where(
        jobs.c.state == State.RUNNING, jobs.c.cancel_requested_at < now() - seconds
    )
    with read(engine) as connection:
        return set(connection.execute(query).scalars())
