"""The one way to change a job: a conditional update, with its event in the same transaction."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select, update
from sqlalchemy.sql.dml import ReturningUpdate

from app.database.engine import now
from app.jobs.job import Job, Json
from app.jobs.states import State
from app.jobs.tables import artifacts, job_events, jobs

# A job keeps at most this many rows of type "progress" while it runs: checked every quarter of so many events
# of any type, halved above three. Once it has ended, it keeps some of them.
PROGRESS_ROWS = 1000
# Enough for the curves of a training.
ROWS_OF_ENDED = 100


def transition(
    connection: Connection,
    *conditions: ColumnElement[bool],
    event: str,
    data: Callable[[Job], Json],
    values: dict[str, Any],
) -> Job | None:
    """Change the one job that meets the conditions (compare-and-set), and record the event.

    Returns the job after the change; None if no job meets the conditions (another process was first).
    """
    row = connection.execute(_change(conditions, values)).mappings().one_or_none()
    if row is None:
        return None
    job = Job.from_row(row)
    record(connection, job, event, data(job))
    return job


def in_order(found: Select[tuple[str]]) -> ColumnElement[bool]:
    """That a job is one of a query for ids, for an update of several; they are locked in the order of ids.

    An update locks rows in the order in which it comes upon them, and two would wait for each other for ever.
    """
    locked = found.order_by(jobs.c.id).with_for_update().cte()
    return jobs.c.id.in_(select(locked.c.id))


def transition_all(
    connection: Connection,
    *conditions: ColumnElement[bool],
    values: dict[str, Any],
    data: Callable[[Job], Json] | None = None,
) -> list[Job]:
    """Change every job that meets the conditions, in one statement, and record the events of their states.

    Those carry ``data``, or else what they always do. Returns the jobs after the change, in no order.
    """
    rows = connection.execute(_change(conditions, values)).mappings()
    changed = [Job.from_row(row) for row in rows]
    if changed:
        data_of = data or state_data
        events = [_event(job, "done" if job.ended else "state", data_of(job)) for job in changed]
        connection.execute(insert(job_events).values(created_at=now()), events)
    ended = [job.id for job in changed if job.ended and job.attempt]
    if ended:
        # As of a single one: what a preview is of, which only one that began can have.
        connection.execute(delete(artifacts).where(artifacts.c.job_id.in_(ended)))
    for job in changed:
        # Each event has a seq of its own.
        if job.ended and job.seq > ROWS_OF_ENDED:
            _thin_ended(connection, job.id)
    return changed


def _change(conditions: Sequence[ColumnElement[bool]], values: dict[str, Any]) -> ReturningUpdate[Any]:
    return update(jobs).where(*conditions).values(seq=jobs.c.seq + 1, **values).returning(*jobs.c)


def _event(job: Job, event: str, data: Json) -> dict[str, Any]:
    return {"job_id": job.id, "seq": job.seq, "type": event, "data": data}


def record(connection: Connection, job: Job, event: str, data: Json) -> None:
    """Write the event of a job's current seq."""
    connection.execute(insert(job_events).values(created_at=now(), **_event(job, event, data)))
    if job.seq % (PROGRESS_ROWS // 4) == 0:
        _thin_progress(connection, job.id, PROGRESS_ROWS * 3 // 4)
    if event == "preview":
        # It replaces the preview before, which the earlier event pointed to.
        earlier = (job_events.c.job_id == job.id, job_events.c.type == "preview", job_events.c.seq < job.seq)
        connection.execute(delete(job_events).where(*earlier))
    if event == "done":
        # Only a preview can be there; the caller adds what the job made afterwards.
        connection.execute(delete(artifacts).where(artifacts.c.job_id == job.id))
        _thin_ended(connection, job.id)


def record_new(connection: Connection, job_ids: Sequence[str]) -> None:
    """Write the first events of jobs that were inserted: they are queued."""
    data = {
        "state": State.QUEUED,
        "attempt": 0,
        "cancel_requested": False,
        "finish_requested": False,
        "error": None,
    }
    events = [{"job_id": job_id, "seq": 1, "type": "state", "data": data} for job_id in job_ids]
    connection.execute(insert(job_events).values(created_at=now()), events)


def _thin_progress(connection: Connection, job_id: str, most: int) -> bool:
    """Delete every other row of progress, but not the last, if there are more than ``most``; whether so."""
    mine = (job_events.c.job_id == job_id, job_events.c.type == "progress")
    count = connection.execute(select(func.count()).where(*mine)).scalar_one()
    if count <= most:
        return False
    ranked = (
        select(job_events.c.seq, func.row_number().over(order_by=job_events.c.seq.desc()).label("rank"))
        .where(*mine)
        .subquery()
    )
    others = select(ranked.c.seq).where(ranked.c.rank % 2 == 0)
    connection.execute(delete(job_events).where(*mine, job_events.c.seq.in_(others)))
    return True


def _thin_ended(connection: Connection, job_id: str) -> None:
    while _thin_progress(connection, job_id, ROWS_OF_ENDED):
        pass


def state_data(job: Job) -> Json:
    """What the events of type "state" and "done" carry."""
    return {
        "state": job.state,
        "attempt": job.attempt,
        "cancel_requested": job.cancel_requested_at is not None,
        "finish_requested": job.finish_requested_at is not None,
        "error": job.error,
    }
