"""The SQL statements about stored pictures."""

from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.images.errors import ImageInSet, UnknownImage
from app.images.tables import images
from app.media import PictureInfo
from app.media.clips import is_clip_type
from app.storage import Stored


@dataclass(frozen=True, kw_only=True)
class Image:
    """A row of the table of pictures and clips; times are seconds since 1970.

    Width and height are as displayed, after EXIF orientation.
    """

    id: str
    name: str | None
    media_type: str
    bytes: int
    sha256: str
    width: int
    height: int
    frames: int
    created_at: float
    imported: bool

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip, even if of one frame."""
        return self.frames > 1 or is_clip_type(self.media_type)


def image_key(image_id: str) -> str:
    """The storage key of a picture."""
    return f"images/{image_id}"


def add_image(engine: Engine, image_id: str, name: str | None, info: PictureInfo, stored: Stored) -> Image:
    """Write the row of a picture whose bytes are stored already."""
    shown = {"media_type": info.media_type, "width": info.width, "height": info.height, "frames": info.frames}
    values = {"id": image_id, "name": name, "bytes": stored.bytes, "sha256": stored.sha256, **shown}
    statement = insert(images).values(**values, created_at=now()).returning(*images.c)
    with write(engine) as connection:
        return Image(**connection.execute(statement).mappings().one())


def get_image(engine: Engine, image_id: str) -> Image:
    """The stored picture of an id. Raises UnknownImage."""
    with read(engine) as connection:
        row = connection.execute(select(images).where(images.c.id == image_id)).mappings().first()
    if row is None:
        raise UnknownImage(image_id)
    return Image(**row)


def delete_image(engine: Engine, image_id: str) -> None:
    """Delete the row of a picture; the bytes are the caller's. Raises ImageInSet."""
    try:
        with write(engine) as connection:
            connection.execute(delete(images).where(images.c.id == image_id))
    except IntegrityError:
        raise ImageInSet from None
