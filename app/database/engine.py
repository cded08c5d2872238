"""Engines for SQLite and PostgreSQL, and where they differ: clocks, write locks and reads."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Dialect, Engine, Float, create_engine, event, select
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError, SQLAlchemyError, TimeoutError
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.sql.functions import FunctionElement

# How long a write waits for another process's write transaction on SQLite.
BUSY_SECONDS = 30.0
# An unreachable PostgreSQL must not block a request for as long as TCP would.
CONNECT_SECONDS = 5
# PostgreSQL ends the transaction of a frozen process, and releases its locks, after this long.
FROZEN_SECONDS = 20
# A PostgreSQL whose machine has vanished, or the network to it, is noticed after about this long: by what was
# sent and not acknowledged, or by probes of a connection on which nothing is sent.
SILENT_SECONDS = 25
# No statement of the service takes nearly as long, but for those of migrations.
STATEMENT_SECONDS = 30
# A PostgreSQL that is frozen, so that it ends no statement either, is noticed after so many more.
GRACE_SECONDS = 5
# Connections to PostgreSQL of a process that computes: it runs jobs in one thread, and sends heartbeats in
# two others, which hold a connection for some milliseconds.
WORKER_CONNECTIONS = 2
# Of one that watches others, in a single thread: the supervisor of `impasto worker`, and the parent of each
# of its Celery workers.
WATCH_CONNECTIONS = 1
# How long a thread waits for one.
POOL_SECONDS = 10.0
# Those of an SQLite file, which are no more than open files.
SQLITE_CONNECTIONS = 40
# What PostgreSQL says, in the classes of other errors, where it is to be reached again: it became a replica,
# and sessions that it ended for doing nothing in a transaction, or at all.
AWAY_STATES = ("25006", "25P03", "57P05")
# On SQLite a commit is over once the disk has it, so that it outlasts a loss of power.
SYNCHRONOUS = "FULL"


# How an engine of :func:`make_engine` says that the database cannot be used now, and perhaps can soon: it is
# away, full, locked, or no connection is free. Whoever decides by that asks for these alone; a loop that must
# go on whatever fails catches every SQLAlchemyError, and says what it could not do.
UNAVAILABLE = (OperationalError, TimeoutError)


def reason_of(error: SQLAlchemyError) -> str:
    """What the driver says of an error, without the statement."""
    return str(error.orig if isinstance(error, DBAPIError) else error).strip()


# Parameters of one statement: SQLite takes 32,766.
IN_ONE = 500


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


def may_have_space_of_files(error: DBAPIError) -> bool:
    """Whether the database is full, and files that are deleted may give it space: SQLite's lies among them.

    PostgreSQL's disk may be another one, on which it would lack the space as before.
    """
    return is_disk_full(error) and isinstance(error.orig, sqlite3.Error)


def is_locked(error: SQLAlchemyError) -> bool:
    """Whether another process holds the write lock of an SQLite file for too long."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    # The last byte says which error it is, those before it say more.
    return isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def make_engine(
    url: str | URL, connections: int = WORKER_CONNECTIONS, statement_seconds: int = STATEMENT_SECONDS
) -> Engine:
    """An engine for ``sqlite:///...`` (WAL, full synchronous) or ``postgresql+psycopg://...``.

    It has so many ``connections`` to PostgreSQL at most, whose statements take ``statement_seconds`` at most,
    and GRACE_SECONDS more if it is frozen; 0: as long as they like. If the database cannot be used it raises
    one of UNAVAILABLE, whatever the driver says: OperationalError, or TimeoutError if no connection is free
    in time.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
        limits = {
            "idle_in_transaction_session_timeout": FROZEN_SECONDS,
            "statement_timeout": statement_seconds,
        }
        engine = create_engine(
            parsed,
            connect_args={
                "connect_timeout": CONNECT_SECONDS,
                "options": " ".join(f"-c {name}={seconds}s" for name, seconds in limits.items()),
                "keepalives_idle": 10,
                "keepalives_interval": 5,
                "keepalives_count": 3,
                "tcp_user_timeout": SILENT_SECONDS * 1000,
            },
            pool_pre_ping=True,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=POOL_SECONDS,
        )
        event.listen(engine, "do_connect", partial(_connect, statement_seconds))
        event.listen(engine, "handle_error", _as_away, retval=True)
        return engine
    if parsed.database and parsed.database != ":memory:":
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, connect_args={"timeout": BUSY_SECONDS}, pool_size=SQLITE_CONNECTIONS)
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    event.listen(engine, "handle_error", _as_wrong, retval=True)
    return engine


def _connect(
    statement_seconds: int, dialect: Dialect, record: ConnectionPoolEntry, args: Any, options: Any
) -> Any:
    # Not at the head: most processes that use SQLite never need the driver.
    from app.database.bounded_connection import BoundedConnection

    connection = BoundedConnection.connect(*args, **options)
    connection.answer_seconds = statement_seconds + GRACE_SECONDS if statement_seconds else None
    return connection


def _as_away(context: ExceptionContext) -> BaseException | None:
    """OperationalError, if another one says that PostgreSQL cannot be reached; None: the error stays."""
    cause = context.original_exception
    is_away = context.is_disconnect or getattr(cause, "sqlstate", None) in AWAY_STATES
    if not is_away or isinstance(context.sqlalchemy_exception, OperationalError):
        return None
    # All connections of the pool are opened anew.
    context.is_disconnect = True
    return OperationalError(context.statement, None, cause, connection_invalidated=True)


def _as_wrong(context: ExceptionContext) -> BaseException | None:
    """ProgrammingError for a statement that SQLite cannot run, such as one of a table that there is not.

    Its driver calls that an OperationalError, as it does what passes.
    """
    cause = context.original_exception
    is_wrong = isinstance(cause, sqlite3.OperationalError) and cause.sqlite_errorcode == sqlite3.SQLITE_ERROR
    return ProgrammingError(context.statement, None, cause) if is_wrong else None


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


@contextmanager
def read_moment(engine: Engine) -> Iterator[Connection]:
    """A connection for reading whose statements all see one moment, as on SQLite those of :func:`read` do.

    For what is put together from several: else a row that one of them is to find, and that changes between
    two, may be in none of them, or in both.
    """
    at_once = engine
    if engine.dialect.name == "postgresql":
        at_once = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with at_once.connect() as connection, connection.begin():
        yield connection


def current_time(engine: Engine) -> float:
    """The database's clock: seconds since 1970."""
    with read(engine) as connection:
        return float(connection.execute(select(now())).scalar_one())
