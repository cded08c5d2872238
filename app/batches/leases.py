"""Which keeper works which batch off, and the row lock that each of its transactions begins with."""

from sqlalchemy import ColumnElement, Connection, Engine, and_, null, or_, select, update

from app.batches.batch import Batch, BatchState
from app.batches.tables import batches
from app.database.engine import now, read, write

# A keeper that was silent this long has lost its batches. A chunk takes less than a second.
LEASE_SECONDS = 10.0
# None that was given ends later, unless the clock was set back since.
LONGEST_SECONDS = 10 * LEASE_SECONDS

# What a keeper needs: all but the matrix, which may have megabytes of labels, and is None in its batches.
_COLUMNS = (*(column for column in batches.c if column is not batches.c.matrix), null().label("matrix"))

# What a keeper has to do something about.
_HAS_WORK = or_(
    batches.c.delete_requested_at.is_not(None),
    batches.c.applied < batches.c.revision,
    batches.c.retry_line.is_not(None),
    and_(
        batches.c.state == BatchState.RUNNING,
        batches.c.cancel_requested_at.is_(None),
        batches.c.next_line <= batches.c.lines,
    ),
)


def _is_free(worker_id: str) -> ColumnElement[bool]:
    return or_(
        batches.c.worker_id.is_(None),
        batches.c.worker_id == worker_id,
        batches.c.lease_until < now(),
        # It is of a time before the database's clock was set back.
        batches.c.lease_until > now() + LONGEST_SECONDS,
    )


def find_work(engine: Engine, worker_id: str) -> list[Batch]:
    """The batches that a keeper may work off, oldest first."""
    query = select(*_COLUMNS).where(_HAS_WORK, _is_free(worker_id)).order_by(batches.c.id)
    with read(engine) as connection:
        return [Batch.from_row(row) for row in connection.execute(query).mappings()]


def take(engine: Engine, batch_id: str, worker_id: str) -> Batch | None:
    """Take the lease of a batch by compare-and-set; None if another keeper was first, or nothing is to do."""
    statement = update(batches).where(batches.c.id == batch_id, _HAS_WORK, _is_free(worker_id))
    with write(engine) as connection:
        leased = statement.values(worker_id=worker_id, lease_until=now() + LEASE_SECONDS)
        row = connection.execute(leased.returning(*_COLUMNS)).mappings().first()
    return None if row is None else Batch.from_row(row)


def release(engine: Engine, worker_id: str) -> None:
    """Give back the batches of a keeper for which nothing is left to do."""
    held = and_(batches.c.worker_id == worker_id, ~_HAS_WORK)
    with read(engine) as connection:
        if connection.execute(select(batches.c.id).where(held)).first() is None:
            return
    with write(engine) as connection:
        connection.execute(update(batches).where(held).values(worker_id=None, lease_until=None))


def release_all(engine: Engine, worker_id: str) -> None:
    """Give back all batches of a keeper that ends."""
    mine = update(batches).where(batches.c.worker_id == worker_id)
    with write(engine) as connection:
        connection.execute(mine.values(worker_id=None, lease_until=None))


def lock(connection: Connection, batch: Batch, *conditions: ColumnElement[bool]) -> Batch | None:
    """Lock the row of a leased batch, and extend the lease. Returns it as it is now.

    None if the lease was lost, or a condition does not hold: then nothing may be written.
    """
    mine = (batches.c.id == batch.id, batches.c.worker_id == batch.worker_id, *conditions)
    statement = update(batches).where(*mine).values(lease_until=now() + LEASE_SECONDS)
    row = connection.execute(statement.returning(*_COLUMNS)).mappings().first()
    return None if row is None else Batch.from_row(row)
