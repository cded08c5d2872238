"""The SQL statements about batches that the API needs. Those of the keeper are beside it."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from app.batches.batch import Batch, BatchState
from app.batches.errors import PicturesDeleted, UnknownBatch
from app.batches.tables import batches
from app.database.engine import IN_ONE, now, read, write
from app.database.keys import Keyed, columns_of, find_made
from app.jobs.errors import NeedsGone
from app.jobs.needs import lock_pictures
from app.jobs.tables import jobs


def add_batch(
    engine: Engine, values: dict[str, Any], request: Keyed | None, pictures: Collection[str] = ()
) -> tuple[Batch, bool]:
    """Write the row of a running batch whose lines name some pictures. Returns it, and whether it is new.

    It is not if the same request has come before. Raises KeyReused; PicturesDeleted, also for pictures of a
    batch that is being deleted.
    """
    fresh = {"state": BatchState.RUNNING, "next_line": 1, "next_offset": 0, "revision": 0, "applied": 0}
    values = {**fresh, **values, **columns_of(request), "created_at": now()}
    statement = insert(batches).values(**values).returning(*batches.c)
    try:
        with write(engine) as connection:
            # In the order in which a batch is deleted.
            lock_makers(connection, pictures)
            lock_pictures(connection, pictures)
            return Batch.from_row(connection.execute(statement).mappings().one()), True
    except NeedsGone as error:
        raise PicturesDeleted(error.references) from None
    except IntegrityError:
        earlier = find_made_batch(engine, request)
        if earlier is None:
            raise
        return earlier, False


def lock_makers(connection: Connection, references: Collection[str]) -> None:
    """Keep the batches whose jobs made some pictures until the transaction ends.

    Raises NeedsGone if one of them is being deleted.
    """
    made = sorted(each for each in references if "/" in each)
    for start in range(0, len(made), IN_ONE):
        by_owner = {each.partition("/")[0]: each for each in made[start : start + IN_ONE]}
        makers = select(jobs.c.batch_id).where(jobs.c.id.in_(by_owner))
        rows = select(batches.c.id).where(batches.c.id.in_(makers)).order_by(batches.c.id)
        connection.execute(rows.with_for_update(read=True))
        # A statement of its own, which on PostgreSQL sees what was committed while the lock was awaited.
        hidden = select(batches.c.id).where(batches.c.delete_requested_at.is_not(None))
        gone = makers.with_only_columns(jobs.c.id).where(jobs.c.batch_id.in_(hidden))
        if owners := connection.execute(gone).scalars().all():
            raise NeedsGone(sorted(by_owner[each] for each in owners))


def has_key(engine: Engine, key: str) -> bool:
    """Whether a request that made a batch had this key."""
    with read(engine) as connection:
        query = select(batches.c.id).where(batches.c.idempotency_key == key)
        return connection.execute(query).first() is not None


def find_made_batch(engine: Engine, request: Keyed | None) -> Batch | None:
    """The batch that the same request made before. Raises KeyReused."""
    row = find_made(engine, batches, request)
    return None if row is None else Batch.from_row(row)


def get_batch(engine: Engine, batch_id: str) -> Batch:
    """The batch of an id. Raises UnknownBatch, also for one that is being deleted."""
    with read(engine) as connection:
        return read_batch(connection, batch_id)


def read_batch(connection: Connection, batch_id: str) -> Batch:
    """The same in a transaction."""
    query = select(batches).where(batches.c.id == batch_id, batches.c.delete_requested_at.is_(None))
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownBatch(batch_id)
    return Batch.from_row(row)


def list_batches(
    engine: Engine, *, limit: int, before: str | None = None, states: Sequence[BatchState] = ()
) -> list[Batch]:
    """Batches older than the batch ``before``, newest first."""
    query = select(batches).where(batches.c.delete_requested_at.is_(None))
    if before is not None:
        query = query.where(batches.c.id < before)
    if states:
        query = query.where(batches.c.state.in_(states))
    with read(engine) as connection:
        rows = connection.execute(query.order_by(batches.c.id.desc()).limit(limit)).mappings()
        return [Batch.from_row(row) for row in rows]


def entries_of(batch_id: str) -> tuple[ColumnElement[bool], ...]:
    """What holds of the jobs that are entries of a batch now."""
    return (jobs.c.batch_id == batch_id, jobs.c.batch_line.is_not(None))
