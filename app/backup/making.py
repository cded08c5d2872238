"""Makes a backup of a service that may be at work."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import Engine

from app.backup.blobs import Copied, copy_blobs, reason_of
from app.backup.manifest import DATABASE, FILES, MANIFEST, WEIGHTS, BackupError, Manifest, sha256_of
from app.backup.rows import count_rows, snapshot
from app.database.engine import make_engine, read
from app.database.schema import SchemaMismatch, require_current, schema_in
from app.jobs.stored_files import WrongDataFolder, open_storage
from app.settings import Settings, sqlite_url
from app.storage import FolderStorage, Storage, StorageFull
from app.storage.folder import keys_in


def make_backup(settings: Settings, folder: Path) -> tuple[Manifest, Copied]:
    """Copy the database, the files and the weights of a service into a folder, which is new or empty.

    The files are copied first; then the database, as it is at one moment; then the files that came meanwhile.
    So a file that was deleted after that moment is there, and one that a row names is not missing, but where
    both happened in between, as to a checkpoint that the next one replaced. If it fails the folder is empty
    again. Raises BackupError; one of UNAVAILABLE.
    """
    folder = folder.resolve()
    _require_service(settings)
    with _new_folder(folder, settings):
        return _back_up(folder, settings)


def _back_up(folder: Path, settings: Settings) -> tuple[Manifest, Copied]:
    engine = make_engine(settings.resolved_database_url, statement_seconds=0)
    try:
        require_current(engine)
        return _fill(folder, settings, engine)
    except (SchemaMismatch, WrongDataFolder) as error:
        raise BackupError(str(error)) from error
    except StorageFull as error:
        raise BackupError(f"The disk of {folder} is full: choose another one.") from error
    except OSError as error:
        raise BackupError(f"{error.filename or folder}: {reason_of(error)}.") from error
    finally:
        engine.dispose()


def _fill(folder: Path, settings: Settings, engine: Engine) -> tuple[Manifest, Copied]:
    storage, target = open_storage(settings, engine), FolderStorage(folder)
    copied = Copied()
    try:
        _copy_files(storage, target, copied)
        snapshot(engine, folder / DATABASE)
        _copy_files(storage, target, copied)
        unreadable = _copy_weights(settings.weights.path, target)
        manifest = _describe(folder, copied)
        target.put(MANIFEST, manifest.model_dump_json(indent=2).encode())
        target.close()
    except BaseException:
        # Half a backup is good for nothing, and fills the disk.
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        raise
    copied.unreadable |= unreadable
    return manifest, copied


def _require_service(settings: Settings) -> None:
    file = settings.database_file
    if file is not None and not file.is_file():
        remedy = (
            "mend IMPASTO_DATABASE_URL"
            if settings.names_database
            else "set IMPASTO_DATA_DIR, or --data-dir, to its folder"
        )
        raise BackupError(f"There is no service in {file.parent}, which has no {file.name}: {remedy}.")


@contextmanager
def _new_folder(folder: Path, settings: Settings) -> Iterator[None]:
    """Make an empty folder that no other backup uses within the context. Raises BackupError."""
    data = settings.data_dir.resolve()
    if folder.is_relative_to(data):
        raise BackupError(f"{folder} lies in the data folder, {data}: choose another one.")
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise _unusable(folder, error) from error
    try:
        _claim(folder, handle)
        yield
    finally:
        os.close(handle)


def _claim(folder: Path, handle: int) -> None:
    """Lock an open folder, and look whether it is empty. Raises BackupError."""
    try:
        # One of two that fails would empty the folder of the other.
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_empty = not any(folder.iterdir())
    except BlockingIOError as error:
        raise BackupError(f"Another backup is made in {folder}: name a new folder for each.") from error
    except OSError as error:
        raise _unusable(folder, error) from error
    if not is_empty:
        raise BackupError(f"{folder} is not empty: name a new folder for each backup.")


def _unusable(folder: Path, error: OSError) -> BackupError:
    return BackupError(f"Cannot write to {folder}: {reason_of(error)}. Choose another folder.")


def _copy_files(storage: Storage, target: FolderStorage, copied: Copied) -> None:
    """Copy what is new, or of another size than what was copied before."""

    def is_new(key: str) -> bool:
        if key not in copied.sizes:
            return True
        try:
            return storage.size(key) != copied.sizes[key]
        except OSError:
            return False

    keys = [key for key in storage.list_keys(on_unreadable=copied.leave_out) if is_new(key)]
    copy_blobs(keys, storage.open, target, copied, lambda key: f"{FILES}/{key}")


def _copy_weights(folder: Path, target: FolderStorage) -> dict[str, str]:
    """Copy the weights that are whole; returns what cannot be read, by path in the backup."""
    copied = Copied()
    # Of a download that runs: it goes on from its own part only.
    found = keys_in(folder, on_unreadable=copied.leave_out)
    keys = [key for key in found if ".partial" not in Path(key).suffixes]
    copy_blobs(keys, lambda key: (folder / key).open("rb"), target, copied, lambda key: f"{WEIGHTS}/{key}")
    return {f"{WEIGHTS}/{key}": reason for key, reason in copied.unreadable.items()}


def _describe(folder: Path, copied: Copied) -> Manifest:
    copy = make_engine(sqlite_url(folder / DATABASE))
    try:
        with read(copy) as connection:
            rows, revision = count_rows(connection), schema_in(connection).revision
    finally:
        copy.dispose()
    return Manifest(
        version=version("impasto"),
        revision=str(revision),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        # After the last connection, which may have written the file's header.
        database_sha256=sha256_of(folder / DATABASE),
        jobs=rows["jobs"],
        pictures=rows["images"],
        files=len(copied.sizes),
        bytes=sum(copied.sizes.values()),
    )
