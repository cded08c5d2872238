"""Deleting something that has a row and files, also on a full disk."""

from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from app.database.engine import is_disk_full


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
