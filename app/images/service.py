"""From an uploaded file to a stored picture, and its end."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from sqlalchemy import Engine

from app.database.ids import new_id
from app.database.removal import remove
from app.images import repository
from app.images.repository import Image, NewImage, image_key
from app.media import PictureError, PictureInfo, inspect_picture, inspect_upload
from app.settings import Settings
from app.storage import Storage, put_all

MAX_NAME = 200


class Upload(Protocol):
    """A file that came with a request."""

    filename: str | None
    file: BinaryIO


@dataclass(frozen=True)
class ImageService:
    """The operations on pictures and clips."""

    settings: Settings
    engine: Engine
    storage: Storage

    def inspect(self, upload: Upload, field: str, *, clips: bool) -> PictureInfo:
        """What the header of an uploaded picture says, or of a clip if ``clips`` are accepted.

        Raises PictureError that names the field.
        """
        try:
            return (inspect_upload if clips else inspect_picture)(upload.file, self.settings)
        except PictureError as error:
            raise error.in_field(field) from None

    def store(self, upload: Upload, info: PictureInfo) -> Image:
        """Store a picture that was inspected: its bytes first, then its row. Raises StorageFull."""
        (new,) = self.store_files([(new_id(), upload, info)])
        try:
            return repository.add_image(self.engine, new)
        except BaseException:
            self.storage.delete(image_key(new.id))
            raise

    def store_files(self, pictures: Sequence[tuple[str, Upload, PictureInfo]]) -> list[NewImage]:
        """Store the bytes of pictures that were inspected, by the ids that they get; the caller writes rows.

        Raises StorageFull, and then none is stored.
        """
        self.storage.require_space(sum(info.bytes for _, _, info in pictures))
        for _, upload, _ in pictures:
            upload.file.seek(0)
        files = {image_key(image_id): upload.file for image_id, upload, _ in pictures}
        try:
            stored = put_all(self.storage, files)
        except BaseException:
            for key in files:
                self.storage.delete(key)
            raise
        return [
            NewImage(image_id, upload.filename[:MAX_NAME] if upload.filename else None, info, each)
            for (image_id, upload, info), each in zip(pictures, stored, strict=True)
        ]

    def delete(self, image_id: str) -> None:
        """Delete a stored picture."""
        remove(
            lambda: repository.delete_image(self.engine, image_id),
            lambda: self.storage.delete(image_key(image_id)),
        )


def file_sha256(file: BinaryIO) -> str:
    """SHA-256 of a file, which is left at its start."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return digest
