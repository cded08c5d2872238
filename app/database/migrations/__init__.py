"""Alembic migrations of the database."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy.engine import URL


def configuration(url: str | URL) -> Config:
    """Alembic's configuration for a database, without an ini file."""
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
    command.upgrade(configuration(url), "head")
