"""The end of a batch: when all its entries have ended, and how."""

from sqlalchemy import Connection, Engine, and_, exists, or_, select, update

from app.batches.batch import Batch, BatchState, Counts
from app.batches.summary import count_entries
from app.batches.tables import batches
from app.database.engine import now, read, write
from app.jobs.states import State
from app.jobs.tables import jobs

_OPEN_ENTRY = exists().where(
    jobs.c.batch_id == batches.c.id,
    jobs.c.batch_line.is_not(None),
    jobs.c.state.in_((State.QUEUED, State.RUNNING)),
)
# What holds of a running batch whose entries have all ended.
_OVER = and_(
    batches.c.state == BatchState.RUNNING,
    batches.c.applied == batches.c.revision,
    batches.c.retry_line.is_(None),
    batches.c.delete_requested_at.is_(None),
    or_(batches.c.next_line > batches.c.lines, batches.c.cancel_requested_at.is_not(None)),
    ~_OPEN_ENTRY,
)


def batches_that_are_over(engine: Engine) -> list[str]:
    """Ids of the batches that are running by their rows, but whose entries have all ended."""
    with read(engine) as connection:
        return list(connection.execute(select(batches.c.id).where(_OVER)).scalars())


def settle(engine: Engine, batch_id: str) -> BatchState | None:
    """End a batch whose entries have all ended. Returns how it ended; None if it goes on, or had ended."""
    over = (batches.c.id == batch_id, _OVER)
    with read(engine) as connection:
        # The common case takes no write lock.
        if connection.execute(select(batches.c.id).where(*over)).first() is None:
            return None
    with write(engine) as connection:
        lock = update(batches).where(*over).values(state=batches.c.state).returning(*batches.c)
        row = connection.execute(lock).mappings().first()
        return None if row is None else _end(connection, Batch.from_row(row))


def _end(connection: Connection, batch: Batch) -> BatchState | None:
    # Counted while the row is locked: whoever adds an entry locks it too, perhaps just before.
    counts = count_entries(connection, [batch])[batch.id]
    if counts.waiting or counts.queued or counts.running:
        return None
    state = end_state(batch, counts)
    ended = (
        update(batches)
        .where(batches.c.id == batch.id)
        .values(state=state, finished_at=now(), counts=vars(counts))
    )
    connection.execute(ended)
    return state


def end_state(batch: Batch, counts: Counts) -> BatchState:
    """How a batch has ended whose entries have."""
    if counts.cancelled and (batch.cancel_requested_at is not None or not counts.failed):
        return BatchState.CANCELLED
    return BatchState.FAILED if counts.failed else BatchState.SUCCEEDED
