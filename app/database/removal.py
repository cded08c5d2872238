"""Rows and their files: written and deleted such that no row is without files, also on a full disk."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from app.database.engine import UNAVAILABLE, is_disk_full


@contextmanager
def unless_written(discard: Callable[[], None]) -> Iterator[None]:
    """A context in which the row of files that are stored is written; they are discarded if it fails.

    Not if the database went away: the row may be there all the same. Files that turn out to have none are
    deleted a day later.
    """
    try:
        yield
    except UNAVAILABLE as error:
        if isinstance(error, DBAPIError) and is_disk_full(error):
            discard()
        raise
    except BaseException:
        discard()
        raise


def remove(row: Callable[[], None], files: Callable[[], None]) -> None:
    """Delete the row, then the files, so that no row is ever without its files.

    A database on a full disk has no space to note that a row is gone: then the files go first.
    """
    try:
        row()
    except DBAPIError as error:
        if not is_disk_full(error):
            raise
        files()
        row()
    files()
