"""Makes a backup of a service that may be at work."""

import shutil
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import make_url

from app.backup.blobs import Copied, copy_blobs
from app.backup.manifest import DATABASE, FILES, MANIFEST, WEIGHTS, BackupError, Manifest, sha256_of
from app.backup.rows import count_rows, snapshot
from app.database.engine import make_engine
from app.database.schema import SchemaMismatch, require_current, schema_of
from app.settings import Settings
from app.storage import FolderStorage, Storage, StorageFull, make_storage


def make_backup(settings: Settings, folder: Path) -> tuple[Manifest, Copied]:
    """Copy the database, the files and the weights of a service into a folder, which is new or empty.

    The files are copied first; then the database, as it is at one moment; then the files that came meanwhile.
    So a file that was deleted after that moment is there, and one that a row names is not missing, but where
    both happened in between, as to a checkpoint that the next one replaced. Raises BackupError; one of
    UNAVAILABLE.
    """
    folder = folder.resolve()
    _require_service(settings)
    storage = make_storage(settings)
    _require_new(folder, settings)
    engine = make_engine(settings.resolved_database_url, statement_seconds=0)
    try:
        require_current(engine)
        target = FolderStorage(folder)
        copied = Copied()
        _copy_files(storage, target, copied)
        snapshot(engine, folder / DATABASE)
        _copy_files(storage, target, copied)
        if settings.weights.path.is_dir():
            shutil.copytree(settings.weights.path, folder / WEIGHTS)
        manifest = _describe(folder, copied)
        target.put(MANIFEST, manifest.model_dump_json(indent=2).encode())
        shutil.rmtree(folder / ".tmp")
    except SchemaMismatch as error:
        raise BackupError(str(error)) from error
    except StorageFull as error:
        raise BackupError(f"The disk of {folder} is full: choose another one.") from error
    except OSError as error:
        raise BackupError(f"{error.filename or folder}: {error.strerror}.") from error
    finally:
        engine.dispose()
    return manifest, copied


def _require_service(settings: Settings) -> None:
    file = make_url(settings.resolved_database_url).database
    if settings.database_url is None and not Path(file or "").is_file():
        raise BackupError(
            f"There is no service in {settings.data_dir}: set IMPASTO_DATA_DIR, or --data-dir, to its folder."
        )


def _require_new(folder: Path, settings: Settings) -> None:
    files = (settings.data_dir / FILES).resolve()
    if folder.is_relative_to(files):
        raise BackupError(f"{folder} lies in the folder that is copied: choose another one.")
    try:
        if folder.exists() and any(folder.iterdir()):
            raise BackupError(f"{folder} is not empty: name a new folder for each backup.")
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BackupError(f"Cannot write to {folder}: {error.strerror}. Choose another folder.") from error


def _copy_files(storage: Storage, target: FolderStorage, copied: Copied) -> None:
    """Copy what is new, or of another size than what was copied before."""

    def is_new(key: str) -> bool:
        if key not in copied.sizes:
            return True
        try:
            return storage.size(key) != copied.sizes[key]
        except OSError:
            return False

    keys = [key for key in storage.list_keys() if is_new(key)]
    copy_blobs(keys, storage.open, target, copied, lambda key: f"{FILES}/{key}")


def _describe(folder: Path, copied: Copied) -> Manifest:
    copy = make_engine(f"sqlite:///{folder / DATABASE}")
    try:
        rows, revision = count_rows(copy), schema_of(copy).revision
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
