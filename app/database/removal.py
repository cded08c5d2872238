"""Rows and their files: written and deleted such that no row is without files, also on a full disk."""

import logging
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from app.database.engine import UNAVAILABLE, is_disk_full, may_have_space_of_files
from app.errors import ServiceError

log = logging.getLogger(__name__)

Deletion = Callable[[], object]

# Rows that SQLite had no space to delete, as others took that of their files. The oldest are given up where
# clients ask for more and more.
_left: deque[Deletion] = deque(maxlen=1000)


@contextmanager
def unless_written(discard: Deletion) -> Iterator[None]:
    """A context in which the row of files that are stored is written; they are discarded if it fails.

    Not if the database went away: the row may be there all the same. Files that turn out to have none are
    deleted a day later.
    """
    try:
        yield
    except UNAVAILABLE as error:
        if isinstance(error, DBAPIError) and is_disk_full(error):
            delete_files(discard)
        raise
    except BaseException:
        delete_files(discard)
        raise


def remove(row: Deletion, *files: Deletion) -> None:
    """Delete the row, then the files, so that no row is ever without its files.

    A file that cannot be deleted stays without a row. SQLite on a full disk has no space to note that a row
    is gone: then the files go first, or OSError is raised, and the row stays. Of a full PostgreSQL both stay.
    A row that still finds no space goes with the next `remove_left`.
    """
    try:
        row()
    except DBAPIError as error:
        if not may_have_space_of_files(error):
            raise
        for delete in files:
            delete()
        try:
            row()
        except UNAVAILABLE:
            _left.append(row)
            raise
    delete_files(*files)


def remove_left() -> None:
    """Delete the rows whose files went without them, as far as there is the space. Raises UNAVAILABLE."""
    while _left:
        row = _left.popleft()
        try:
            row()
        except ServiceError as error:
            log.info("a row whose files are gone is gone too, or in use: %s", error)
        except UNAVAILABLE as error:
            _left.append(row)
            if isinstance(error, DBAPIError) and is_disk_full(error):
                return
            raise


def delete_files(*files: Deletion) -> int:
    """Delete files that nothing needs; those that cannot be deleted are logged. Returns how many were."""
    deleted = 0
    for delete in files:
        try:
            delete()
            deleted += 1
        except OSError as error:
            log.warning("a file that nothing needs stays: %s", error)
    return deleted
