"""The database of a data folder, for commands that use it without a service."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine

from app.cli.serve import failing_on_unusable_data
from app.database.engine import make_engine
from app.database.migrations import upgrade
from app.database.schema import SchemaMismatch, mismatch, schema_of
from app.jobs.stored_files import require_files
from app.settings import Settings
from app.supervision.startup import StartError, claim_data_dir


@contextmanager
def open_database(settings: Settings) -> Iterator[Engine]:
    """The database of these settings; exits with one line if it cannot be used.

    The tables of a data folder are made, or migrated unless a service uses the folder. Those of a database
    that `IMPASTO_DATABASE_URL` names are a service's: they stay as they are, and must be of this release.
    """
    engine = make_engine(settings.resolved_database_url)
    try:
        with failing_on_unusable_data():
            _prepare(settings, engine)
            require_files(settings, engine)
        yield engine
    finally:
        engine.dispose()


def _prepare(settings: Settings, engine: Engine) -> None:
    """Bring the tables of a data folder up to date. Raises SchemaMismatch, one of UNAVAILABLE."""
    schema = schema_of(engine)
    if schema.state == "current":
        return
    if settings.names_database or schema.state == "newer":
        raise mismatch(schema)
    if schema.state == "empty":
        upgrade(settings.resolved_database_url)
        return
    try:
        with claim_data_dir(settings.data_dir):
            upgrade(settings.resolved_database_url)
    except StartError as error:
        raise SchemaMismatch(f"The tables cannot be migrated: {schema.found}. {error}") from error
