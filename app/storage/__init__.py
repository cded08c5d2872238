"""Blobs by key, in a folder."""

from app.storage.errors import StorageFull
from app.storage.folder import FolderStorage, Storage, Stored, make_storage

__all__ = ["FolderStorage", "Storage", "StorageFull", "Stored", "make_storage"]
