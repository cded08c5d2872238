"""Uploaded pictures and clips: listed, and deleted unless something needs them."""

from collections.abc import Callable, Sequence

from sqlalchemy import ColumnElement, Connection, Engine, and_, delete, exists, select, true
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.database.removal import remove
from app.datasets.tables import dataset_members
from app.images.errors import ImageInSet, ImageInUse, UnknownImage
from app.images.repository import Image, image_key
from app.images.tables import images
from app.jobs.needs import Keep, nothing_kept, users_of
from app.jobs.tables import job_pictures
from app.storage import Storage

# Those that did not come with a set.
_IS_UPLOAD = images.c.imported.is_(False)
# Pictures that one statement of a pass looks at: of millions, most of them in use, it would take too long.
LOOKED_AT = 20_000


def list_uploads(
    engine: Engine, *, limit: int, before: str | None = None, unused: bool | None = None
) -> list[Image]:
    """Uploads older than the one ``before``, newest first; all, the unused ones or the others."""
    query = select(images).where(_IS_UPLOAD)
    if before is not None:
        query = query.where(images.c.id < before)
    if unused is not None:
        query = query.where(_is_unused() if unused else ~_is_unused())
    with read(engine) as connection:
        rows = connection.execute(query.order_by(images.c.id.desc()).limit(limit)).mappings()
        return [Image(**row) for row in rows]


def old_uploads(engine: Engine, seconds: float, after: str, limit: int) -> tuple[Sequence[str], str | None]:
    """Ids, in order, of unused uploads older than ``seconds`` behind the id ``after``, and where to go on.

    Few may be unused of many: no more than LOOKED_AT pictures are looked at. None: these were the last.
    """
    with read(engine) as connection:
        behind = select(images.c.id).where(images.c.id > after).order_by(images.c.id)
        end = connection.execute(behind.offset(LOOKED_AT - 1).limit(1)).scalar()

        def within(ids: ColumnElement[str]) -> ColumnElement[bool]:
            return ids > after if end is None else and_(ids > after, ids <= end)

        is_old = (_IS_UPLOAD, images.c.created_at < now() - seconds, within(images.c.id))
        query = select(images.c.id).where(*is_old, _is_unused(within)).order_by(images.c.id).limit(limit)
        found = connection.execute(query).scalars().all()
    return found, found[-1] if len(found) == limit else end


def _anywhere(_ids: ColumnElement[str]) -> ColumnElement[bool]:
    return true()


def _is_unused(
    within: Callable[[ColumnElement[str]], ColumnElement[bool]] = _anywhere,
) -> ColumnElement[bool]:
    """That no set and no job, ended or not, names a picture.

    ``within`` says what holds of its id: a database that joins tables whole then reads no more of them.
    """
    reference, member = job_pictures.c.reference, dataset_members.c.image_id
    return and_(
        ~exists().where(reference == images.c.id, within(reference)),
        ~exists().where(member == images.c.id, within(member)),
    )


def remove_image(
    engine: Engine,
    storage: Storage,
    image_id: str,
    *,
    if_unused: bool = False,
    keep: Keep = nothing_kept,
) -> None:
    """Delete a picture and its bytes, though ended jobs name it unless ``if_unused``.

    Raises UnknownImage, ImageInUse, ImageInSet, and what ``keep`` raises.
    """
    # On a full disk the bytes go before the row does, perhaps before it can even be locked.
    with read(engine) as connection:
        _require_deletable(connection, image_id, if_unused, keep)
        holds = dataset_members.c.image_id == image_id
        if connection.execute(select(dataset_members.c.image_id).where(holds).limit(1)).first():
            raise ImageInSet
    remove(
        lambda: delete_image(engine, image_id, if_unused=if_unused, keep=keep),
        lambda: storage.delete(image_key(image_id)),
    )


def delete_image(
    engine: Engine, image_id: str, *, if_unused: bool = False, keep: Keep = nothing_kept
) -> None:
    """Delete the row of a picture; the bytes are the caller's. See :func:`remove_image`."""
    mine = images.c.id == image_id
    try:
        with write(engine) as connection:
            if connection.execute(select(images.c.id).where(mine).with_for_update()).first() is None:
                raise UnknownImage(image_id)
            # A statement of its own, which on PostgreSQL sees what was committed while the lock was awaited.
            _require_deletable(connection, image_id, if_unused, keep)
            connection.execute(delete(images).where(mine))
    except IntegrityError:
        raise ImageInSet from None


def _require_deletable(connection: Connection, image_id: str, if_unused: bool, keep: Keep) -> None:
    """Raises ImageInUse, and what ``keep`` raises."""
    if users := users_of(connection, [image_id], ended=if_unused):
        raise ImageInUse(users)
    keep(connection, image_id)
