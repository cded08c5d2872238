"""Alembic migrations of the database."""

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy.engine import URL

from app.database.engine import make_engine
from app.database.schema import schema_of

if TYPE_CHECKING:
    from alembic.config import Config


def configuration(url: str | URL) -> "Config":
    """Alembic's configuration for a database, without an ini file."""
    from alembic.config import Config  # takes 10 MB, and there is seldom something to migrate

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.attributes["url"] = url
    return config


def upgrade(url: str | URL) -> None:
    """Migrate a database to the newest revision, one process at a time. An SQLite file is created if missing.

    Raises SchemaMismatch if a newer release has migrated it. Only the API and `impasto serve` migrate the
    database of a service: workers and commands check it, and leave it as it is. Commands without a service
    call this on that of a data folder which no service uses, `impasto restore` on an empty one.
    """
    engine = make_engine(url)
    try:
        if schema_of(engine).state == "current":
            return
    finally:
        engine.dispose()
    from alembic import command

    command.upgrade(configuration(url), "head")
