"""What a backup is: a folder with ``impasto.db``, ``files``, ``weights``, and last ``manifest.json``."""

import hashlib
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

MANIFEST = "manifest.json"
# An SQLite file, whatever database it is a copy of.
DATABASE = "impasto.db"
FILES = "files"
WEIGHTS = "weights"


class BackupError(RuntimeError):
    """A backup cannot be made or restored; the message is one line that says what to change."""


class Manifest(BaseModel):
    """What a backup says of itself. It is written last: a folder without one is no whole backup."""

    model_config = ConfigDict(frozen=True)

    format: Literal[1] = 1
    version: str
    # Of the tables, as Alembic counts them.
    revision: str
    made_at: str
    database_sha256: str
    jobs: int
    pictures: int
    files: int
    bytes: int


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a backup whose database is whole. Raises BackupError."""
    path = folder / MANIFEST
    try:
        manifest = Manifest.model_validate_json(path.read_bytes())
        digest = sha256_of(folder / DATABASE)
    except FileNotFoundError as error:
        raise BackupError(
            f"{folder} is no whole backup: it has no {Path(str(error.filename)).name}. "
            "Name a folder that `impasto backup` has finished."
        ) from None
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(map(str, problem["loc"])) or "its content"
        raise BackupError(
            f"{path} is of another version, or damaged: {where}: {problem['msg']}. "
            "Restore it with the version of Impasto that made it."
        ) from None
    except OSError as error:
        raise BackupError(f"{folder} cannot be read: {error.strerror}.") from error
    if digest != manifest.database_sha256:
        raise BackupError(f"{folder / DATABASE} is damaged: its SHA-256 is not the manifest's.")
    return manifest


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
