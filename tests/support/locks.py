"""What a change waits for on PostgreSQL, which locks row by row, and what it has not locked then."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Engine, Select, UpdateBase

from app.database.engine import make_engine, write
from tests.support.batch_context import BatchContext
from tests.support.postgres import PostgresServer

T = TypeVar("T")
# How long a change has for the locks that it can have.
SECONDS = 0.5


@contextmanager
def context_on(server: PostgresServer, folder: Path) -> Iterator[BatchContext]:
    """The services on a PostgreSQL database of a test's own."""
    with server.database(migrated=True) as url:
        engine = make_engine(url, connections=8)
        yield BatchContext(engine, folder / "data")
        engine.dispose()


def change_behind(
    engine: Engine, lock: Select[Any] | UpdateBase, change: Callable[[], T], others: Select[Any]
) -> tuple[T, int]:
    """What a change returns that waits for what ``lock`` locks, and how many of ``others`` are free then."""
    with ThreadPoolExecutor(1) as pool:
        with write(engine) as connection:
            connection.execute(lock)
            future = pool.submit(change)
            with pytest.raises(TimeoutError):
                future.result(SECONDS)
            free = connection.execute(others.with_for_update(skip_locked=True)).all()
        return future.result(), len(free)
