"""From an uploaded file to a stored picture."""

import hashlib
from typing import BinaryIO

from starlette.datastructures import UploadFile

from app.database.ids import new_id
from app.http.services import Context
from app.images.repository import Image, add_image, delete_image, image_key
from app.media import PictureError, PictureInfo, inspect_picture, inspect_upload

MAX_NAME = 200
CHUNK = 1 << 20


def inspect(here: Context, file: UploadFile, field: str, *, clips: bool) -> PictureInfo:
    """What the header of an uploaded picture says, or of a clip if ``clips`` are taken.

    Raises PictureError that names the field.
    """
    try:
        return (inspect_upload if clips else inspect_picture)(file.file, here.settings)
    except PictureError as error:
        raise error.in_field(field) from None


def file_sha256(file: BinaryIO) -> str:
    """SHA-256 of a file, which is left at its start."""
    file.seek(0)
    digest = hashlib.sha256()
    while chunk := file.read(CHUNK):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


def store(here: Context, file: UploadFile, info: PictureInfo, image_id: str | None = None) -> Image:
    """Store a picture that was inspected: its bytes first, then its row."""
    image_id = image_id or new_id()
    key = image_key(image_id)
    file.file.seek(0)
    stored = here.storage.put(key, file.file)
    try:
        return add_image(
            here.engine,
            image_id=image_id,
            name=file.filename[:MAX_NAME] if file.filename else None,
            media_type=info.media_type,
            size=stored.bytes,
            sha256=stored.sha256,
            width=info.width,
            height=info.height,
            frames=info.frames,
        )
    except BaseException:
        here.storage.delete(key)
        raise


def discard(here: Context, image_id: str) -> None:
    """Remove a stored picture, row first."""
    delete_image(here.engine, image_id)
    here.storage.delete(image_key(image_id))
