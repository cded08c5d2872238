"""The SQL statements of workers: claim, heartbeat, progress, preview, checkpoint, end.

Each write of a claim is fenced on (id, worker_id, attempt): without a row that matches it raises
:class:`ClaimLost`, and the worker must write nothing more.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.jobs.job import Artifact, Job, Json
from app.jobs.states import State
from app.jobs.tables import IS_WAITING, artifacts, jobs
from app.jobs.transitions import in_order, state_data, transition, transition_all
from app.jobs.turns import Level, serve, waiting_levels
from app.networks.repository import NewNetwork, insert_network
from app.networks.service import under_free_name

# Tries to register a network while others take its name.
NAME_TRIES = 5

# Jobs that are claimed together: they take less than a second each, and the last waits for the first.
STACK_LIMIT = 16


class ClaimLost(RuntimeError):
    """The job is no longer claimed by this attempt: its lease ran out, or it ended."""


@dataclass(frozen=True)
class Claim:
    """The right to run one attempt of a job. ``job`` is the job as it was claimed."""

    job: Job
    worker_id: str
    attempt: int
    lease_seconds: float

    @property
    def conditions(self) -> tuple[ColumnElement[bool], ...]:
        """The fence: what must hold of the row for a write of this claim."""
        return (
            jobs.c.id == self.job.id,
            jobs.c.state == State.RUNNING,
            jobs.c.worker_id == self.worker_id,
            jobs.c.attempt == self.attempt,
        )

    def with_checkpoint(self, checkpoint: Json | None) -> "Claim":
        """The same claim of a job that goes on from another checkpoint; None: from the beginning."""
        return replace(self, job=replace(self.job, checkpoint=checkpoint))


_UNCLAIMED: dict[str, Any] = {"worker_id": None, "lease_until": None}


@dataclass(frozen=True)
class HeartbeatReply:
    """What was requested of a running job, as a heartbeat returns it."""

    cancel_requested: bool
    finish_requested: bool
    paused: bool

    @classmethod
    def of(cls, row: Job | Row[Any]) -> "HeartbeatReply":
        """The reply for a job, or a row with these columns."""
        return cls(row.cancel_requested_at is not None, row.finish_requested_at is not None, row.paused)


def claim_next(engine: Engine, worker_id: str, lanes: Sequence[str], lease_seconds: float) -> Claim | None:
    """Claim the next job of these lanes alone; None if none waits."""
    return next(iter(claim_stack(engine, worker_id, lease_seconds, lanes=lanes, limit=1)), None)


def claim_stack(
    engine: Engine,
    worker_id: str,
    lease_seconds: float,
    *,
    lanes: Sequence[str],
    limit: int | Callable[[Job], int] = STACK_LIMIT,
) -> list[Claim]:
    """Claim the next job of some lanes, and those that wait and can be computed together with it.

    The next one has the least turn of the first of :func:`app.jobs.turns.waiting_levels`; the others follow
    in the order of the queue. ``limit`` is how many at most, or says it of the first one; it is called in the
    transaction, so it must be quick. Empty if none waits. A job whose worker died is claimed alone, so that
    no other is lost with it the next time; so is one that goes on from a checkpoint.
    """
    with read(engine) as connection:
        # An idle worker takes no write lock.
        waiting = waiting_levels(connection, lanes)
    if not waiting:
        return []
    with write(engine) as connection:
        for level in waiting:
            # Others may have claimed meanwhile what waited there.
            if found := take(connection, _next(level), worker_id, lease_seconds):
                first = found[0].job
                serve(connection, level, first.flow, first.turn)
                others = _companions(first, limit)
                if others is not None:
                    found += take(connection, others, worker_id, lease_seconds)
                return found
    return []


def take(
    connection: Connection, found: Select[tuple[str]], worker_id: str, lease_seconds: float
) -> list[Claim]:
    """Claim those of a query for ids that wait. Returns them in the order of the queue."""
    values = {
        "state": State.RUNNING,
        "worker_id": worker_id,
        "attempt": jobs.c.attempt + 1,
        "lease_until": now() + lease_seconds,
        "started_at": func.coalesce(jobs.c.started_at, now()),
    }
    # SQLite has a single writer, and ignores the lock. A CTE with one is evaluated once.
    locked = found.where(*IS_WAITING).with_for_update(skip_locked=True).cte()
    taken = transition_all(connection, jobs.c.id.in_(select(locked.c.id)), values=values)
    taken.sort(key=lambda job: (-job.priority, job.turn, job.id))
    return [Claim(job, worker_id, job.attempt, lease_seconds) for job in taken]


def _next(level: Level) -> Select[tuple[str]]:
    here = (jobs.c.lane == level.lane, jobs.c.priority == level.priority)
    return select(jobs.c.id).where(*here).order_by(jobs.c.turn, jobs.c.id).limit(1)


def _companions(first: Job, limit: int | Callable[[Job], int]) -> Select[tuple[str]] | None:
    """The jobs to be computed together with one; None if it is computed alone."""
    if first.stack_key is None or first.lost_attempts or first.checkpoint is not None:
        return None
    count = (limit if isinstance(limit, int) else limit(first)) - 1
    same = (jobs.c.stack_key == first.stack_key, jobs.c.lane == first.lane)
    fresh = (jobs.c.lost_attempts == 0, jobs.c.checkpoint.is_(None))
    order = (jobs.c.priority.desc(), jobs.c.turn, jobs.c.id)
    return select(jobs.c.id).where(*same, *fresh).order_by(*order).limit(count) if count > 0 else None


def heartbeat(engine: Engine, claim: Claim) -> HeartbeatReply:
    """Extend the lease. Raises ClaimLost if the claim is lost."""
    reply = heartbeat_all(engine, [claim])[claim.job.id]
    if reply is None:
        raise ClaimLost(claim.job.id)
    return reply


def heartbeat_all(engine: Engine, claims: Sequence[Claim]) -> dict[str, HeartbeatReply | None]:
    """Extend the leases of one worker's claims in one statement. By job id; None where the claim is lost."""
    held = or_(*(and_(*claim.conditions) for claim in claims))
    chosen = in_order(select(jobs.c.id).where(held))
    extended = update(jobs).where(held, chosen).values(lease_until=now() + claims[0].lease_seconds)
    with write(engine) as connection:
        requests = (jobs.c.cancel_requested_at, jobs.c.finish_requested_at, jobs.c.paused)
        rows = connection.execute(extended.returning(jobs.c.id, *requests)).all()
    found = {row.id: HeartbeatReply.of(row) for row in rows}
    return {claim.job.id: found.get(claim.job.id) for claim in claims}


def report_progress(engine: Engine, claim: Claim, progress: Json) -> HeartbeatReply:
    """Write progress, and extend the lease with it. Raises ClaimLost if the claim is lost."""
    values = {"progress": progress, "lease_until": now() + claim.lease_seconds}
    with write(engine) as connection:
        job = _transition(connection, claim, event="progress", data=lambda _: progress, values=values)
    return HeartbeatReply.of(job)


def save_preview(engine: Engine, claim: Claim, artifact: Artifact) -> None:
    """Replace the preview. Raises ClaimLost if the claim is lost."""

    def data(job: Job) -> Json:
        return {"name": artifact.name, "version": job.seq}

    with write(engine) as connection:
        job = _transition(connection, claim, event="preview", data=data, values={})
        _replace_artifacts(connection, job.id, [artifact])


def save_checkpoint(engine: Engine, claim: Claim, key: str, done: int) -> None:
    """Note the key of the checkpoint after ``done`` steps; if that is progress, reset ``lost_attempts``.

    Raises ClaimLost if the claim is lost.
    """
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
    network: NewNetwork | None = None,
) -> Job:
    """End the attempt in one transaction. Raises ClaimLost if the claim is lost.

    In a terminal state the job ends, with its artifacts and the network that it made, whose name is then
    ``network`` in the result. ``QUEUED`` puts it back into the queue with its
    checkpoint, after a clean shutdown or for a pause; that is not a lost attempt. A job whose cancel was
    requested is not queued again: it ends as cancelled.
    """
    end = partial(_finish, engine, claim, state, made, result, error, progress, network)
    for _ in range(NAME_TRIES - 1):
        # IntegrityError: another job took the name of the network at the same moment.
        with suppress(IntegrityError):
            return end()
    return end()


def _finish(
    engine: Engine,
    claim: Claim,
    state: State,
    made: Sequence[Artifact],
    result: Json | None,
    error: Json | None,
    progress: Json | None,
    network: NewNetwork | None,
) -> Job:
    with write(engine) as connection:
        job = None
        if state is State.QUEUED:
            wanted = jobs.c.cancel_requested_at.is_(None)
            job = transition(
                connection,
                *claim.conditions,
                wanted,
                event="state",
                data=state_data,
                values={**_UNCLAIMED, "state": State.QUEUED},
            )
            state = State.CANCELLED
        if job is None:
            if network is not None:
                network = under_free_name(connection, network)
                result = {**(result or {}), "network": network.card.name}
            values = {**_UNCLAIMED, "state": state, "finished_at": now(), "checkpoint": None}
            values |= {"result": result, "error": error}
            if progress is not None:
                values["progress"] = progress
            job = _transition(connection, claim, event="done", data=state_data, values=values)
            if network is not None:
                insert_network(connection, network)
        _replace_artifacts(connection, job.id, made)
        return job


def _transition(connection: Connection, claim: Claim, **change: Any) -> Job:
    """A transition of a claimed job. Raises ClaimLost if the claim is lost."""
    job = transition(connection, *claim.conditions, **change)
    if job is None:
        raise ClaimLost(claim.job.id)
    return job


def _replace_artifacts(connection: Connection, job_id: str, made: Sequence[Artifact]) -> None:
    for artifact in made:
        connection.execute(
            delete(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.name == artifact.name)
        )
        connection.execute(insert(artifacts).values(**vars(artifact)))
