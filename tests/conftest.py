"""Fixtures that tests of every part share."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from sqlalchemy import Engine

from app.database import engine as engines
from app.database.engine import make_engine
from app.settings import Settings
from app.supervision.openmp import let_threads_sleep
from tests.support.databases import put_migrated
from tests.support.postgres import PostgresServer, postgres

pytest_plugins = ("tests.support.sharing_out", "tests.support.skips")

# Before torch is loaded: tests share the machine with the processes that they start.
let_threads_sleep(os.environ)

# A shell has its background jobs ignore the signal, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# No test asserts how long anything takes: an example of Hypothesis has 200 ms by default.
hypothesis.settings.register_profile("impasto", deadline=None)
hypothesis.settings.load_profile("impasto")

# No test cuts the power, and what a process has written outlasts its end in any case. For PostgreSQL alike.
engines.SYNCHRONOUS = "OFF"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    # The name that the test client calls it by.
    return Settings(data_dir=tmp_path / "data", port=0, allowed_hosts="testserver")


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A PostgreSQL server of the tests' own."""
    try:
        with postgres() as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.server)])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A fresh database, migrated: SQLite, and PostgreSQL where it is installed."""
    if request.param == "sqlite":
        put_migrated(tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    with server.database(migrated=True) as url:
        yield url


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = make_engine(database_url)
    yield engine
    engine.dispose()
