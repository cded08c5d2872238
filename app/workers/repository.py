"""The register of living workers: who is ready to run jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update

from app.database.engine import now, read, write
from app.workers.tables import workers


@dataclass(frozen=True)
class Worker:
    """A worker process that said it was there."""

    worker_id: str
    lanes: list[str]
    device: str
    host: str
    pid: int
    started_at: float
    seen_at: float


def register(
    engine: Engine, *, worker_id: str, lanes: Sequence[str], device: str, host: str, pid: int
) -> None:
    """Say that a worker is ready."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(workers.c.worker_id == worker_id))
        connection.execute(
            insert(workers).values(
                worker_id=worker_id,
                lanes=list(lanes),
                device=device,
                host=host,
                pid=pid,
                started_at=now(),
                seen_at=now(),
            )
        )


def heartbeat(engine: Engine, worker_id: str) -> None:
    """Say that a worker still lives."""
    with write(engine) as connection:
        connection.execute(update(workers).where(workers.c.worker_id == worker_id).values(seen_at=now()))


def unregister(engine: Engine, worker_id: str) -> None:
    """Take a worker, and those that are named after it, off the register."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(_named_after(worker_id)))


def children_of(engine: Engine, worker_id: str) -> list[Worker]:
    """The workers on the register that are named after a supervised process."""
    with read(engine) as connection:
        rows = connection.execute(select(workers).where(_named_after(worker_id))).mappings()
        return [Worker(**row) for row in rows]


def _named_after(worker_id: str) -> ColumnElement[bool]:
    name = workers.c.worker_id
    return (name == worker_id) | name.startswith(f"{worker_id}:", autoescape=True)


def list_alive(engine: Engine, seconds: float) -> list[Worker]:
    """Workers that were seen in the last ``seconds``."""
    query = select(workers).where(workers.c.seen_at > now() - seconds).order_by(workers.c.worker_id)
    with read(engine) as connection:
        return [Worker(**row) for row in connection.execute(query).mappings()]


def prune(engine: Engine, seconds: float) -> None:
    """Take off the register all that were not seen for ``seconds``."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(workers.c.seen_at < now() - seconds))
