"""The SQL statements about batches."""

from sqlalchemy import Engine, select

from app.batches.batch import Batch
from app.batches.errors import UnknownBatch
from app.batches.tables import batches
from app.database.engine import read


def get_batch(engine: Engine, batch_id: str) -> Batch:
    """The batch of an id. Raises UnknownBatch, also for one that is being deleted."""
    query = select(batches).where(batches.c.id == batch_id, batches.c.delete_requested_at.is_(None))
    with read(engine) as connection:
        row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownBatch(batch_id)
    return Batch.from_row(row)
