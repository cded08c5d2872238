"""Copies of a whole database: of any into an SQLite file, and of such a file into any."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, delete, func, insert, select
from sqlalchemy.exc import DBAPIError

from app.backup.manifest import BackupError
from app.batches import tables as batches
from app.database import keys
from app.database.engine import make_engine, read, read_moment, write
from app.database.metadata import metadata
from app.database.migrations import upgrade
from app.datasets import tables as datasets
from app.images import tables as images
from app.jobs import tables as jobs
from app.networks import tables as networks
from app.settings import sqlite_url
from app.storage.folder import FULL
from app.workers import tables as workers

# All modules of tables, so that the metadata know them.
TABLE_MODULES = (batches, datasets, images, jobs, keys, networks, workers)

# Rows read and written at a time.
PAGE = 1000
# What only a service that has been used has.
_OF_USE = (jobs.jobs, images.images, datasets.datasets, networks.networks, batches.batches)
ELSEWHERE = (
    "nothing is replaced: move it away, or name another one with IMPASTO_DATA_DIR or IMPASTO_DATABASE_URL."
)


def snapshot(engine: Engine, path: Path) -> None:
    """Copy a database at one moment into an SQLite file that is not there; others write meanwhile.

    The tables are those of the newest revision. Raises BackupError if the file cannot be written; one of
    UNAVAILABLE.
    """
    with written(path):
        if engine.dialect.name == "sqlite":
            with closing(engine.raw_connection()) as connection:
                connection.cursor().execute("VACUUM INTO ?", (str(path),))
        else:
            _copy_all(engine, path)
        sync_file(path)


def _copy_all(engine: Engine, path: Path) -> None:
    upgrade(sqlite_url(path))
    copy = make_engine(sqlite_url(path))
    try:
        with read_moment(engine) as source, write(copy) as target:
            copy_rows(source, target)
    finally:
        copy.dispose()


@contextmanager
def written(path: Path) -> Iterator[None]:
    """Make an SQLite file; nothing of it stays if that fails. What SQLite raises becomes a BackupError."""
    try:
        yield
    except BaseException as error:
        remove_database(path)
        cause = error.orig if isinstance(error, DBAPIError) else error
        if _is_full(cause):
            raise BackupError(f"The disk of {path.parent} is full: choose another one.") from error
        if isinstance(cause, sqlite3.Error):
            raise BackupError(f"The database cannot be copied to {path}: {cause}.") from error
        raise


def _is_full(error: BaseException | None) -> bool:
    if isinstance(error, sqlite3.Error):
        return error.sqlite_errorcode == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in FULL


def remove_database(path: Path) -> None:
    """Delete an SQLite file, if it is there, with its logs."""
    path.unlink(missing_ok=True)
    remove_logs(path)


def remove_logs(path: Path) -> None:
    """Delete the logs of an SQLite file, which must not be taken for those of one that replaces it."""
    for suffix in ("-wal", "-shm", "-journal"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def sync_file(path: Path) -> None:
    """Flush a file to the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())


def load(path: Path, url: str | URL) -> None:
    """Copy an SQLite file of the newest revision into a database of that revision, all of it or nothing.

    What a service without jobs and pictures has left in it is replaced. Raises BackupError if it has some.
    """
    source_engine, engine = make_engine(sqlite_url(path)), make_engine(url, statement_seconds=0)
    try:
        with read(source_engine) as source, write(engine) as target:
            require_unused(target)
            for table in reversed(metadata.sorted_tables):
                # Those of use are empty, and stay so but for what comes at this moment, which is not lost.
                if table not in _OF_USE:
                    target.execute(delete(table))
            copy_rows(source, target)
    finally:
        source_engine.dispose()
        engine.dispose()


def copy_rows(source: Connection, target: Connection) -> None:
    """Copy the rows of all tables, those that others refer to first."""
    for table in metadata.sorted_tables:
        found = source.execution_options(yield_per=PAGE).execute(select(table))
        for page in found.mappings().partitions():
            target.execute(insert(table), [dict(row) for row in page])


def count_rows(connection: Connection) -> dict[str, int]:
    """How many jobs, pictures and so on there are, by table."""
    return {
        table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
        for table in _OF_USE
    }


def require_unused(connection: Connection) -> None:
    """Raise BackupError if there are jobs, pictures and so on."""
    found = ", ".join(f"{count:,} {table}" for table, count in count_rows(connection).items() if count)
    if found:
        name = connection.engine.url.render_as_string(hide_password=True)
        raise BackupError(f"{name} is in use ({found}), and {ELSEWHERE}")
