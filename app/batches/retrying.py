"""Tries failed and cancelled entries of batches again: each gets a new job, in the place of the old one."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, Engine, and_, delete, select, update

from app.batches.batch import Batch, BatchState
from app.batches.checking import CHUNK
from app.batches.errors import EntryRetried, UnknownBatch
from app.batches.expansion import prepare
from app.batches.leases import lock
from app.batches.repository import entries_of
from app.batches.spool import find_lines
from app.batches.tables import batch_refusals, batches
from app.database.engine import read, write
from app.database.keys import Keyed, columns_of
from app.errors import ServiceError
from app.jobs.errors import JobNotEnded, ParamsError
from app.jobs.job import Job
from app.jobs.preparing import Checked, Preparer
from app.jobs.repository import NewJob, insert_jobs, read_job
from app.jobs.states import TERMINAL, State
from app.jobs.tables import jobs
from app.log_context import current_request_id
from app.storage import Storage


def retry_chunk(engine: Engine, storage: Storage, preparer: Preparer, batch: Batch) -> set[str]:
    """Try the next entries again that failed or were cancelled; those that still cannot run stay as they are.

    Returns the lanes of the new jobs. Does nothing if the lease was lost, or the batch cancelled meanwhile.
    """
    old, refused, next_line = _next_entries(engine, batch)
    again = _prepare_again(preparer, batch, old)
    corrected, _ = prepare(preparer, batch, find_lines(storage, batch.spool, refused), again=True)
    with write(engine) as connection:
        current = lock(
            connection,
            batch,
            batches.c.retry_line == batch.retry_line,
            batches.c.cancel_requested_at.is_(None),
            batches.c.delete_requested_at.is_(None),
        )
        if current is None:
            return set()
        replaced = _replace(connection, [new.retry_of for new in again if new.retry_of is not None])
        made = [new for new in again if new.retry_of in replaced] + _take_refused(
            connection, batch, corrected
        )
        if made:
            insert_jobs(connection, batch.id, [replace(new, paused=current.paused) for new in made])
        moved = update(batches).where(batches.c.id == batch.id)
        connection.execute(moved.values(retry_line=next_line))
    return {new.lane for new in made}


def _next_entries(engine: Engine, batch: Batch) -> tuple[list[Job], list[int], int | None]:
    """The next jobs and refused lines to try again, and from which line on others follow, if they may."""
    ended = (State.FAILED, State.CANCELLED)
    of_jobs = select(jobs).where(
        *entries_of(batch.id), jobs.c.batch_line >= batch.retry_line, jobs.c.state.in_(ended)
    )
    of_lines = select(batch_refusals.c.line).where(
        batch_refusals.c.batch_id == batch.id, batch_refusals.c.line >= batch.retry_line
    )
    with read(engine) as connection:
        rows = connection.execute(of_jobs.order_by(jobs.c.batch_line).limit(CHUNK)).mappings()
        old = {job.batch_line or 0: job for job in map(Job.from_row, rows)}
        refused = connection.execute(of_lines.order_by(batch_refusals.c.line).limit(CHUNK)).scalars().all()
    numbers = sorted([*old, *refused])[:CHUNK]
    chosen = set(numbers)
    return (
        [job for line, job in old.items() if line in chosen],
        [line for line in refused if line in chosen],
        numbers[-1] + 1 if len(numbers) == CHUNK else None,
    )


def _prepare_again(preparer: Preparer, batch: Batch, old: Sequence[Job]) -> list[NewJob]:
    """The jobs that can take the place of old ones."""
    parsed = []
    for job in old:
        try:
            parsed.append((job, preparer.parse_again(job)))
        except ServiceError:
            continue
    checked = preparer.check([params for _, params in parsed], again=True)
    return [
        _again(preparer, job, each)
        for (job, _), each in zip(parsed, checked, strict=True)
        if not isinstance(each, ParamsError)
    ]


def _again(preparer: Preparer, job: Job, checked: Checked, **columns: str) -> NewJob:
    return preparer.new_job(
        checked,
        batch_id=job.batch_id,
        reproducible=job.reproducible,
        batch_line=job.batch_line,
        custom_id=job.custom_id,
        priority=job.priority,
        retry_of=job.id,
        request_id=current_request_id() or job.request_id,
        **columns,
    )


def _replace(connection: Connection, job_ids: Sequence[str]) -> set[str]:
    """Take the places of ended jobs from them. Returns the ids of those that had theirs yet."""
    had = (jobs.c.id.in_(job_ids), jobs.c.batch_line.is_not(None), jobs.c.state.in_(TERMINAL))
    statement = update(jobs).where(*had).values(batch_line=None).returning(jobs.c.id)
    return set(connection.execute(statement).scalars())


def _take_refused(connection: Connection, batch: Batch, corrected: Sequence[NewJob]) -> list[NewJob]:
    """Those of the jobs whose lines are still refused, which they are not any more."""
    mine = (
        batch_refusals.c.batch_id == batch.id,
        batch_refusals.c.line.in_([new.batch_line for new in corrected]),
    )
    gone = delete(batch_refusals).where(*mine).returning(batch_refusals.c.line)
    lines = set(connection.execute(gone).scalars())
    return [new for new in corrected if new.batch_line in lines]


def retry_entry(
    engine: Engine, preparer: Preparer, batch_id: str, job: Job, request: Keyed | None = None
) -> Job:
    """A new job in the place of an entry that has ended; its batch runs again.

    Raises JobNotEnded, EntryRetried, UnknownBatch; ParamsError for pictures that no longer exist, and
    NeedsGone for those that are deleted at this moment.
    """
    if not job.ended:
        raise JobNotEnded(job.id)
    checked = preparer.check_one(preparer.parse_again(job), again=True)
    new = _again(preparer, job, checked, **columns_of(request))
    runs = {"state": BatchState.RUNNING, "finished_at": None}
    mine = (batches.c.id == batch_id, batches.c.delete_requested_at.is_(None))
    with write(engine) as connection:
        # One that was cancelled is resumed by nobody.
        paused = and_(batches.c.paused, batches.c.cancel_requested_at.is_(None)).label("paused")
        statement = update(batches).where(*mine).values(**runs).returning(paused)
        row = connection.execute(statement).first()
        if row is None:
            raise UnknownBatch(batch_id)
        if not _replace(connection, [job.id]):
            raise EntryRetried(job.id)
        (new_id,) = insert_jobs(connection, batch_id, [replace(new, paused=row.paused)])
        return read_job(connection, new_id)
