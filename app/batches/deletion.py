"""Deletes batches: hidden at once, their jobs and files in chunks after that."""

from collections.abc import Sequence
from functools import partial

from sqlalchemy import ColumnElement, Connection, Engine, delete, exists, func, select, update
from sqlalchemy.exc import DBAPIError

from app.batches.batch import Batch, BatchState
from app.batches.errors import BatchNotEnded, UnknownBatch
from app.batches.leases import lock
from app.batches.repository import read_batch
from app.batches.spool import spool_key
from app.batches.tables import batches
from app.database.engine import may_have_space_of_files, now, read, write
from app.database.removal import Deletion, delete_files, remove
from app.jobs.errors import JobInUse
from app.jobs.leftovers import delete_unknown
from app.jobs.needs import NAMED, Keep, nothing_kept
from app.jobs.retention import IS_NEEDED
from app.jobs.states import TERMINAL
from app.jobs.storage_keys import delete_job_files
from app.jobs.tables import artifacts, job_pictures, jobs
from app.storage import Storage
from app.storage.folder import DAY_SECONDS

_MADE = jobs.alias("made")
# Jobs deleted in one transaction, with all that belongs to them.
CHUNK = 500


def request_delete(engine: Engine, storage: Storage, batch_id: str, keep: Keep = nothing_kept) -> None:
    """Have a batch that has ended deleted, with its jobs.

    Raises UnknownBatch, BatchNotEnded; JobInUse if jobs outside it that have not ended need its pictures; and
    what ``keep`` raises.
    """
    _require_unneeded(engine, batch_id)
    try:
        _hide(engine, batch_id, keep)
    except DBAPIError as error:
        if not may_have_space_of_files(error):
            raise
        _hide_without_space(engine, storage, batch_id, keep, error)


def _hide_without_space(
    engine: Engine, storage: Storage, batch_id: str, keep: Keep, error: DBAPIError
) -> None:
    """Delete files of a batch until the database has the space to note that it is gone."""
    with read(engine) as connection:
        if not read_batch(connection, batch_id).ended:
            raise BatchNotEnded(batch_id)
        keep(connection, batch_id)
    last = ""
    while job_ids := _some_jobs(engine, batch_id, after=last):
        delete_files(*_files_of(storage, job_ids))
        last = job_ids[-1]
        try:
            return _hide(engine, batch_id, keep)
        except DBAPIError as again:
            error = again
            if not may_have_space_of_files(error):
                break
    raise error


def _hide(engine: Engine, batch_id: str, keep: Keep) -> None:
    """Note that a batch is to be deleted. Raises UnknownBatch, BatchNotEnded, and what ``keep`` raises."""
    kept = (batches.c.id == batch_id, batches.c.delete_requested_at.is_(None))
    # The key is free again at once.
    gone = {"delete_requested_at": now(), "idempotency_key": None}
    with write(engine) as connection:
        state = connection.execute(select(batches.c.state).where(*kept).with_for_update()).scalar()
        if state is None:
            raise UnknownBatch(batch_id)
        if state == BatchState.RUNNING:
            raise BatchNotEnded(batch_id)
        keep(connection, batch_id)
        connection.execute(update(batches).where(*kept).values(**gone))


def _require_unneeded(engine: Engine, batch_id: str) -> None:
    with read(engine) as connection:
        _require_none_needs(connection, _MADE.c.batch_id == batch_id)


def _require_none_needs(connection: Connection, which: ColumnElement[bool]) -> None:
    """Raises JobInUse if jobs that have not ended need pictures of some jobs, which are rows of ``_MADE``.

    No other one of a batch that has ended can be among them.
    """
    query = (
        select(jobs.c.id)
        .distinct()
        .select_from(_MADE)
        .join(artifacts, artifacts.c.job_id == _MADE.c.id)
        .join(job_pictures, job_pictures.c.reference == artifacts.c.job_id + "/" + artifacts.c.name)
        .join(jobs, jobs.c.id == job_pictures.c.job_id)
        .where(which, jobs.c.state.not_in(TERMINAL), func.coalesce(jobs.c.batch_id, "") != _MADE.c.batch_id)
        .limit(NAMED)
    )
    if users := connection.execute(query).scalars().all():
        raise JobInUse(users)


def ended_before(engine: Engine, seconds: float, skip: int, limit: int) -> Sequence[str]:
    """Ids of batches that ended more than ``seconds`` ago, but the first."""
    query = (
        select(batches.c.id)
        .where(
            batches.c.state != BatchState.RUNNING,
            batches.c.delete_requested_at.is_(None),
            batches.c.finished_at < now() - seconds,
        )
        .order_by(batches.c.id)
        .offset(skip)
        .limit(limit)
    )
    with read(engine) as connection:
        return connection.execute(query).scalars().all()


def delete_chunk(engine: Engine, storage: Storage, batch: Batch) -> None:
    """Delete some jobs of a batch with all that they made; after the last, the batch itself.

    Raises JobInUse as long as jobs that were submitted since the batch was hidden need what is left.
    """
    if job_ids := _some_jobs(engine, batch.id):
        remove(lambda: _delete_jobs(engine, batch, job_ids), *_files_of(storage, job_ids))
    else:
        _require_unneeded(engine, batch.id)
        remove(lambda: _delete_batch(engine, batch), lambda: storage.delete(spool_key(batch.id)))


def _some_jobs(engine: Engine, batch_id: str, after: str = "") -> Sequence[str]:
    """Ids of the next jobs that a batch ever had, but for those that others need now."""
    mine = (jobs.c.batch_id == batch_id, jobs.c.id > after, ~IS_NEEDED)
    with read(engine) as connection:
        return (
            connection.execute(select(jobs.c.id).where(*mine).order_by(jobs.c.id).limit(CHUNK))
            .scalars()
            .all()
        )


def _delete_jobs(engine: Engine, batch: Batch, job_ids: Sequence[str]) -> None:
    with write(engine) as connection:
        if lock(connection, batch) is not None:
            # Locked, so that of this and a submit at this moment one sees what the other did.
            made = select(artifacts.c.name).where(artifacts.c.job_id.in_(job_ids))
            connection.execute(made.order_by(artifacts.c.job_id, artifacts.c.name).with_for_update())
            _require_none_needs(connection, _MADE.c.id.in_(job_ids))
            connection.execute(delete(jobs).where(jobs.c.id.in_(job_ids)))


def _files_of(storage: Storage, job_ids: Sequence[str]) -> list[Deletion]:
    return [partial(delete_job_files, storage, job_id) for job_id in job_ids]


def _delete_batch(engine: Engine, batch: Batch) -> None:
    with write(engine) as connection:
        is_empty = ~exists().where(jobs.c.batch_id == batch.id)
        connection.execute(delete(batches).where(batches.c.id == batch.id, is_empty))


def delete_leftover_spools(engine: Engine, storage: Storage, older_than: float = DAY_SECONDS) -> int:
    """Delete files of lines whose batch never got its row, and that are older than that; returns how many."""
    return delete_unknown(engine, storage, batches, spool_key, storage.delete, older_than)
