"""The register of living workers: who is ready to run jobs."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, delete, insert, select, update

from app.database.engine import now, read, write
from app.workers.tables import workers


@dataclass(frozen=True)
class Worker:
    """A worker process that said it was there."""

    owner: str
    lanes: list[str]
    device: str
    host: str
    pid: int
    started_at: float
    seen_at: float


def register(engine: Engine, *, owner: str, lanes: Sequence[str], device: str, host: str, pid: int) -> None:
    """Say that a worker is ready."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(workers.c.owner == owner))
        connection.execute(
            insert(workers).values(
                owner=owner,
                lanes=list(lanes),
                device=device,
                host=host,
                pid=pid,
                started_at=now(),
                seen_at=now(),
            )
        )


def seen(engine: Engine, owner: str) -> None:
    """Say that a worker still lives."""
    with write(engine) as connection:
        connection.execute(update(workers).where(workers.c.owner == owner).values(seen_at=now()))


def forget(engine: Engine, owner: str) -> None:
    """Take a worker, and those that are named after it, off the register."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(_named_after(owner)))


def named_after(engine: Engine, owner: str) -> list[Worker]:
    """The workers on the register that are named after a supervised process."""
    with read(engine) as connection:
        rows = connection.execute(select(workers).where(_named_after(owner))).mappings()
        return [Worker(**row) for row in rows]


def _named_after(owner: str) -> ColumnElement[bool]:
    return (workers.c.owner == owner) | workers.c.owner.startswith(f"{owner}:", autoescape=True)


def living(engine: Engine, seconds: float) -> list[Worker]:
    """Workers that were seen in the last ``seconds``."""
    query = select(workers).where(workers.c.seen_at > now() - seconds).order_by(workers.c.owner)
    with read(engine) as connection:
        return [Worker(**row) for row in connection.execute(query).mappings()]


def forget_silent(engine: Engine, seconds: float) -> None:
    """Take off the register all that were not seen for ``seconds``."""
    with write(engine) as connection:
        connection.execute(delete(workers).where(workers.c.seen_at < now() - seconds))
