"""What lines of batches name that are no jobs yet: it must not be deleted for its age."""

import re
from collections.abc import Iterable
from contextlib import suppress

from sqlalchemy import Connection, Engine, select

from app.batches.batch import BatchState
from app.batches.errors import NamedByBatch
from app.batches.tables import batches
from app.database.engine import IN_ONE, read
from app.jobs.tables import jobs
from app.storage import Storage

_ID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class UnreadLines:
    """The ids of pictures and jobs that unread lines name. Used for one pass of retention, by one thread.

    The file of each batch is read once: lines that became jobs meanwhile are among its ids still.
    """

    def __init__(self, engine: Engine, storage: Storage) -> None:
        self.engine = engine
        self._storage = storage
        self._read: set[str] = set()
        self._named: set[str] = set()
        self._batches: set[str] = set()

    def find(self) -> None:
        """Read the lines of batches that have come since. Raises OSError where they cannot be read."""
        with read(self.engine) as connection:
            new = [row for row in _unread(connection) if row[0] not in self._read]
        for batch_id, key, offset in new:
            # A batch without its file ends.
            with suppress(FileNotFoundError), self._storage.open(key) as file:
                file.seek(offset)
                self._add({each.decode() for line in file for each in _ID.findall(line)})
            self._read.add(batch_id)

    def _add(self, ids: set[str]) -> None:
        self._named |= ids
        ordered = sorted(ids)
        with read(self.engine) as connection:
            for start in range(0, len(ordered), IN_ONE):
                query = select(jobs.c.batch_id).where(jobs.c.id.in_(ordered[start : start + IN_ONE]))
                found: Iterable[str | None] = connection.execute(query.distinct()).scalars()
                self._batches.update(each for each in found if each is not None)

    def keep(self, connection: Connection, each: str) -> None:
        """Raises NamedByBatch if a line names a picture or job, or a job of a batch, or may name it.

        Whoever adds a batch locks the pictures that it names, and the batches that made them. So of that and
        of a transaction that has locked one, and asks this, one sees what the other did.
        """
        is_named = each in self._named or each in self._batches
        if is_named or any(row[0] not in self._read for row in _unread(connection)):
            raise NamedByBatch(each)


def _unread(connection: Connection) -> list[tuple[str, str, int]]:
    """Id, file and offset of the batches that have lines which are no jobs yet."""
    columns = (batches.c.id, batches.c.spool, batches.c.next_offset)
    has_unread = (batches.c.state == BatchState.RUNNING, batches.c.next_line <= batches.c.lines)
    return [(row[0], row[1], row[2]) for row in connection.execute(select(*columns).where(*has_unread))]
