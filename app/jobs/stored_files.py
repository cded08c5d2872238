"""The storage of a service, once it is known to be the one whose files the database names."""

import contextlib
import shlex

from sqlalchemy import Engine, select
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import read
from app.images.tables import images
from app.jobs.tables import artifacts
from app.settings import Settings
from app.storage import Storage, files_folder, make_storage
from app.storage.folder import PICTURES

# The tables whose rows name files, and the folder of these. It is made with the first file, and stays.
_FOLDERS = {PICTURES: images.c.id, "jobs": artifacts.c.job_id}


class WrongDataFolder(ValueError):
    """The data folder is not that of the database; ``found`` and ``remedy`` in one line."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(f"{found[0].upper()}{found[1:]}. {remedy}")
        self.found = found
        self.remedy = remedy


def open_storage(settings: Settings, engine: Engine) -> Storage:
    """The storage of the settings; makes its folder in a service that is new.

    Raises WrongDataFolder as :func:`require_files` does, and then makes nothing: it would count as the folder
    of files, and jobs would fail. A database that cannot be asked is left to those that need it.
    """
    with contextlib.suppress(SQLAlchemyError):
        require_files(settings, engine)
    return make_storage(settings)


def require_files(settings: Settings, engine: Engine) -> None:
    """Raise WrongDataFolder if the database names files and there are none: their disk is not mounted."""
    with read(engine) as connection:
        named = [
            name
            for name, column in _FOLDERS.items()
            if connection.execute(select(column).limit(1)).first() is not None
        ]
    folder = files_folder(settings)
    missing = [str(folder / name) for name in named if not (folder / name).is_dir()]
    if missing:
        raise WrongDataFolder(
            f"the files that the database names are not in {folder}",
            "Mount its disk, or set IMPASTO_DATA_DIR to the folder of this database. If they are lost, "
            f"restore a backup, or go on without them: mkdir -p {shlex.join(missing)}",
        )
