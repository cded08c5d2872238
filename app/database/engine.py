"""Engines for SQLite and PostgreSQL, and where they differ: clocks, write locks and reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Float, create_engine, event, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.functions import FunctionElement

# How long a write waits for another process's write transaction on SQLite.
BUSY_SECONDS = 30.0
# An unreachable PostgreSQL must not block a request for as long as TCP would.
CONNECT_SECONDS = 5
# PostgreSQL ends the transaction of a frozen process, and releases its locks, after this long.
FROZEN_SECONDS = 20
# As many as the API has threads for requests. More would be opened and closed for each use, which under load
# costs more than everything else together.
POOL_SIZE = 40
# On SQLite a commit is over once the disk has it, so that it outlasts a loss of power.
SYNCHRONOUS = "FULL"


class now(FunctionElement[float]):
    """Seconds since 1970 by the database's clock, so that clocks of machines may differ."""

    type = Float()
    inherit_cache = True
    name = "now_epoch"


@compiles(now, "sqlite")
def _now_sqlite(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(element: Any, compiler: Any, **kw: Any) -> str:
    return "EXTRACT(EPOCH FROM clock_timestamp())::double precision"


def is_disk_full(error: DBAPIError) -> bool:
    """Whether the database could not write for want of space."""
    cause = error.orig
    if isinstance(cause, sqlite3.Error):
        return cause.sqlite_errorcode == sqlite3.SQLITE_FULL
    # PostgreSQL's disk_full.
    return getattr(cause, "sqlstate", None) == "53100"


def make_engine(url: str) -> Engine:
    """An engine for ``sqlite:///...`` (WAL, full synchronous) or ``postgresql+psycopg://...``."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        return create_engine(
            parsed,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "options": f"-c idle_in_transaction_session_timeout={FROZEN_SECONDS}s",
            },
            pool_pre_ping=True,
            pool_size=POOL_SIZE,
        )
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, pool_size=POOL_SIZE)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _configure_sqlite(connection: Any, _record: ConnectionPoolEntry) -> None:
    # Instead of the driver's implicit, deferred BEGIN, _begin_sqlite issues its own.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", f"synchronous={SYNCHRONOUS}", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A read transaction that turns into a write fails at once with SQLITE_BUSY, whatever the time-out.
    writes = connection.get_execution_options().get("impasto_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def write(engine: Engine) -> Iterator[Connection]:
    """A transaction that may write; commits at the end, rolls back on an exception."""
    with engine.execution_options(impasto_write=True).begin() as connection:
        yield connection


@contextmanager
def read(engine: Engine) -> Iterator[Connection]:
    """A connection for reading; on SQLite one transaction.

    On PostgreSQL (READ COMMITTED) each statement sees what is committed by then in any case, so autocommit
    saves two round trips.
    """
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execution_options(isolation_level="AUTOCOMMIT")
        with connection.begin():
            yield connection


def current_time(engine: Engine) -> float:
    """The database's clock: seconds since 1970."""
    with read(engine) as connection:
        return float(connection.execute(select(now())).scalar_one())
