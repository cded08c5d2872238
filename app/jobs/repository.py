"""All SQL statements about jobs that the API needs.

Those of workers are in :mod:`app.jobs.claims`. Synchronous; SQLite and PostgreSQL.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, and_, case, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from app.database.engine import IN_ONE, now, read, write
from app.database.ids import is_id, new_id
from app.database.keys import Keyed, Note, find_made, no_note
from app.datasets.dataset import Dataset
from app.datasets.errors import DatasetNameTaken
from app.datasets.repository import insert_dataset
from app.datasets.tables import datasets
from app.images.repository import NewImage, insert_images
from app.jobs.errors import UnknownJob
from app.jobs.job import Artifact, Event, Job, Json
from app.jobs.needs import lock_datasets, lock_networks, lock_pictures
from app.jobs.states import TERMINAL, State
from app.jobs.tables import IS_WAITING, artifacts, job_datasets, job_events, job_pictures, jobs
from app.jobs.transitions import record_new, state_data, transition
from app.jobs.turns import SINGLE, assign_turns

# In place of a batch's id: the jobs of none.
NO_BATCH = "none"


@dataclass(frozen=True)
class NewJob:
    """A request for a job, validated and resolved: columns of its row, and the pictures and sets it needs.

    ``images`` are pictures that came with it, and ``new_set`` is filled by it: their rows are written with
    its own. ``id`` is one that was made before, for files that are stored already.
    """

    kind: str
    lane: str
    params: Json
    pictures: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    images: tuple[NewImage, ...] = ()
    new_set: Dataset | None = None
    id: str | None = None
    priority: int = 0
    retry_of: str | None = None
    batch_id: str | None = None
    batch_line: int | None = None
    custom_id: str | None = None
    paused: bool = False
    idempotency_key: str | None = None
    payload_hash: str | None = None
    network: str | None = None
    network_sha256: str | None = None
    further_networks: dict[str, str | None] | None = None
    reproducible: bool = False
    stack_key: str | None = None
    request_id: str | None = None

    @property
    def networks(self) -> dict[str, str | None]:
        """The names of all networks that it uses, with the SHA-256 of their weights."""
        own = {} if self.network is None else {self.network: self.network_sha256}
        return own | (self.further_networks or {})

    @property
    def request(self) -> Keyed | None:
        """The key of the request, if it has one."""
        return None if self.idempotency_key is None else Keyed(self.idempotency_key, self.payload_hash or "")


def create_job(engine: Engine, new: NewJob) -> tuple[Job, bool]:
    """Insert a queued job with seq 1. Returns it, and whether it is new.

    The same idempotency key with the same payload returns the existing job; with another payload it raises
    KeyReused. Raises NeedsGone if what it needs was deleted since it was looked for, and DatasetNameTaken if
    there is a set of the name of the one that it is to fill.
    """
    try:
        with write(engine) as connection:
            (job_id,) = insert_jobs(connection, SINGLE, [new])
            return read_job(connection, job_id), True
    except IntegrityError:
        earlier = find_made_job(engine, new.request)
        if earlier is not None:
            return earlier, False
        if new.new_set is None:
            raise
        find_made(engine, datasets, new.request)
        raise DatasetNameTaken(new.new_set.name) from None


def insert_jobs(connection: Connection, flow: str, news: Sequence[NewJob]) -> list[str]:
    """Insert queued jobs of one flow with seq 1, and what belongs to them. Returns their ids, in order.

    Raises NeedsGone.
    """
    ids = [new.id or new_id() for new in news]
    turns = assign_turns(connection, flow, [(new.lane, new.priority) for new in news])
    rows = [
        {**_columns(new), "id": job_id, "flow": flow, "turn": turn}
        for new, job_id, turn in zip(news, ids, turns, strict=True)
    ]
    fresh = {"state": State.QUEUED, "seq": 1, "attempt": 0, "lost_attempts": 0}
    connection.execute(insert(jobs).values(created_at=now(), **fresh), rows)
    with_ids = list(zip(ids, news, strict=True))
    for new in news:
        if new.new_set is not None:
            insert_dataset(connection, new.new_set)
    if images := [image for new in news for image in new.images]:
        insert_images(connection, images)
    if pictures := [(job_id, ref) for job_id, new in with_ids for ref in sorted(set(new.pictures))]:
        lock_pictures(connection, {reference for _, reference in pictures})
        needed = [{"job_id": job_id, "reference": reference} for job_id, reference in pictures]
        connection.execute(insert(job_pictures), needed)
    if sets := [(job_id, each) for job_id, new in with_ids for each in sorted(set(new.datasets))]:
        lock_datasets(connection, {dataset_id for _, dataset_id in sets})
        named = [{"job_id": job_id, "dataset_id": dataset_id} for job_id, dataset_id in sets]
        connection.execute(insert(job_datasets), named)
    used = [
        ({new.network: new.network_sha256} if new.network else {}) | (new.further_networks or {})
        for new in news
    ]
    lock_networks(connection, {name: sha256 for each in used for name, sha256 in each.items()})
    record_new(connection, ids)
    return ids


def _columns(new: NewJob) -> dict[str, Any]:
    others = ("pictures", "datasets", "images", "new_set", "id")
    return {name: value for name, value in vars(new).items() if name not in others}


def find_made_job(engine: Engine, request: Keyed | None) -> Job | None:
    """The job that the same request made before. Raises KeyReused."""
    row = find_made(engine, jobs, request)
    return None if row is None else Job.from_row(row)


def get_job(engine: Engine, job_id: str) -> Job:
    """The job of an id. Raises UnknownJob."""
    with read(engine) as connection:
        return read_job(connection, job_id)


def get_job_with_artifacts(engine: Engine, job_id: str) -> tuple[Job, list[Artifact]]:
    """The job of an id, with its artifacts ordered by name. Raises UnknownJob."""
    with read(engine) as connection:
        return read_job(connection, job_id), _list_artifacts(connection, [job_id])[job_id]


def read_job(connection: Connection, job_id: str) -> Job:
    row = connection.execute(select(jobs).where(jobs.c.id == job_id)).mappings().first()
    if row is None:
        raise UnknownJob(job_id)
    return Job.from_row(row)


def find_jobs_with_artifacts(engine: Engine, job_ids: Sequence[str]) -> dict[str, tuple[Job, list[Artifact]]]:
    """Some jobs by id, each with its artifacts ordered by name; unknown ids are left out."""
    with read(engine) as connection:
        found = _find_jobs(connection, job_ids)
        made = _list_artifacts(connection, list(found))
        return {job_id: (job, made[job_id]) for job_id, job in found.items()}


def find_jobs(engine: Engine, job_ids: Sequence[str]) -> dict[str, Job]:
    """Some jobs by id; unknown ids are left out."""
    with read(engine) as connection:
        return _find_jobs(connection, job_ids)


def _find_jobs(connection: Connection, job_ids: Sequence[str]) -> dict[str, Job]:
    rows = connection.execute(select(jobs).where(jobs.c.id.in_(job_ids))).mappings()
    return {row["id"]: Job.from_row(row) for row in rows}


def get_seqs(engine: Engine, job_ids: Sequence[str]) -> dict[str, int]:
    """The current seq of some jobs; unknown ids are left out."""
    found: dict[str, int] = {}
    with read(engine) as connection:
        # Streams may follow more jobs together than one statement takes.
        for start in range(0, len(job_ids), IN_ONE):
            some = jobs.c.id.in_(job_ids[start : start + IN_ONE])
            found |= {
                job_id: seq for job_id, seq in connection.execute(select(jobs.c.id, jobs.c.seq).where(some))
            }
    return found


def list_jobs(
    engine: Engine,
    *,
    limit: int,
    before: str | None = None,
    kinds: Sequence[str] = (),
    states: Sequence[str] = (),
    created_after: float | None = None,
    created_before: float | None = None,
    batch: str | None = None,
) -> list[Job]:
    """Jobs older than the job ``before``, newest first; ``batch`` is the id of one, or NO_BATCH."""
    query = select(jobs).order_by(jobs.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(jobs.c.id < before)
    if kinds:
        query = query.where(jobs.c.kind.in_(kinds))
    if states:
        query = query.where(jobs.c.state.in_(states))
    if created_after is not None:
        query = query.where(jobs.c.created_at >= created_after)
    if created_before is not None:
        query = query.where(jobs.c.created_at < created_before)
    if batch is not None:
        query = query.where(jobs.c.batch_id == (None if batch == NO_BATCH else batch))
    with read(engine) as connection:
        return [Job.from_row(row) for row in connection.execute(query).mappings()]


def list_artifacts(engine: Engine, job_ids: Sequence[str]) -> dict[str, list[Artifact]]:
    """The artifacts of some jobs by job id, ordered by name."""
    with read(engine) as connection:
        return _list_artifacts(connection, job_ids)


def _list_artifacts(connection: Connection, job_ids: Sequence[str]) -> dict[str, list[Artifact]]:
    found: dict[str, list[Artifact]] = {job_id: [] for job_id in job_ids}
    query = select(artifacts).where(artifacts.c.job_id.in_(job_ids)).order_by(artifacts.c.name)
    for row in connection.execute(query).mappings():
        found[row["job_id"]].append(Artifact(**row))
    return found


def get_artifact(engine: Engine, job_id: str, name: str) -> Artifact | None:
    """One artifact of a job, or None."""
    query = select(artifacts).where(artifacts.c.job_id == job_id, artifacts.c.name == name)
    with read(engine) as connection:
        row = connection.execute(query).mappings().first()
    return Artifact(**row) if row else None


def find_media_types(engine: Engine, references: Collection[str]) -> dict[str, str]:
    """The media types of artifacts by ``<job id>/<name>``; those that do not exist are left out."""
    owners = sorted(filter(is_id, {reference.partition("/")[0] for reference in references}))
    found: dict[str, str] = {}
    if not owners:
        return found
    with read(engine) as connection:
        for start in range(0, len(owners), IN_ONE):
            some = artifacts.c.job_id.in_(owners[start : start + IN_ONE])
            query = select(artifacts.c.job_id, artifacts.c.name, artifacts.c.media_type).where(some)
            found |= {
                f"{job_id}/{name}": media_type for job_id, name, media_type in connection.execute(query)
            }
    return {reference: found[reference] for reference in references if reference in found}


def list_events(engine: Engine, job_id: str, after: int = 0, limit: int = 500) -> list[Event]:
    """Events of a job whose seq is greater than ``after``, in order."""
    query = (
        select(job_events)
        .where(job_events.c.job_id == job_id, job_events.c.seq > after)
        .order_by(job_events.c.seq)
        .limit(limit)
    )
    with read(engine) as connection:
        return [Event(**row) for row in connection.execute(query).mappings()]


def list_events_of(engine: Engine, after: Mapping[str, int], limit: int) -> list[Event]:
    """Events of some jobs, each after a seq, in the order of the jobs and of each in order."""
    places = {job_id: place for place, job_id in enumerate(after)}
    new = [and_(job_events.c.job_id == job_id, job_events.c.seq > seq) for job_id, seq in after.items()]
    order = case(places, value=job_events.c.job_id)
    query = select(job_events).where(or_(*new)).order_by(order, job_events.c.seq).limit(limit)
    with read(engine) as connection:
        return [Event(**row) for row in connection.execute(query).mappings()]


def request_cancel(engine: Engine, job_id: str, note: Note = no_note) -> Job:
    """Cancel a queued job at once, mark a running one, leave an ended one unchanged. Raises UnknownJob."""
    with write(engine) as connection:
        # Locked, so that none slips through that goes back to the queue between the two changes.
        connection.execute(select(jobs.c.id).where(jobs.c.id == job_id).with_for_update())
        cancelled = transition(
            connection,
            jobs.c.id == job_id,
            jobs.c.state == State.QUEUED,
            event="done",
            data=state_data,
            values={
                "state": State.CANCELLED,
                "cancel_requested_at": now(),
                "finished_at": now(),
                "checkpoint": None,
            },
        )
        if cancelled is None:
            transition(
                connection,
                jobs.c.id == job_id,
                jobs.c.state == State.RUNNING,
                jobs.c.cancel_requested_at.is_(None),
                event="state",
                data=state_data,
                values={"cancel_requested_at": now()},
            )
        job = read_job(connection, job_id)
        note(connection)
        return job


def request_finish(engine: Engine, job_id: str, note: Note = no_note) -> Job:
    """Ask a job that has begun to end early; one that is paused goes on to do so. Others stay as they are.

    Raises UnknownJob.
    """
    with write(engine) as connection:
        transition(
            connection,
            jobs.c.id == job_id,
            jobs.c.state.not_in(TERMINAL),
            jobs.c.started_at.is_not(None),
            jobs.c.finish_requested_at.is_(None),
            event="state",
            data=lambda job: {**state_data(job), "paused": job.paused},
            values={"finish_requested_at": now(), "paused": False},
        )
        job = read_job(connection, job_id)
        if not job.ended and job.finish_requested_at is not None:
            note(connection)
        return job


def set_paused(engine: Engine, job_id: str, paused: bool, note: Note = no_note) -> Job:
    """Pause or resume a job; an ended one stays as it is. A running one goes back to the queue at its next
    step. Raises UnknownJob."""
    with write(engine) as connection:
        transition(
            connection,
            jobs.c.id == job_id,
            jobs.c.state.not_in(TERMINAL),
            jobs.c.paused != paused,
            event="state",
            data=lambda job: {**state_data(job), "paused": job.paused},
            values={"paused": paused},
        )
        job = read_job(connection, job_id)
        if not job.ended:
            note(connection)
        return job


def jobs_with_datasets(engine: Engine, dataset_ids: Sequence[str]) -> dict[str, list[str]]:
    """Ids of jobs that have not ended and that need or fill sets, by set."""
    query = (
        select(job_datasets.c.dataset_id, jobs.c.id)
        .join(jobs, jobs.c.id == job_datasets.c.job_id)
        .where(job_datasets.c.dataset_id.in_(dataset_ids), jobs.c.state.not_in(TERMINAL))
        .order_by(jobs.c.id)
    )
    found: dict[str, list[str]] = {dataset_id: [] for dataset_id in dataset_ids}
    with read(engine) as connection:
        for dataset_id, job_id in connection.execute(query):
            found[dataset_id].append(job_id)
    return found


def had_jobs(engine: Engine, dataset_id: str) -> bool:
    """Whether a job that is still kept needed or filled a set."""
    query = select(job_datasets.c.job_id).where(job_datasets.c.dataset_id == dataset_id).limit(1)
    with read(engine) as connection:
        return connection.execute(query).first() is not None


def count_waiting(engine: Engine, lane: str, limit: int) -> int:
    """Number of waiting jobs of a lane, counted up to a limit."""
    some = select(jobs.c.id).where(jobs.c.lane == lane, *IS_WAITING).limit(limit).subquery()
    with read(engine) as connection:
        return connection.execute(select(func.count()).select_from(some)).scalar_one()


def oldest_waiting(engine: Engine) -> dict[str, float]:
    """Age in seconds of the oldest waiting job of each lane."""
    query = select(jobs.c.lane, now() - func.min(jobs.c.created_at)).where(*IS_WAITING).group_by(jobs.c.lane)
    with read(engine) as connection:
        return {lane: seconds for lane, seconds in connection.execute(query)}


def count_jobs(engine: Engine) -> list[dict[str, Any]]:
    """Number of jobs by kind, lane and state."""
    query = select(jobs.c.kind, jobs.c.lane, jobs.c.state, func.count().label("count")).group_by(
        jobs.c.kind, jobs.c.lane, jobs.c.state
    )
    with read(engine) as connection:
        return [dict(row) for row in connection.execute(query).mappings()]
