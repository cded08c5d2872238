"""The register of workers that are alive and ready to run jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update

from app.database.engine import now, read, write
from app.workers.tables import workers

# A worker counts as alive for this long after its last heartbeat, of which it sends one every 5 s.
ALIVE_SECONDS = 20.0


@dataclass(frozen=True)
class Worker:
    """A worker process on the register. Times are seconds since 1970."""

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
    """Add a worker to the register."""
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


def heartbeat(engine: Engine, worker_id: str) -> bool:
    """Note that a worker is alive now. False if it is not on the register, or not any more."""
    with write(engine) as connection:
        seen = update(workers).where(workers.c.worker_id == worker_id).values(seen_at=now())
        return connection.execute(seen).rowcount > 0


def try_to_write(engine: Engine) -> None:
    """Write to the register as a heartbeat does, and leave it as it was. Raises what a heartbeat would."""
    row = {"worker_id": "probe", "lanes": [], "device": "", "host": "", "pid": 0}
    with write(engine) as connection:
        connection.execute(insert(workers).values(**row, started_at=now(), seen_at=now()))
        connection.execute(delete(workers).where(workers.c.worker_id == "probe"))


def unregister(engine: Engine, worker_id: str) -> None:
    """Remove a worker and its children from the register."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(_is_or_is_child_of(worker_id)))


def children_of(engine: Engine, worker_id: str) -> list[Worker]:
    """The worker of an id, and the workers whose ids have it as a prefix."""
    with read(engine) as connection:
        rows = connection.execute(select(workers).where(_is_or_is_child_of(worker_id))).mappings()
        return [Worker(**row) for row in rows]


def _is_or_is_child_of(worker_id: str) -> ColumnElement[bool]:
    name = workers.c.worker_id
    return (name == worker_id) | name.startswith(f"{worker_id}:", autoescape=True)


def list_alive(engine: Engine, seconds: float = ALIVE_SECONDS) -> list[Worker]:
    """Workers whose last heartbeat is at most ``seconds`` old."""
    query = select(workers).where(workers.c.seen_at > now() - seconds).order_by(workers.c.worker_id)
    with read(engine) as connection:
        return [Worker(**row) for row in connection.execute(query).mappings()]


def prune(engine: Engine, seconds: float) -> None:
    """Remove workers whose last heartbeat is older than ``seconds``."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(workers.c.seen_at < now() - seconds))
