"""The SQL statements that rename sets, and make sets of the pictures of others."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Engine, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from app.database.engine import now, read, write
from app.database.ids import new_id
from app.database.keys import Keyed, columns_of
from app.datasets.dataset import Dataset, StoredMember
from app.datasets.errors import DatasetNameTaken, UnknownDataset
from app.datasets.repository import lock_images
from app.datasets.split import split_members
from app.datasets.tables import dataset_members, datasets
from app.images.tables import images


def rename_dataset(engine: Engine, dataset_id: str, name: str) -> Dataset:
    """Give a set another name. Raises UnknownDataset, DatasetNameTaken."""
    statement = update(datasets).where(datasets.c.id == dataset_id).values(name=name).returning(*datasets.c)
    both = or_(datasets.c.id == dataset_id, datasets.c.name == name)
    try:
        with write(engine) as connection:
            # In one order: two sets that get each other's names would wait for each other.
            connection.execute(select(datasets.c.id).where(both).order_by(datasets.c.id).with_for_update())
            row = connection.execute(statement).mappings().first()
    except IntegrityError:
        raise DatasetNameTaken(name) from None
    if row is None:
        raise UnknownDataset(dataset_id)
    return Dataset(**row)


def add_closed(
    engine: Engine,
    name: str,
    options: dict[str, Any],
    members: Sequence[StoredMember],
    sha256: str,
    origin: str,
    request: Keyed | None = None,
) -> Dataset:
    """Write a closed set of members of the set ``origin``, at their positions; ``sha256`` is its content's.

    Raises DatasetNameTaken, also if the same request made it at this moment, and UnknownDataset if ``origin``
    is gone.
    """
    dataset_id, moment = new_id(), now()
    sizes = _sizes(engine, origin)
    counts = {
        "members": len(members),
        "duplicates": len(members) - len({member.sha256 for member in members}),
        "bytes": sum(sizes.get(member.image_id, 0) for member in members),
    }
    values = {"id": dataset_id, "name": name, "source": "upload", "options": options, "state": "closed"}
    values |= columns_of(request)
    parts = split_members([(member.sha256, member.label, member.name) for member in members])
    rows = [
        {**vars(member), "dataset_id": dataset_id, "part": part}
        for member, part in zip(members, parts, strict=True)
    ]
    # Locked, so that nobody deletes its pictures meanwhile.
    lock = update(datasets).where(datasets.c.id == origin).values(state=datasets.c.state)
    try:
        with write(engine) as connection:
            if connection.execute(lock.returning(datasets.c.id)).first() is None:
                raise UnknownDataset(origin)
            times = {"created_at": moment, "closed_at": moment}
            connection.execute(
                insert(datasets).values(**values, **counts, **times, sha256=sha256, is_split=True)
            )
            lock_images(connection, {member.image_id for member in members})
            connection.execute(insert(dataset_members), rows)
            row = connection.execute(select(datasets).where(datasets.c.id == dataset_id)).mappings().one()
            return Dataset(**row)
    except IntegrityError:
        raise DatasetNameTaken(name) from None


def _sizes(engine: Engine, dataset_id: str) -> dict[str, int]:
    """Bytes of the pictures of a set, by id."""
    query = select(images.c.id, images.c.bytes).join(
        dataset_members, dataset_members.c.image_id == images.c.id
    )
    with read(engine) as connection:
        found = connection.execute(query.where(dataset_members.c.dataset_id == dataset_id))
        return {image_id: size for image_id, size in found}
