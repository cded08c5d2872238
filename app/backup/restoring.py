"""Puts a backup into an empty service, and makes its rows and files agree."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Engine, delete, inspect

from app.backup.blobs import Copied, copy_blobs, reason_of
from app.backup.manifest import DATABASE, FILES, WEIGHTS, BackupError, Manifest, read_manifest
from app.backup.rows import ELSEWHERE, load, remove_database, remove_logs, require_unused, sync_file, written
from app.batches.scrub import Damage, missing_files
from app.database.engine import make_engine, read, write
from app.database.migrations import upgrade
from app.database.schema import SchemaMismatch, revisions, schema_of
from app.jobs.reaper import release_all
from app.jobs.storage_keys import discard_job_files, is_work_file
from app.jobs.tables import chores
from app.settings import DATABASE_FILE, Settings, sqlite_url
from app.storage import FolderStorage, StorageFull
from app.storage.folder import CHUNK, keys_in, sync_folder
from app.supervision.startup import StartError, claim_data_dir
from app.workers.repository import list_alive
from app.workers.tables import workers

# Of the copy that is prepared, after the name of the file that it is to become.
_PREPARED = ".restoring"


@dataclass(frozen=True)
class Restored:
    """What came back: ``released`` jobs were running, ``missing`` are files that rows name.

    ``unreadable`` are files of the backup, with the reason; ``others`` are no files of a service, such as
    those that a file manager leaves, and stayed where they are.
    """

    manifest: Manifest
    released: int
    missing: list[Damage]
    unreadable: dict[str, str]
    others: list[str]


def restore(settings: Settings, folder: Path) -> Restored:
    """Put a backup into the data folder and the database of the settings, which have no jobs and pictures.

    The database may be of another kind than that of the backup. Rows come last, and all at once: what was
    interrupted can be done again. Jobs that were running wait with what they had, and have lost no attempt.
    Raises BackupError; one of UNAVAILABLE.
    """
    folder = folder.resolve()
    if settings.data_dir.resolve().is_relative_to(folder):
        raise BackupError(f"The data folder {settings.data_dir} lies in the backup: choose another one.")
    manifest = read_manifest(folder)
    _require_known(manifest)
    try:
        with claim_data_dir(settings.data_dir):
            _require_unused(settings)
            return _restore(settings, folder, manifest)
    except (StartError, SchemaMismatch) as error:
        raise BackupError(str(error)) from error
    except StorageFull as error:
        raise BackupError(f"The disk of {settings.data_dir} is full: choose another one.") from error
    except OSError as error:
        raise BackupError(f"{error.filename or settings.data_dir}: {reason_of(error)}.") from error


def _restore(settings: Settings, folder: Path, manifest: Manifest) -> Restored:
    # None of its space stays free: nothing else is at work.
    storage = FolderStorage(settings.data_dir / FILES)
    others: list[str] = []
    unreadable = _copy_back(folder, FILES, storage, others)
    if (folder / WEIGHTS).is_dir():
        weights = FolderStorage(settings.weights.path)
        found = _copy_back(folder, WEIGHTS, weights, others)
        unreadable |= {f"{WEIGHTS}/{key}": reason for key, reason in found.items()}
        weights.close()
    with _prepared(folder, settings) as prepared:
        engine = make_engine(sqlite_url(prepared))
        try:
            released = _settle(engine, storage)
        finally:
            engine.dispose()
        _put_in_place(prepared, settings)
    engine = make_engine(settings.resolved_database_url)
    try:
        damaged = [each for page in missing_files(engine, storage) for each in page]
    finally:
        engine.dispose()
    # A job makes its previews anew.
    missing = [each for each in damaged if not is_work_file(each.key)]
    return Restored(manifest, released, missing, unreadable, others)


def _copy_back(backup: Path, name: str, target: FolderStorage, others: list[str]) -> dict[str, str]:
    """Copy the files of a folder of a backup, but for those that an earlier try has restored.

    Returns what cannot be read, with the reason; what is not a file of a service is added to ``others``.
    """
    source, copied = backup / name, Copied()

    def is_new(key: str) -> bool:
        try:
            with (source / key).open("rb") as ours, target.open(key) as theirs:
                return not _are_alike(ours, theirs)
        except OSError:
            return True

    found = keys_in(
        source,
        on_other=lambda path: others.append(path.relative_to(backup).as_posix()),
        on_unreadable=copied.leave_out,
    )
    copy_blobs(filter(is_new, found), lambda key: (source / key).open("rb"), target, copied)
    return copied.unreadable


def _are_alike(one: BinaryIO, other: BinaryIO) -> bool:
    """Whether two files have the same content. Raises OSError."""
    if one.seek(0, os.SEEK_END) != other.seek(0, os.SEEK_END):
        return False
    for file in (one, other):
        file.seek(0)
    while chunk := one.read(CHUNK):
        if chunk != other.read(CHUNK):
            return False
    return True


def _require_known(manifest: Manifest) -> None:
    if manifest.revision not in revisions():
        raise BackupError(
            f"The backup is of version {manifest.version} (tables of revision {manifest.revision}), which is "
            "newer than this one: restore it with that version, or a newer one."
        )


def _require_unused(settings: Settings) -> bool:
    """Raise BackupError if there is something that a backup would replace, or someone at work.

    Returns whether the database has no tables yet. Changes nothing: it may be that of another release.
    """
    file = settings.database_file
    if file is not None and not file.exists():
        return True
    engine = make_engine(settings.resolved_database_url)
    name = engine.url.render_as_string(hide_password=True)
    try:
        schema = schema_of(engine)
        if schema.state == "empty":
            # A file is replaced as a whole.
            if file is not None and inspect(engine).get_table_names():
                raise BackupError(f"{name} has tables of another program, and {ELSEWHERE}")
            return True
        if schema.state != "current":
            raise BackupError(f"{name} is in use ({schema.found}), and {ELSEWHERE}")
        if alive := list_alive(engine):
            raise BackupError(f"{len(alive)} workers use {name}: stop the service first.")
        with read(engine) as connection:
            require_unused(connection)
    finally:
        engine.dispose()
    return False


def _place_of(settings: Settings) -> Path:
    """The database file, or in the data folder where that of a server would be."""
    return (settings.database_file or settings.data_dir / DATABASE_FILE).resolve()


@contextmanager
def _prepared(folder: Path, settings: Settings) -> Iterator[Path]:
    """A copy of the backup's database, with the tables of this version, from which a rename is atomic."""
    place = _place_of(settings)
    path = place.with_name(place.name + _PREPARED)
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_database(path)
    with written(path):
        shutil.copyfile(folder / DATABASE, path)
        upgrade(sqlite_url(path))
        yield path
    remove_database(path)


def _settle(engine: Engine, storage: FolderStorage) -> int:
    """Release what processes held that are no more; returns how many jobs were running."""
    with write(engine) as connection:
        released = release_all(connection)
        connection.execute(delete(workers))
        # The service looks for missing files, and for what is old, as soon as it starts.
        connection.execute(delete(chores))
    for job in released:
        if job.ended:
            discard_job_files(storage, job.id)
    return len(released)


def _put_in_place(prepared: Path, settings: Settings) -> None:
    # Much may have happened while the files were copied.
    is_empty = _require_unused(settings)
    if settings.database_file is None:
        if is_empty:
            upgrade(settings.resolved_database_url)
        load(prepared, settings.resolved_database_url)
        return
    target = _place_of(settings)
    sync_file(prepared)
    remove_logs(target)
    os.replace(prepared, target)
    sync_folder(target.parent)
