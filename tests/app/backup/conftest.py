"""Services that are backed up, and places to restore them to."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from app.database.engine import make_engine
from app.settings import Settings, sqlite_url
from tests.support.batch_context import BatchContext
from tests.support.databases import put_migrated
from tests.support.postgres import PostgresServer


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Where a backup is restored: nothing is there yet."""
    with ExitStack() as stack:
        url = None
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            url = stack.enter_context(server.database())
        yield Settings(data_dir=tmp_path / "restored", database_url=url)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[BatchContext]:
    """A service in a folder, as `impasto serve` makes it."""
    put_migrated(tmp_path / "data/impasto.db")
    engine = make_engine(sqlite_url(tmp_path / "data/impasto.db"))
    context = BatchContext(engine, tmp_path / "data")
    context.add_image()
    yield context
    engine.dispose()
