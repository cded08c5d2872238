"""Deleting something that has a row and files, also on a full disk, or one that cannot be written."""

import logging
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from app.database.engine import is_disk_full

log = logging.getLogger(__name__)

Deletion = Callable[[], object]


def remove(row: Deletion, *files: Deletion) -> None:
    """Delete the row, then the files, so that no row is ever without its files.

    A file that cannot be deleted stays without a row. A database on a full disk has no space to note that a
    row is gone: then the files go first, or OSError is raised, and the row stays.
    """
    try:
        row()
    except DBAPIError as error:
        if not is_disk_full(error):
            raise
        for delete in files:
            delete()
        row()
    delete_files(*files)


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
