"""The SQL statements about stored pictures."""

from dataclasses import dataclass

from sqlalchemy import Engine, delete, insert, select

from app.database.engine import now, read, write
from app.images.errors import UnknownImage
from app.images.tables import images


@dataclass(frozen=True)
class Image:
    """A stored picture, or a clip. Width and height are as displayed, after EXIF orientation."""

    id: str
    name: str | None
    media_type: str
    bytes: int
    sha256: str
    width: int
    height: int
    frames: int
    created_at: float

    @property
    def moves(self) -> bool:
        """Whether it is a clip, if only of one frame, and no picture."""
        return self.frames > 1 or is_film(self.media_type)


def is_film(media_type: str) -> bool:
    """Whether files of a media type are clips, whatever is in them."""
    return media_type.startswith("video/") or media_type == "image/gif"


def image_key(image_id: str) -> str:
    """Where the bytes of a stored picture lie in the storage."""
    return f"images/{image_id}"


def add_image(
    engine: Engine,
    *,
    image_id: str,
    name: str | None,
    media_type: str,
    size: int,
    sha256: str,
    width: int,
    height: int,
    frames: int = 1,
) -> Image:
    """Write the row of a picture whose bytes are stored already."""
    with write(engine) as connection:
        row = connection.execute(
            insert(images)
            .values(
                id=image_id,
                name=name,
                media_type=media_type,
                bytes=size,
                sha256=sha256,
                width=width,
                height=height,
                frames=frames,
                created_at=now(),
            )
            .returning(*images.c)
        )
        return Image(**row.mappings().one())


def get_image(engine: Engine, image_id: str) -> Image:
    """The stored picture of an id, or UnknownImage."""
    with read(engine) as connection:
        row = connection.execute(select(images).where(images.c.id == image_id)).mappings().first()
    if row is None:
        raise UnknownImage(image_id)
    return Image(**row)


def delete_image(engine: Engine, image_id: str) -> None:
    """Remove the row of a stored picture; the bytes are the caller's."""
    with write(engine) as connection:
        connection.execute(delete(images).where(images.c.id == image_id))
