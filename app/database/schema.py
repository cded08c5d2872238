"""Which tables a database has, and whether they are those of this release."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, Engine, column, inspect, select, table

from app.database.engine import read

# Read without Alembic, which takes 10 MB and a quarter of a second in every process. The table is Alembic's,
# and the files of the migrations begin with their revisions.
_ALEMBIC = table("alembic_version", column("version_num"))
_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"


class SchemaMismatch(RuntimeError):
    """The tables are those of another release; the message says of which, and what to do."""


@dataclass(frozen=True)
class Schema:
    """The revision of a database, None if it has no tables, and the newest one that this release knows."""

    revision: str | None
    newest: str

    @property
    def state(self) -> Literal["current", "empty", "older", "newer"]:
        """How the tables are to those of this release; newer: of a revision that it does not know."""
        if self.revision == self.newest:
            return "current"
        if self.revision is None:
            return "empty"
        return "older" if self.revision in revisions() else "newer"

    @property
    def found(self) -> str:
        """Both revisions, in words."""
        tables = "no tables yet" if self.revision is None else f"the tables of revision {self.revision}"
        known = "knows none after" if self.state == "newer" else "has those of"
        return f"it has {tables}; this release ({version('impasto')}) {known} {self.newest}"

    @property
    def remedy(self) -> str:
        """What to do unless the tables are those of this release."""
        if self.state == "newer":
            return "A newer release has migrated it: run that release here too, or restore an earlier backup."
        return "Start the API of this release, which migrates it: `impasto api`, or alone `impasto serve`."


def schema_of(engine: Engine) -> Schema:
    """The schema of a database."""
    with read(engine) as connection:
        return schema_in(connection)


def is_outdated(engine: Engine) -> bool:
    """Whether a newer release has migrated a database: what it writes may name what is not known here."""
    return schema_of(engine).state == "newer"


def schema_in(connection: Connection) -> Schema:
    """The schema of the database of a connection."""
    revision: str | None = None
    if inspect(connection).has_table(_ALEMBIC.name):
        revision = connection.execute(select(_ALEMBIC.c.version_num)).scalar_one_or_none()
    return Schema(revision, revisions()[-1])


def refuse_newer(connection: Connection) -> None:
    """Raise SchemaMismatch if a newer release has migrated the database."""
    schema = schema_in(connection)
    if schema.state == "newer":
        raise mismatch(schema)


def require_current(engine: Engine) -> None:
    """Raise SchemaMismatch unless the tables are those of this release. Migrates nothing."""
    schema = schema_of(engine)
    if schema.state != "current":
        raise mismatch(schema)


def mismatch(schema: Schema) -> SchemaMismatch:
    """The error of a schema that is none of this release's."""
    return SchemaMismatch(f"The database cannot be used: {schema.found}. {schema.remedy}")


@cache
def revisions() -> list[str]:
    """The revisions that this release knows, in their order."""
    return sorted(path.name.partition("_")[0] for path in _MIGRATIONS.glob("[0-9]*_*.py"))
