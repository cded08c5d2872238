"""Copies of a whole database: of any into an SQLite file, and of such a file into any."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import URL, Connection, Engine, func, insert, select

from app.batches import tables as batches
from app.database import keys
from app.database.engine import make_engine, read, write
from app.database.metadata import metadata
from app.database.migrations import upgrade
from app.datasets import tables as datasets
from app.images import tables as images
from app.jobs import tables as jobs
from app.networks import tables as networks
from app.workers import tables as workers

# All modules of tables, so that the metadata know them.
TABLE_MODULES = (batches, datasets, images, jobs, keys, networks, workers)

# Rows read and written at a time.
PAGE = 1000
# What only a service that has been used has.
_OF_USE = (jobs.jobs, images.images, datasets.datasets, networks.networks, batches.batches)


def snapshot(engine: Engine, path: Path) -> None:
    """Copy a database at one moment into an SQLite file that is not there; others write meanwhile.

    The tables are those of the newest revision. Raises OperationalError, OSError.
    """
    if engine.dialect.name == "sqlite":
        with closing(engine.raw_connection()) as connection:
            connection.cursor().execute("VACUUM INTO ?", (str(path),))
        return
    upgrade(f"sqlite:///{path}")
    copy = make_engine(f"sqlite:///{path}")
    try:
        moment = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        with moment.connect() as source, source.begin(), write(copy) as target:
            copy_rows(source, target)
    finally:
        copy.dispose()


def load(path: Path, url: URL) -> None:
    """Copy an SQLite file of the newest revision into a database that is empty but for its tables."""
    source_engine, engine = make_engine(f"sqlite:///{path}"), make_engine(url, statement_seconds=0)
    try:
        with read(source_engine) as source, write(engine) as target:
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


def count_rows(engine: Engine) -> dict[str, int]:
    """How many jobs, pictures and so on there are, by table."""
    with read(engine) as connection:
        return {
            table.name: connection.execute(select(func.count()).select_from(table)).scalar_one()
            for table in _OF_USE
        }
