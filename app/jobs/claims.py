"""The statements of those who run jobs: claim, heartbeat, progress, checkpoint, end.

A claim is fenced on (id, worker_id, attempt): whoever lost it gets :class:`ClaimLost` and must write nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, delete, func, insert, select, update

from app.database.engine import now, write
from app.jobs.job import Artifact, Job, Json
from app.jobs.states import State
from app.jobs.tables import artifacts, jobs
from app.jobs.transitions import state_data, transition


class ClaimLost(RuntimeError):
    """The claim is no longer ours: the lease ran out, or the job ended."""


@dataclass(frozen=True)
class Claim:
    """The right to run one attempt of a job. ``job`` is the job as it was claimed."""

    job: Job
    worker_id: str
    attempt: int
    lease_seconds: float

    @property
    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """What must hold for a write of this claim to count."""
        return (
            jobs.c.id == self.job.id,
            jobs.c.state == State.RUNNING,
            jobs.c.worker_id == self.worker_id,
            jobs.c.attempt == self.attempt,
        )


@dataclass(frozen=True)
class HeartbeatReply:
    """What a worker learns of its job when it says that it lives."""

    cancel_requested: bool
    paused: bool


def claim_next(engine: Engine, worker_id: str, lanes: Sequence[str], lease_seconds: float) -> Claim | None:
    """Claim the job that waits longest at the highest priority in these lanes, or None."""
    waiting = (
        select(jobs.c.id)
        .where(jobs.c.lane.in_(lanes), jobs.c.state == State.QUEUED, jobs.c.paused.is_(False))
        .order_by(jobs.c.priority.desc(), jobs.c.id)
        .limit(1)
        # SQLite has but one writer and leaves this out.
        .with_for_update(skip_locked=True)
    )
    with write(engine) as connection:
        job_id = connection.execute(waiting).scalar_one_or_none()
        return _claim(connection, job_id, worker_id, lease_seconds) if job_id else None


def claim(engine: Engine, job_id: str, worker_id: str, lease_seconds: float) -> Claim | None:
    """Claim one job by compare-and-set; None if it is not there to be claimed."""
    with write(engine) as connection:
        return _claim(connection, job_id, worker_id, lease_seconds)


def _claim(connection: Connection, job_id: str, worker_id: str, lease_seconds: float) -> Claim | None:
    job = transition(
        connection,
        jobs.c.id == job_id,
        jobs.c.state == State.QUEUED,
        jobs.c.paused.is_(False),
        event="state",
        data=state_data,
        values={
            "state": State.RUNNING,
            "worker_id": worker_id,
            "attempt": jobs.c.attempt + 1,
            "lease_until": now() + lease_seconds,
            "started_at": func.coalesce(jobs.c.started_at, now()),
        },
    )
    return Claim(job, worker_id, job.attempt, lease_seconds) if job else None


def heartbeat(engine: Engine, claim: Claim) -> HeartbeatReply:
    """Extend the lease. Raises ClaimLost if the claim is lost."""
    with write(engine) as connection:
        row = connection.execute(
            update(jobs)
            .where(*claim.conditions)
            .values(lease_until=now() + claim.lease_seconds)
            .returning(jobs.c.cancel_requested_at, jobs.c.paused)
        ).one_or_none()
    if row is None:
        raise ClaimLost(claim.job.id)
    return HeartbeatReply(cancel_requested=row.cancel_requested_at is not None, paused=row.paused)


def report_progress(engine: Engine, claim: Claim, progress: Json) -> HeartbeatReply:
    """Write progress, and extend the lease with it."""
    job = _fenced(
        engine,
        claim,
        event="progress",
        data=lambda _: progress,
        values={"progress": progress, "lease_until": now() + claim.lease_seconds},
    )
    return HeartbeatReply(cancel_requested=job.cancel_requested_at is not None, paused=job.paused)


def save_preview(engine: Engine, claim: Claim, artifact: Artifact) -> None:
    """Put the latest preview in the place of the one before."""
    with write(engine) as connection:
        job = transition(
            connection,
            *claim.conditions,
            event="preview",
            data=lambda job: {"name": artifact.name, "version": job.seq},
            values={},
        )
        if job is None:
            raise ClaimLost(claim.job.id)
        _replace_artifacts(connection, job.id, [artifact])


def save_checkpoint(engine: Engine, claim: Claim, key: str, done: int) -> None:
    """Note where the state after ``done`` steps is. If that is progress, reset ``lost_attempts``."""
    last = claim.job.checkpoint or {}
    values: dict[str, Any] = {"checkpoint": {"key": key, "done": done}}
    if done > last.get("done", 0):
        values["lost_attempts"] = 0
    with write(engine) as connection:
        if not connection.execute(update(jobs).where(*claim.conditions).values(**values)).rowcount:
            raise ClaimLost(claim.job.id)


def finish(
    engine: Engine,
    claim: Claim,
    state: State,
    *,
    made: Sequence[Artifact] = (),
    result: Json | None = None,
    error: Json | None = None,
    progress: Json | None = None,
) -> Job:
    """End the job, with its artifacts, in one transaction. Raises ClaimLost if the claim is lost."""
    values: dict[str, Any] = {
        "state": state,
        "finished_at": now(),
        "worker_id": None,
        "lease_until": None,
        "checkpoint": None,
        "result": result,
        "error": error,
    }
    if progress is not None:
        values["progress"] = progress
    with write(engine) as connection:
        job = transition(connection, *claim.conditions, event="done", data=state_data, values=values)
        if job is None:
            raise ClaimLost(claim.job.id)
        _replace_artifacts(connection, job.id, made)
        return job


def release(engine: Engine, claim: Claim) -> Job:
    """Put a job back into the queue on a clean shutdown or a pause: no strike."""
    return _fenced(
        engine,
        claim,
        event="state",
        data=state_data,
        values={"state": State.QUEUED, "worker_id": None, "lease_until": None},
    )


def _fenced(engine: Engine, claim: Claim, **kwargs: Any) -> Job:
    with write(engine) as connection:
        job = transition(connection, *claim.conditions, **kwargs)
    if job is None:
        raise ClaimLost(claim.job.id)
    return job


def _replace_artifacts(connection: Connection, job_id: str, made: Sequence[Artifact]) -> None:
    for artifact in made:
        connection.execute(
            delete(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.name == artifact.name)
        )
        connection.execute(insert(artifacts).values(**vars(artifact)))
