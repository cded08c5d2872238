"""The SQL statements about batches that the API needs. Those of the keeper are beside it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from app.batches.batch import Batch, BatchState
from app.batches.errors import UnknownBatch
from app.batches.tables import batches
from app.database.engine import now, read, write
from app.jobs.errors import KeyReused
from app.jobs.tables import jobs


def add_batch(engine: Engine, values: dict[str, Any]) -> tuple[Batch, bool]:
    """Write the row of a running batch. Returns it, and whether it is new.

    The same idempotency key with the same payload gives the batch that there is; with another payload it
    raises KeyReused.
    """
    fresh = {"state": BatchState.RUNNING, "next_line": 1, "next_offset": 0, "revision": 0, "applied": 0}
    statement = insert(batches).values(**fresh, **values, created_at=now()).returning(*batches.c)
    try:
        with write(engine) as connection:
            return Batch.from_row(connection.execute(statement).mappings().one()), True
    except IntegrityError:
        earlier = find_by_key(engine, values["idempotency_key"])
        if earlier is None:
            raise
        if earlier.payload_hash != values["payload_hash"]:
            raise KeyReused(values["idempotency_key"]) from None
        return earlier, False


def find_by_key(engine: Engine, key: str | None) -> Batch | None:
    """The batch of an idempotency key."""
    if key is None:
        return None
    with read(engine) as connection:
        row = connection.execute(select(batches).where(batches.c.idempotency_key == key)).mappings().first()
    return None if row is None else Batch.from_row(row)


def get_batch(engine: Engine, batch_id: str) -> Batch:
    """The batch of an id. Raises UnknownBatch, also for one that is being deleted."""
    query = select(batches).where(batches.c.id == batch_id, batches.c.delete_requested_at.is_(None))
    with read(engine) as connection:
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
