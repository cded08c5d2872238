"""Makes the storage from the settings."""

from app.settings import Settings
from app.storage.folder import FolderStorage, Storage


def make_storage(settings: Settings) -> Storage:
    """The folder ``files`` in the data folder."""
    return FolderStorage(settings.data_dir / "files")
