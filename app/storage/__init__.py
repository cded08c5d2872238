"""Files: blobs by id, and what may be said of a picture without decoding it."""

from app.storage.errors import PictureError, StorageFull
from app.storage.factory import make_storage
from app.storage.files import FolderStorage, Storage, Stored
from app.storage.inspect import PictureInfo, inspect_picture, inspect_upload
from app.storage.recipes import read_recipe

__all__ = [
    "FolderStorage",
    "PictureError",
    "PictureInfo",
    "Storage",
    "StorageFull",
    "Stored",
    "inspect_picture",
    "inspect_upload",
    "make_storage",
    "read_recipe",
]
