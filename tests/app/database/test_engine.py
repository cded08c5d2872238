"""Engines of a PostgreSQL that goes, is a replica for a while, or ends sessions."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text
from sqlalchemy.exc import OperationalError, ProgrammingError, TimeoutError

from app.database import engine as engines
from app.database.engine import SILENT_SECONDS, make_engine, now, read, write
from tests.support.postgres import PostgresServer, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres() as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> Iterator[str]:
    with server.database() as url:
        yield url


def answers(engine: Engine) -> bool:
    with read(engine) as connection:
        return connection.execute(select(now())).scalar_one() > 0


@pytest.mark.medium
def test_a_transaction_that_was_ended_for_doing_nothing_says_that_the_database_is_away(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "FROZEN_SECONDS", 1)
    engine = make_engine(url)
    with write(engine) as other:
        other.execute(text("CREATE TABLE t (n int)"))
    with pytest.raises(OperationalError), write(engine) as connection:
        connection.execute(select(now()))
        with write(engine) as other:
            other.execute(text("SELECT pg_sleep(1.5)"))
        connection.execute(text("INSERT INTO t VALUES (1)"))
    assert answers(engine)
    engine.dispose()


@pytest.mark.medium
def test_a_database_that_became_a_replica_is_away_and_comes_back(url: str) -> None:
    engine = make_engine(url)
    with write(engine) as connection:
        connection.execute(text("CREATE TABLE t (n int)"))
        # As in a replica, of all transactions from now on.
        connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(OperationalError), write(engine) as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    # The session is not used again: the name may lead to the new primary.
    with write(engine) as connection:
        connection.execute(text("INSERT INTO t VALUES (1)"))
    engine.dispose()


@pytest.mark.medium
def test_other_errors_stay_what_they_are(url: str) -> None:
    engine = make_engine(url)
    with pytest.raises(ProgrammingError), read(engine) as connection:
        connection.execute(text("SELECT * FROM nowhere"))
    engine.dispose()


@pytest.mark.medium
def test_a_statement_ends_and_a_pool_is_bounded(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine(url, statement_seconds=1)
    with pytest.raises(OperationalError, match="timeout"), read(engine) as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    engine.dispose()
    monkeypatch.setattr(engines, "POOL_SECONDS", 0.1)
    engine = make_engine(url, connections=2)
    with read(engine), read(engine), pytest.raises(TimeoutError), read(engine):
        pass
    assert answers(engine)
    engine.dispose()


@pytest.mark.medium
def test_a_silent_connection_is_probed_and_given_up(tmp_path: Path) -> None:
    """By the socket's options: a network that loses everything takes privileges that tests may lack."""
    with postgres(port := _free_port()) as server:
        engine = make_engine(f"postgresql://postgres@127.0.0.1:{port}/postgres")
        assert answers(engine) and server.url
        with engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert driver is not None
            with socket.socket(fileno=socket.dup(driver.fileno())) as used:
                options = [
                    used.getsockopt(level, name)
                    for level, name in (
                        (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
                        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
                        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL),
                        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT),
                        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT),
                    )
                ]
        assert options == [1, 10, 5, 3, SILENT_SECONDS * 1000]
        engine.dispose()


@pytest.mark.medium
def test_a_frozen_server_is_away_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "GRACE_SECONDS", 1)
    monkeypatch.setattr(engines, "CONNECT_SECONDS", 2)
    with postgres() as server:
        engine = make_engine(server.url, statement_seconds=1)
        assert answers(engine)
        with server.frozen(), pytest.raises(OperationalError):
            answers(engine)
        assert answers(engine)
        with pytest.raises(OperationalError, match="did not answer within 2 s"), write(engine) as connection:
            connection.execute(text("CREATE TABLE t (n int)"))
            with server.frozen():
                connection.execute(text("INSERT INTO t VALUES (1)"))
        assert answers(engine)
        # What a statement of a migration takes is nobody's business.
        patient = make_engine(server.url, statement_seconds=0)
        with read(patient) as connection:
            assert connection.execute(text("SELECT count(*) FROM pg_sleep(2.5)")).scalar_one() == 1
        for each in (engine, patient):
            each.dispose()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
