"""Takes back the jobs of lost workers, and finds cancels that are overdue."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, and_, or_, select

from app.database.engine import current_time, now, read, write
from app.database.removal import delete_files
from app.jobs.claims import Claim
from app.jobs.dispatch.base import Dispatcher
from app.jobs.job import Job, Json
from app.jobs.states import State
from app.jobs.storage_keys import discard_job_files
from app.jobs.tables import jobs
from app.jobs.transitions import state_data, transition, transition_all
from app.storage import Storage

# Time from one round of the reaper to the next.
ROUND_SECONDS = 2.0
# A lease that ends later than after so many times its length is of a time before the database's clock was set
# back: it would keep the job of a worker that is dead by now for as long as that was.
AHEAD = 10

WORKER_LOST: Json = {
    "type": "worker_lost",
    "title": "The worker was lost",
    "detail": (
        "The process that ran this job crashed or was killed on every attempt, most often for lack of "
        "memory. Try a smaller size, or see the worker's log."
    ),
    "field": None,
}


def stalled_error(seconds: float) -> Json:
    """The error of a job that stood still for so many seconds on its last attempt."""
    return {
        "type": "stalled",
        "title": "The computation hung",
        "detail": (
            f"It made no step and no part of one in {seconds:g} s, so the process that ran it was ended, and "
            "no other attempt got further. The worker's log says where it hung. Try other params; if the "
            "machine is only slow, IMPASTO_STALL_FACTOR gives jobs more time."
        ),
        "field": None,
    }


def expire_leases(engine: Engine, max_attempts: int, longest: float | None = None) -> list[Job]:
    """Take back every running job whose lease has run out, or ends in more than ``longest`` seconds.

    Returns them as they are afterwards.
    """
    over = jobs.c.lease_until < now()
    if longest is not None:
        over = or_(over, jobs.c.lease_until > now() + longest)
    return _take_back(engine, (over,), max_attempts, waits=False)


class LeaseWatch:
    """Takes back expired jobs, but not while workers that are alive may lack the time to extend their leases.

    That is for half a lease after its own start, after a round that failed (the database was away), after a
    long pause between rounds (this process was frozen, and others perhaps too), and after the database's
    clock ran ahead of this process's monotonic one (it was set, or the machine slept). Nor, for that time
    after it was set back, those whose leases end too late. A round is due every ROUND_SECONDS.
    """

    def __init__(
        self,
        engine: Engine,
        lease_seconds: float,
        max_attempts: int,
        clock: Callable[[], float] = time.monotonic,
        database_clock: Callable[[Engine], float] = current_time,
    ) -> None:
        self._engine = engine
        self._max_attempts = max_attempts
        self._clock = clock
        self._database_clock = database_clock
        self._longest_lease = AHEAD * lease_seconds
        self._grace = lease_seconds / 2
        self._longest_round = max(self._grace, 1.5 * ROUND_SECONDS)
        self._last: tuple[float, float] | None = None
        self._begin = self._begin_ahead = clock() + self._grace

    def expire(self) -> list[Job]:
        """One round: take back what is due. Returns the jobs as they are afterwards."""
        try:
            here, there = self._clock(), self._database_clock(self._engine)
            if self._last is not None:
                passed, passed_there = here - self._last[0], there - self._last[1]
                if passed > self._longest_round or passed_there - passed > self._grace:
                    self._begin = here + self._grace
                if passed - passed_there > self._grace:
                    self._begin_ahead = here + self._grace
            self._last = here, there
            if here < self._begin:
                return []
            longest = self._longest_lease if here >= self._begin_ahead else None
            return expire_leases(self._engine, self._max_attempts, longest)
        except Exception:
            self._begin = self._clock() + self._grace
            raise


def expire_worker(engine: Engine, worker_id: str, max_attempts: int) -> list[Job]:
    """Take back the jobs of a worker that is known to be dead, without waiting for its lease.

    ``worker_id`` is a worker's id, or a supervised process's, which is a prefix of its children's ids.
    """
    return _take_back(engine, (_run_by(worker_id),), max_attempts)


def release_worker(engine: Engine, worker_id: str, max_attempts: int) -> list[Job]:
    """The same for one that was told to stop, and did not in time: that is no attempt lost to the job."""
    return _take_back(engine, (_run_by(worker_id),), max_attempts, attempts_lost=0)


def expire_claims(engine: Engine, claims: Sequence[Claim], max_attempts: int, error: Json) -> list[Job]:
    """Take back jobs of a worker that cannot go on; ``error`` is that of one that was the last attempt."""
    return _take_back(engine, (_held(claims),), max_attempts, error=error)


def release_claims(engine: Engine, claims: Sequence[Claim], max_attempts: int) -> list[Job]:
    """Put jobs of a worker back that it could not run to their ends; that is no attempt lost to them."""
    return _take_back(engine, (_held(claims),), max_attempts, attempts_lost=0)


def _held(claims: Sequence[Claim]) -> ColumnElement[bool]:
    return or_(*(and_(*claim.conditions) for claim in claims))


def _run_by(worker_id: str) -> ColumnElement[bool]:
    mine = jobs.c.worker_id
    return (mine == worker_id) | mine.startswith(f"{worker_id}:", autoescape=True)


def release_all(connection: Connection) -> list[Job]:
    """Put every running job back into the queue, where nobody is left to run it; a cancelled one ends.

    As after a shutdown, none has lost an attempt. Returns the jobs as they are afterwards.
    """
    running = jobs.c.state == State.RUNNING
    freed: dict[str, Any] = {"worker_id": None, "lease_until": None}
    ended = {**freed, "state": State.CANCELLED, "finished_at": now(), "checkpoint": None}
    cancelled = transition_all(connection, running, jobs.c.cancel_requested_at.is_not(None), values=ended)
    return cancelled + transition_all(connection, running, values={**freed, "state": State.QUEUED})


def _take_back(
    engine: Engine,
    conditions: Sequence[ColumnElement[bool]],
    max_attempts: int,
    *,
    attempts_lost: int = 1,
    error: Json = WORKER_LOST,
    waits: bool = True,
) -> list[Job]:
    """Take back the running jobs of some conditions. ``waits``: also for rows that others write just now.

    Nobody comes back to those of a worker whose end was told once; what is asked every round can wait.
    """
    running = jobs.c.state == State.RUNNING
    with read(engine) as connection:
        # The common case takes no write lock.
        if connection.execute(select(jobs.c.id).where(running, *conditions)).first() is None:
            return []
    with write(engine) as connection:
        found = select(jobs.c.id).where(running, *conditions).order_by(jobs.c.id)
        lost = connection.execute(found.with_for_update(skip_locked=not waits)).scalars()
        changed = [
            _take_back_one(connection, job_id, conditions, max_attempts, attempts_lost, error)
            for job_id in list(lost)
        ]
    return [job for job in changed if job is not None]


def _take_back_one(
    connection: Connection,
    job_id: str,
    conditions: Sequence[ColumnElement[bool]],
    max_attempts: int,
    attempts_lost: int,
    error: Json,
) -> Job | None:
    mine = (jobs.c.id == job_id, jobs.c.state == State.RUNNING, *conditions)
    lost_attempts = jobs.c.lost_attempts + attempts_lost
    freed = {"worker_id": None, "lease_until": None, "lost_attempts": lost_attempts}
    ended = {**freed, "finished_at": now(), "checkpoint": None}

    def change(event: str, values: dict[str, Any], *when: ColumnElement[bool]) -> Job | None:
        return transition(connection, *mine, *when, event=event, data=state_data, values=values)

    failed = {**ended, "state": State.FAILED, "error": error}
    cancelled = {**ended, "state": State.CANCELLED}
    return (
        change("done", cancelled, jobs.c.cancel_requested_at.is_not(None))
        or (change("done", failed, lost_attempts >= max_attempts) if attempts_lost else None)
        or change("state", {**freed, "state": State.QUEUED})
    )


def finish_takeback(jobs: Sequence[Job], dispatcher: Dispatcher, storage: Storage) -> None:
    """After a take-back: notify waiting callers, hint at jobs queued again, delete files of ended ones."""
    for job in jobs:
        if not job.ended:
            dispatcher.hint(job.lane)
        dispatcher.changed(job.id)
        if job.ended:
            delete_files(partial(discard_job_files, storage, job.id))


def overdue_cancels(engine: Engine, seconds: float) -> set[str]:
    """Ids of the workers that run a job whose cancel was requested more than ``seconds`` ago."""
    query = select(jobs.c.worker_id).where(
        jobs.c.state == State.RUNNING, jobs.c.cancel_requested_at < now() - seconds
    )
    with read(engine) as connection:
        return set(connection.execute(query).scalars())
