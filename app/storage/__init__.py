"""Blobs by key, in a folder."""

from app.storage.errors import StorageFull
from app.storage.factory import make_storage
from app.storage.folder import FolderStorage, Storage, Stored

__all__ = ["FolderStorage", "Storage", "StorageFull", "Stored", "make_storage"]
