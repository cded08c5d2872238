"""Puts a backup into an empty service, and makes its rows and files agree."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Engine, delete, make_url

from app.backup.blobs import Copied, copy_blobs
from app.backup.manifest import DATABASE, FILES, WEIGHTS, BackupError, Manifest, read_manifest
from app.backup.rows import count_rows, load
from app.batches.scrub import Damage, missing_files
from app.database.engine import make_engine, write
from app.database.migrations import configuration, upgrade
from app.database.schema import SchemaMismatch
from app.jobs.reaper import release_all
from app.jobs.storage_keys import discard_job_files, is_work_file
from app.jobs.tables import chores
from app.settings import Settings
from app.storage import FolderStorage, StorageFull
from app.supervision.startup import StartError, claim_data_dir
from app.workers.repository import list_alive
from app.workers.tables import workers

# The copy that is prepared; its place is the database's own folder, so that a rename moves it there.
_PREPARED = "restoring.db"


@dataclass(frozen=True)
class Restored:
    """What came back: ``released`` jobs were running, ``missing`` are files that rows name.

    ``unreadable`` are files of the backup, with the reason.
    """

    manifest: Manifest
    released: int
    missing: list[Damage]
    unreadable: dict[str, str]


def restore(settings: Settings, folder: Path) -> Restored:
    """Put a backup into the data folder and the database of the settings, which have no jobs and pictures.

    The database may be of another kind than that of the backup. Rows come last, and all at once: what was
    interrupted can be done again. Jobs that were running wait with what they had, and have lost no attempt.
    Raises BackupError; one of UNAVAILABLE.
    """
    folder = folder.resolve()
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
        raise BackupError(f"{error.filename or settings.data_dir}: {error.strerror}.") from error


def _restore(settings: Settings, folder: Path, manifest: Manifest) -> Restored:
    # None of its space stays free: nothing else is at work.
    storage = FolderStorage(settings.data_dir / FILES)
    copied = Copied()
    copy_blobs(_keys(folder / FILES, storage), lambda key: (folder / FILES / key).open("rb"), storage, copied)
    if (folder / WEIGHTS).is_dir():
        shutil.copytree(folder / WEIGHTS, settings.weights.path, dirs_exist_ok=True)
    with _prepared(folder, settings) as prepared:
        engine = make_engine(f"sqlite:///{prepared}")
        try:
            released = _settle(engine, storage)
        finally:
            engine.dispose()
        _put_in_place(prepared, settings)
    engine = make_engine(settings.resolved_database_url)
    try:
        found = [each for page in missing_files(engine, storage) for each in page]
    finally:
        engine.dispose()
    # A job makes its previews anew.
    missing = [each for each in found if not is_work_file(each.key)]
    return Restored(manifest, released, missing, copied.unreadable)


def _require_known(manifest: Manifest) -> None:
    try:
        ScriptDirectory.from_config(configuration("")).get_revision(manifest.revision)
    except CommandError:
        raise BackupError(
            f"The backup is of version {manifest.version} (tables of revision {manifest.revision}), which is "
            "newer than this one: restore it with that version, or a newer one."
        ) from None


def _require_unused(settings: Settings) -> None:
    """Raise BackupError if there is something that a backup would replace, or someone at work."""
    url = settings.resolved_database_url
    if settings.database_url is None and not Path(make_url(url).database or "").exists():
        return
    upgrade(url)
    engine = make_engine(url)
    try:
        rows = {name: count for name, count in count_rows(engine).items() if count}
        alive = list_alive(engine)
    finally:
        engine.dispose()
    name = engine.url.render_as_string(hide_password=True)
    if alive:
        raise BackupError(f"{len(alive)} workers use {name}: stop the service first.")
    if rows:
        found = ", ".join(f"{count:,} {table}" for table, count in rows.items())
        raise BackupError(
            f"{name} is in use ({found}), and nothing is replaced: move it away, or name another one with "
            "IMPASTO_DATA_DIR or IMPASTO_DATABASE_URL."
        )


def _keys(folder: Path, storage: FolderStorage) -> Iterator[str]:
    """The keys of a backup's files, but for those that an earlier try has restored."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            key = path.relative_to(folder).as_posix()
            target = storage.path(key)
            if not target.is_file() or target.stat().st_size != path.stat().st_size:
                yield key


@contextmanager
def _prepared(folder: Path, settings: Settings) -> Iterator[Path]:
    """A copy of the backup's database, with the tables of this version."""
    path = settings.data_dir / _PREPARED
    _remove_database(path)
    try:
        shutil.copyfile(folder / DATABASE, path)
        upgrade(f"sqlite:///{path}")
        yield path
    finally:
        _remove_database(path)


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
    url = make_url(settings.resolved_database_url)
    if url.get_backend_name() != "sqlite":
        upgrade(settings.resolved_database_url)
        load(prepared, settings.resolved_database_url)
        return
    target = Path(url.database or "")
    target.parent.mkdir(parents=True, exist_ok=True)
    # The log of the database that is replaced must not be taken for one of the new.
    _remove_database(target)
    with prepared.open("rb") as file:
        os.fsync(file.fileno())
    shutil.move(prepared, target)


def _remove_database(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
