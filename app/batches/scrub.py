"""Compares rows and files: rows whose file is missing or of another size, and files without a row."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Engine, Table, null, select, tuple_

from app.batches.deletion import delete_leftover_spools
from app.batches.spool import spool_key
from app.batches.tables import batches
from app.database.engine import now, read
from app.database.removal import delete_files
from app.datasets.deletion import Needs, delete_left
from app.images.repository import image_key
from app.images.tables import images
from app.jobs.leftovers import delete_leftovers, folder_of, unknown_ids, warn_unreadable
from app.jobs.needs import pictures_needed
from app.jobs.repository import list_artifacts
from app.jobs.states import TERMINAL
from app.jobs.storage_keys import job_folder
from app.jobs.tables import artifacts, jobs
from app.networks.repository import network_folder
from app.networks.tables import networks
from app.storage import Storage
from app.storage.folder import DAY_SECONDS, OnUnreadable

log = logging.getLogger(__name__)

# Rows looked at in one step.
PAGE = 200


@dataclass(frozen=True)
class Damage:
    """What is wrong with the file of a row, or with a file that has none."""

    key: str
    problem: str


def missing_files(engine: Engine, storage: Storage) -> Iterator[list[Damage]]:
    """What is wrong with the files of all rows, a page of rows a step: few steps find any.

    A file that is replaced or deleted at this moment may be named: look at it again.
    """
    for table, key, size in (
        (artifacts, artifacts.c.key, artifacts.c.bytes),
        (images, images.c.id, images.c.bytes),
        (networks, networks.c.key, networks.c.bytes),
        (batches, batches.c.spool, null()),
    ):
        as_key = image_key if table is images else str
        yield from _missing_of(engine, storage, table, key, size, as_key)


def scrub(engine: Engine, storage: Storage) -> Iterator[int]:
    """The steps of a pass: what is wrong with the files of rows is logged, and files without one are deleted.

    So is what an interrupted deletion has left of a set. Each says how much it found. What cannot be read is
    logged and left out; raises OSError if that is the whole storage.
    """
    for found in missing_files(engine, storage):
        for each in found:
            log.error("%s: %s; see `impasto doctor --files`", each.key, each.problem)
        yield len(found)
    for gone in delete_left(engine, Needs(kept=pictures_needed)):
        yield delete_files(*(partial(storage.delete, image_key(image_id)) for image_id in gone))
    yield delete_leftovers(engine, storage) + delete_leftover_spools(engine, storage)
    for stray in _stray_files(engine, storage, DAY_SECONDS, warn_unreadable):
        yield delete_files(*(partial(storage.delete, key) for key in stray))


def _missing_of(
    engine: Engine,
    storage: Storage,
    table: Table,
    key: ColumnElement[str],
    size: ColumnElement[Any],
    as_key: Callable[[str], str],
) -> Iterator[list[Damage]]:
    place = list(table.primary_key.columns)
    last: tuple[str, ...] | None = None
    while True:
        query = select(*place, key, size).order_by(*place).limit(PAGE)
        if last is not None:
            query = query.where(tuple_(*place) > tuple_(*last))
        with read(engine) as connection:
            rows = connection.execute(query).all()
        if not rows:
            return
        found = [
            Damage(as_key(row[-2]), problem)
            for row in rows
            if (problem := _problem_of(storage, as_key(row[-2]), row[-1])) is not None
        ]
        last = tuple(rows[-1][: len(place)])
        yield found


def _problem_of(storage: Storage, key: str, size: int | None) -> str | None:
    try:
        there = storage.size(key)
    except FileNotFoundError:
        return "its file is missing"
    except OSError as error:
        return f"its file cannot be read: {error.strerror}"
    return None if size in (None, there) else f"its file has {there:,} bytes instead of {size:,}"


def unknown_files(
    engine: Engine, storage: Storage, older_than: float = DAY_SECONDS
) -> tuple[list[Damage], list[Damage]]:
    """Files of jobs, pictures, networks and batches that are older than that, in seconds, without a row.

    Then what cannot be read, where there may be more. Raises OSError if that is the whole storage.
    """
    stores: tuple[tuple[Table, Callable[[str], str]], ...] = (
        (jobs, job_folder),
        (images, image_key),
        (networks, network_folder),
        (batches, spool_key),
    )
    # By key: a job's folder is met twice.
    unreadable: dict[str, Damage] = {}

    def note(key: str, error: OSError) -> None:
        unreadable[key] = Damage(key, f"it cannot be read: {error.strerror}")

    unknown = [
        Damage(key_of(each), f"no row of {folder_of(key_of)} has its id")
        for table, key_of in stores
        for each in unknown_ids(engine, storage, table, key_of, older_than, note)[0]
    ]
    stray = [key for page in _stray_files(engine, storage, older_than, note) for key in page]
    unknown += [Damage(key, "no row of its job names it") for key in stray]
    return unknown, list(unreadable.values())


def _stray_files(
    engine: Engine, storage: Storage, older_than: float, on_unreadable: OnUnreadable
) -> Iterator[list[str]]:
    """Files in the folders of jobs that ended so many seconds ago which are none of their artifacts."""
    last = ""
    while True:
        ended = (jobs.c.state.in_(TERMINAL), jobs.c.finished_at < now() - older_than, jobs.c.id > last)
        with read(engine) as connection:
            query = select(jobs.c.id).where(*ended).order_by(jobs.c.id).limit(PAGE)
            ids = connection.execute(query).scalars().all()
        if not ids:
            return
        made = list_artifacts(engine, ids)
        known = {artifact.key for each in made.values() for artifact in each}
        found = (key for each in ids for key in storage.list_keys(job_folder(each), on_unreadable))
        yield [key for key in found if key not in known]
        last = ids[-1]
