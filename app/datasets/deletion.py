"""Deletes sets, with the pictures that came with them and that nobody needs."""

from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, exists, select, update
from sqlalchemy.exc import IntegrityError

from app.database.engine import IN_ONE, read, write
from app.datasets.errors import DatasetInUse, UnknownDataset
from app.datasets.repository import all_members
from app.datasets.tables import dataset_members, datasets
from app.images.tables import images

_IS_HELD = exists().where(dataset_members.c.image_id == images.c.id)


@dataclass(frozen=True)
class Needs:
    """Who needs a set and pictures, asked once their rows are locked.

    ``users`` are ids of jobs that have not ended and that need the set; ``kept`` those of some pictures that
    such a job needs.
    """

    users: Callable[[Connection, str], Sequence[str]] = lambda _, __: ()
    kept: Callable[[Connection, Sequence[str]], Set[str]] = lambda _, __: frozenset()


def delete_dataset(engine: Engine, dataset_id: str, needs: Needs) -> Iterator[list[str]]:
    """Remove a set; yields the ids of pictures whose rows are gone, so that their files may be deleted.

    Those are the pictures that came with a set and that no set holds any more; those that a job needs become
    pictures like those that were uploaded one by one. Raises UnknownDataset, DatasetInUse.
    """
    held = [member.image_id for member in all_members(engine, dataset_id)]
    mine = datasets.c.id == dataset_id
    with write(engine) as connection:
        name = connection.execute(select(datasets.c.name).where(mine).with_for_update()).scalar()
        if name is None:
            raise UnknownDataset(dataset_id)
        if users := needs.users(connection, dataset_id):
            raise DatasetInUse(name, users)
        connection.execute(delete(datasets).where(mine))
    own = sorted(set(held))
    for start in range(0, len(own), IN_ONE):
        yield _delete_unheld(engine, own[start : start + IN_ONE], needs)


def delete_left(engine: Engine, needs: Needs) -> Iterator[list[str]]:
    """Remove what interrupted deletions left: pictures that came with a set, and that no set holds.

    Yields the ids of those whose rows are gone, like :func:`delete_dataset`.
    """
    last = ""
    while True:
        query = select(images.c.id).where(images.c.imported, ~_IS_HELD, images.c.id > last)
        with read(engine) as connection:
            page = connection.execute(query.order_by(images.c.id).limit(IN_ONE)).scalars().all()
        if not page:
            return
        yield _delete_unheld(engine, page, needs)
        last = page[-1]


def _delete_unheld(engine: Engine, page: Sequence[str], needs: Needs) -> list[str]:
    """Delete the rows of some pictures that came with a set, unless a set holds them or a job needs them.

    Returns the ids of those that are gone; those that a job needs are uploads from now on.
    """
    try:
        with write(engine) as connection:
            # Locked in the order in which jobs lock theirs.
            some = select(images.c.id).where(images.c.id.in_(page)).order_by(images.c.id)
            connection.execute(some.with_for_update())
            kept = needs.kept(connection, page)
            gone = delete(images).where(
                images.c.id.in_(page), images.c.id.not_in(kept), images.c.imported, ~_IS_HELD
            )
            deleted = list(connection.execute(gone.returning(images.c.id)).scalars())
            loose = update(images).where(images.c.id.in_(kept), ~_IS_HELD)
            connection.execute(loose.values(imported=False))
    except IntegrityError:
        # Another set took one of them at this moment: they stay.
        return []
    return deleted
