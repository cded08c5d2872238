"""Queries about jobs that wait to be claimed."""

from sqlalchemy import Engine, func, select

from app.database.engine import now, read
from app.jobs.job import Job
from app.jobs.states import State
from app.jobs.tables import jobs

_WAITING = (jobs.c.state == State.QUEUED, jobs.c.paused.is_(False))


def lost_hints(engine: Engine, seconds: float, *, lane: str, limit: int) -> list[Job]:
    """Jobs of a lane that wait and whose last hint is older than ``seconds``, the next ones first."""
    query = (
        select(jobs)
        .where(jobs.c.lane == lane, *_WAITING, jobs.c.hinted_at < now() - seconds)
        .order_by(jobs.c.priority.desc(), jobs.c.id)
        .limit(limit)
    )
    with read(engine) as connection:
        return [Job.from_row(row) for row in connection.execute(query).mappings()]


def oldest_waiting(engine: Engine) -> dict[str, float]:
    """Seconds that the oldest waiting job of each lane has waited."""
    query = select(jobs.c.lane, now() - func.min(jobs.c.created_at)).where(*_WAITING).group_by(jobs.c.lane)
    with read(engine) as connection:
        return {lane: seconds for lane, seconds in connection.execute(query)}


def waiting_by_lane(engine: Engine) -> dict[str, int]:
    """Number of jobs that wait to be claimed, by lane."""
    query = select(jobs.c.lane, func.count()).where(*_WAITING).group_by(jobs.c.lane)
    with read(engine) as connection:
        return {lane: count for lane, count in connection.execute(query)}
