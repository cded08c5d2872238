"""Blobs by key, in a folder."""

from app.storage.errors import StorageFull, StorageUnavailable
from app.storage.folder import FolderStorage, Storage, Stored, files_folder, make_storage, put_all

__all__ = [
    "FolderStorage",
    "Storage",
    "StorageFull",
    "StorageUnavailable",
    "Stored",
    "files_folder",
    "make_storage",
    "put_all",
]
