"""What PostgreSQL refuses for one batch, whose row another session holds, does not keep others waiting."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select

from app.batches.batch import Batch
from app.batches.repository import get_batch
from app.batches.tables import batches
from app.database.engine import make_engine, write
from app.jobs.states import State
from tests.support.batch_context import BatchContext
from tests.support.postgres import PostgresServer

pytestmark = pytest.mark.server


@pytest.fixture
def other(postgres_server: PostgresServer) -> Iterator[Engine]:
    """A database, by another session than that of the context."""
    with postgres_server.database(migrated=True) as url:
        engine = make_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def context(other: Engine, tmp_path: Path) -> Iterator[BatchContext]:
    engine = make_engine(other.url, statement_seconds=1)
    yield BatchContext(engine, tmp_path / "data")
    engine.dispose()


def keep_while_locked(context: BatchContext, other: Engine, batch: Batch) -> None:
    with write(other) as connection:
        connection.execute(select(batches.c.id).where(batches.c.id == batch.id).with_for_update())
        context.keep()


def test_lines_of_others_become_jobs(context: BatchContext, other: Engine) -> None:
    locked, free = context.create(2), context.create(2)
    keep_while_locked(context, other, locked)
    assert (len(context.states(locked)), len(context.states(free))) == (0, 2)
    context.keep()
    assert len(context.states(locked)) == 2


def test_others_end(context: BatchContext, other: Engine) -> None:
    made = [context.create(1), context.create(1)]
    context.keep()
    context.end(State.SUCCEEDED, 2)
    for locked, free in (made, made[::-1]):
        keep_while_locked(context, other, locked)
        assert get_batch(context.engine, free.id).ended
