"""The SQL statements about stored pictures."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import IntegrityError

from app.database.engine import IN_ONE, now, read, write
from app.database.ids import is_id
from app.database.keys import Keyed, columns_of, find_made
from app.images.errors import UnknownImage
from app.images.tables import images
from app.media import PictureInfo
from app.media.clips import is_clip_type
from app.storage import Stored
from app.storage.folder import PICTURES


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
    idempotency_key: str | None
    payload_hash: str | None

    @property
    def is_clip(self) -> bool:
        """Whether it is a clip: a video, or an animation of several frames."""
        return self.frames > 1 or is_clip_type(self.media_type)


@dataclass(frozen=True)
class NewImage:
    """A picture whose bytes are stored already, and that has no row yet."""

    id: str
    name: str | None
    info: PictureInfo
    stored: Stored


def find_uploads_alike(engine: Engine, hashes: Collection[str]) -> list[Image]:
    """Uploads, the oldest first, whose bytes have one of these SHA-256; not those that came with a set."""
    query = select(images).where(images.c.sha256.in_(hashes), images.c.imported.is_(False))
    with read(engine) as connection:
        return [Image(**row) for row in connection.execute(query.order_by(images.c.id)).mappings()]


def image_key(image_id: str) -> str:
    """The storage key of a picture."""
    return f"{PICTURES}/{image_id}"


def add_image(engine: Engine, new: NewImage, request: Keyed | None = None) -> Image:
    """Write the row of a picture. Returns it, or the one that the same request made before: KeyReused."""
    values = {**_values(new), **columns_of(request), "created_at": now()}
    try:
        with write(engine) as connection:
            return Image(
                **connection.execute(insert(images).values(**values).returning(*images.c)).mappings().one()
            )
    except IntegrityError:
        earlier = find_image_made(engine, request)
        if earlier is None:
            raise
        return earlier


def find_image_made(engine: Engine, request: Keyed | None) -> Image | None:
    """The picture that the same request stored before. Raises KeyReused."""
    row = find_made(engine, images, request)
    return None if row is None else Image(**row)


def insert_images(connection: Connection, new: Sequence[NewImage]) -> None:
    """Write the rows of pictures in a transaction of the caller's."""
    connection.execute(insert(images).values(created_at=now()), [_values(each) for each in new])


def _values(new: NewImage) -> dict[str, object]:
    return {
        "id": new.id,
        "name": new.name,
        "media_type": new.info.media_type,
        "bytes": new.stored.bytes,
        "sha256": new.stored.sha256,
        "width": new.info.width,
        "height": new.info.height,
        "frames": new.info.frames,
    }


def get_image(engine: Engine, image_id: str) -> Image:
    """The stored picture of an id. Raises UnknownImage."""
    with read(engine) as connection:
        row = connection.execute(select(images).where(images.c.id == image_id)).mappings().first()
    if row is None:
        raise UnknownImage(image_id)
    return Image(**row)


def find_images(engine: Engine, image_ids: Collection[str]) -> dict[str, Image]:
    """The stored pictures of some ids; those that do not exist are left out."""
    wanted, found = sorted(filter(is_id, image_ids)), dict[str, Image]()
    if not wanted:
        return found
    with read(engine) as connection:
        for start in range(0, len(wanted), IN_ONE):
            some = images.c.id.in_(wanted[start : start + IN_ONE])
            rows = connection.execute(select(images).where(some)).mappings()
            found |= {row["id"]: Image(**row) for row in rows}
    return found
