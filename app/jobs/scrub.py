"""Compares rows and files: finds rows whose file is missing or of another size, and files without a row."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Engine, Table, select, tuple_

from app.database.engine import read
from app.images.repository import image_key
from app.images.tables import images
from app.jobs.leftovers import folder_of, unknown_ids
from app.jobs.storage_keys import job_folder
from app.jobs.tables import artifacts, jobs
from app.networks.repository import network_folder
from app.networks.tables import networks
from app.storage import Storage
from app.storage.folder import DAY_SECONDS

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
    for table, key in (
        (artifacts, artifacts.c.key),
        (images, images.c.id),
        (networks, networks.c.key),
    ):
        as_key = image_key if table is images else str
        yield from _missing_of(engine, storage, table, key, as_key)


def log_missing_files(engine: Engine, storage: Storage) -> Iterator[int]:
    """The steps of a pass that writes what it finds into the log; each says how much it found."""
    for found in missing_files(engine, storage):
        for each in found:
            log.error("%s: %s; see `impasto doctor --files`", each.key, each.problem)
        yield len(found)


def _missing_of(
    engine: Engine,
    storage: Storage,
    table: Table,
    key: ColumnElement[str],
    as_key: Callable[[str], str],
) -> Iterator[list[Damage]]:
    place = list(table.primary_key.columns)
    last: tuple[str, ...] | None = None
    while True:
        query = select(*place, key, table.c.bytes).order_by(*place).limit(PAGE)
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


def _problem_of(storage: Storage, key: str, size: int) -> str | None:
    try:
        there = storage.size(key)
    except FileNotFoundError:
        return "its file is missing"
    return None if there == size else f"its file has {there:,} bytes instead of {size:,}"


def unknown_files(engine: Engine, storage: Storage, older_than: float = DAY_SECONDS) -> list[Damage]:
    """Files of jobs, pictures and networks that are older than that, in seconds, and that no row names."""
    stores: tuple[tuple[Table, Callable[[str], str]], ...] = (
        (jobs, job_folder),
        (images, image_key),
        (networks, network_folder),
    )
    return [
        Damage(key_of(each), f"no row of {folder_of(key_of)} has its id")
        for table, key_of in stores
        for each in unknown_ids(engine, storage, table, key_of, older_than)[0]
    ]
