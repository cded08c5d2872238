"""Workers and the tables of their database: they wait for those of their release, and end at newer ones."""

import logging
import time
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import UNAVAILABLE, reason_of
from app.database.schema import mismatch, schema_of

log = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
CHECK_SECONDS = 5.0


def await_schema(engine: Engine, is_stopping: Callable[[], bool]) -> None:
    """Return once the tables are those of this release, or ``is_stopping``. Migrates nothing.

    An empty or older database is waited for: an API of this release migrates it. Raises SchemaMismatch if it
    is newer; one of UNAVAILABLE if it cannot be used at first, while later that is waited for too.
    """
    has_answered = False
    while not is_stopping():
        try:
            schema = schema_of(engine)
        except UNAVAILABLE as error:
            if not has_answered:
                raise
            log.warning("the database is unavailable: %s", reason_of(error))
        else:
            has_answered = True
            if schema.state == "newer":
                raise mismatch(schema)
            if schema.state == "current":
                return
            log.warning("waiting for the tables of the database: %s. %s", schema.found, schema.remedy)
        time.sleep(WAIT_SECONDS)


class SchemaWatch:
    """Notices that a newer release has migrated the database under a service that runs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._next = time.monotonic() + CHECK_SECONDS

    def is_outdated(self) -> bool:
        """Whether it has; logs what to do. The database is asked every CHECK_SECONDS."""
        if time.monotonic() < self._next:
            return False
        self._next = time.monotonic() + CHECK_SECONDS
        try:
            schema = schema_of(self._engine)
        except SQLAlchemyError as error:
            # Of any kind: its caller has jobs that go on without the database for a while.
            log.warning("cannot look for the tables of the database: %s", reason_of(error))
            return False
        if schema.state != "newer":
            return False
        log.error(
            "The database was migrated: %s. %s Jobs are left to its workers.", schema.found, schema.remedy
        )
        return True
