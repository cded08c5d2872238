"""Which tables a database has, and whether they are those of this release."""

from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Literal

from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from app.database.engine import read
from app.database.migrations import configuration


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
        return "older" if self.revision in _revisions()[1] else "newer"

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


def schema_in(connection: Connection) -> Schema:
    """The schema of the database of a connection."""
    revision = MigrationContext.configure(connection).get_current_revision()
    return Schema(revision, _revisions()[0])


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
def _revisions() -> tuple[str, frozenset[str]]:
    """The newest revision that this release knows, and all of them."""
    scripts = ScriptDirectory.from_config(configuration(""))
    newest = scripts.get_current_head()
    if newest is None:
        raise RuntimeError("the package has no migrations")
    return newest, frozenset(each.revision for each in scripts.walk_revisions())
