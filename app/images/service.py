"""From an uploaded file to a stored picture, and its end."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, Protocol

from sqlalchemy import Engine

from app.database.ids import new_id
from app.database.keys import keyed
from app.database.removal import delete_files, unless_written
from app.images import repository
from app.images.names import name_of_file
from app.images.repository import Image, NewImage, image_key
from app.media import PictureError, PictureInfo, inspect_picture, inspect_upload
from app.settings import Settings
from app.storage import Storage, put_all


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

    def find_alike(self, uploads: Sequence[Upload], hashes: Sequence[str]) -> list[str | None]:
        """The id of the stored picture with the name and the SHA-256 of each; None where there is none."""
        names = [name_of_file(upload.filename) for upload in uploads]
        asked = list(zip(hashes, names, strict=True))
        found: dict[tuple[str, str | None], str] = {}
        for image in repository.find_uploads_alike(self.engine, {sha256 for sha256, _ in asked}):
            if self._is_whole(image):
                found.setdefault((image.sha256, image.name), image.id)
        return [found.get(each) for each in asked]

    def _is_whole(self, image: Image) -> bool:
        try:
            return self.storage.size(image_key(image.id)) == image.bytes
        except FileNotFoundError:
            return False

    def store(self, upload: Upload, info: PictureInfo, idempotency_key: str | None = None) -> Image:
        """Store a picture that was inspected: its bytes first, then its row.

        The same file with the same name and key gives the same picture. Raises StorageFull, KeyReused.
        """
        request = None
        if idempotency_key is not None:
            request = keyed(idempotency_key, upload.filename, file_sha256(upload.file))
            if earlier := repository.find_image_made(self.engine, request):
                return earlier
        (new,) = self.store_files([(new_id(), upload, info)])
        with unless_written(lambda: self.storage.delete(image_key(new.id))):
            image = repository.add_image(self.engine, new, request)
        if image.id != new.id:
            delete_files(partial(self.storage.delete, image_key(new.id)))
        return image

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
            delete_files(*(partial(self.storage.delete, key) for key in files))
            raise
        return [
            NewImage(image_id, name_of_file(upload.filename), info, each)
            for (image_id, upload, info), each in zip(pictures, stored, strict=True)
        ]


def file_sha256(file: BinaryIO) -> str:
    """SHA-256 of a file, which is left at its start."""
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    return digest
