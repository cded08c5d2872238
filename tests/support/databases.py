"""Databases for tests, already migrated: their migrations would be most of a short test."""

import tempfile
from functools import cache
from pathlib import Path

from sqlalchemy import Engine, text

from app.database.engine import write
from app.database.migrations import upgrade


@cache
def _migrated() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "migrated.db"
        upgrade(f"sqlite:///{path}")
        return path.read_bytes()


def put_migrated(path: Path) -> None:
    """Put a fresh SQLite database with the tables of now in a place where there is none."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(_migrated())


def leave_to_a_newer_release(engine: Engine, revision: str = "9999") -> None:
    """Have a database say that a release has migrated it that is newer than this one."""
    with write(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})
