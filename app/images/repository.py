"""The SQL statements about stored pictures."""

from dataclasses import asdict, dataclass

from sqlalchemy import Engine, delete, insert, select

from app.database.engine import now, read, write
from app.images.errors import UnknownImage
from app.images.tables import images
from app.media.clips import is_clip_type


@dataclass(frozen=True, kw_only=True)
class NewImage:
    """A picture or a clip to be added. Width and height are as displayed, after EXIF orientation."""

    id: str
    name: str | None
    media_type: str
    bytes: int
    sha256: str
    width: int
    height: int
    frames: int = 1


@dataclass(frozen=True, kw_only=True)
class Image(NewImage):
    """A row of the table of pictures; times are seconds since 1970."""

    created_at: float

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip, even if of one frame."""
        return self.frames > 1 or is_clip_type(self.media_type)


def image_key(image_id: str) -> str:
    """The storage key of a picture."""
    return f"images/{image_id}"


def add_image(engine: Engine, new: NewImage) -> Image:
    """Write the row of a picture whose bytes are stored already."""
    statement = insert(images).values(**asdict(new), created_at=now()).returning(*images.c)
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
    """Delete the row of a picture; the bytes are the caller's."""
    with write(engine) as connection:
        connection.execute(delete(images).where(images.c.id == image_id))
