"""Deletes files without a row: those of jobs, pictures and networks whose writer was killed before it wrote
the row."""

import logging
from collections.abc import Callable
from functools import partial

from sqlalchemy import Engine, Table, select

from app.database.engine import IN_ONE, read
from app.database.ids import is_id
from app.database.removal import delete_files
from app.images.repository import image_key
from app.images.tables import images
from app.jobs.storage_keys import job_folder
from app.jobs.tables import jobs
from app.networks.repository import network_folder
from app.networks.tables import networks
from app.storage import Storage
from app.storage.folder import DAY_SECONDS, OnUnreadable

log = logging.getLogger(__name__)


def delete_leftovers(engine: Engine, storage: Storage, older_than: float = DAY_SECONDS) -> int:
    """Delete files of jobs, pictures and networks without a row that are older than that; returns how many.

    Whoever writes a row does so within seconds of the file. Where more files are unknown than known, the
    database is another one than theirs, and nothing is deleted.
    """
    stores: tuple[tuple[Table, Callable[[str], str], Callable[[str], None]], ...] = (
        (jobs, job_folder, storage.delete_prefix),
        (images, image_key, storage.delete),
        (networks, network_folder, storage.delete_prefix),
    )
    return sum(
        delete_unknown(engine, storage, table, key_of, delete, older_than) for table, key_of, delete in stores
    )


def delete_unknown(
    engine: Engine,
    storage: Storage,
    table: Table,
    key_of: Callable[[str], str],
    delete: Callable[[str], None],
    older_than: float = DAY_SECONDS,
) -> int:
    """Delete what lies under the keys of ids that no row of a table has; returns how many ids that were.

    ``key_of`` gives the key of an id, and ``delete`` deletes what lies there.
    """
    unknown, known = unknown_ids(engine, storage, table, key_of, older_than, warn_unreadable)
    if len(unknown) > known:
        log.warning(
            "%d of %d files in %s are not in the database, and stay: are both of one service?",
            *(len(unknown), len(unknown) + known, folder_of(key_of)),
        )
        return 0
    return delete_files(*(partial(delete, key_of(name)) for name in unknown))


def unknown_ids(
    engine: Engine,
    storage: Storage,
    table: Table,
    key_of: Callable[[str], str],
    older_than: float,
    on_unreadable: OnUnreadable,
) -> tuple[list[str], int]:
    """The ids whose files are older than that and that no row of a table has, and how many it has.

    ``on_unreadable`` gets what cannot be read, which counts as neither.
    """
    old = storage.list_old(folder_of(key_of), older_than, on_unreadable)
    # Networks that are shipped have files, but no ids.
    names = [name for name in old if is_id(name)]
    unknown = _without_rows(engine, table, names)
    return unknown, len(names) - len(unknown)


def warn_unreadable(key: str, error: OSError) -> None:
    """Log that nothing below a key is deleted, as it cannot be read."""
    log.warning("%s cannot be read, and stays: %s; see `impasto doctor --files`", key, error.strerror)


def folder_of(key_of: Callable[[str], str]) -> str:
    """The folder of the keys of ids."""
    return key_of("x").rpartition("/")[0]


def _without_rows(engine: Engine, table: Table, names: list[str]) -> list[str]:
    """Those of some ids that no row of a table has."""
    found: set[str] = set()
    with read(engine) as connection:
        for start in range(0, len(names), IN_ONE):
            query = select(table.c.id).where(table.c.id.in_(names[start : start + IN_ONE]))
            found.update(connection.execute(query).scalars())
    return [name for name in names if name not in found]
