"""What a database is asked."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, event


@contextmanager
def statements(engine: Engine) -> Iterator[list[str]]:
    """The statements that the database is sent meanwhile."""
    sent: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(engine, "before_cursor_execute", note)


def wait_until_quiet(sent: list[str], table: str) -> None:
    """Return when nothing that names a table was sent for a moment; the service's own rounds never end."""
    count = -1
    while count != (count := sum(table in statement for statement in sent)):
        time.sleep(1)
