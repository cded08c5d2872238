"""The SQL statements about sets."""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.exc import IntegrityError

from app.database.engine import IN_ONE, current_time, now, read, write
from app.database.ids import new_id
from app.database.keys import Keyed, Note, find_made, no_note, note_change
from app.datasets.dataset import ContentHash, Dataset, NewMember, Source, StoredMember, is_reference
from app.datasets.errors import (
    DatasetClosed,
    DatasetEmpty,
    DatasetNameTaken,
    DatasetTooLarge,
    UnknownDataset,
)
from app.datasets.parts import require_parts
from app.datasets.split import Part
from app.datasets.tables import dataset_members, datasets
from app.images.tables import images

# Members read at a time, and pictures deleted in one transaction.
PAGE = 1000
# Sources whose sets are always the same: limits do not cut them.
FIXED = ("digits", "cifar10")


@dataclass(frozen=True)
class Limits:
    """What a set may have at most."""

    members: int
    bytes: int


@dataclass(frozen=True)
class Added:
    """What a call added: new members, members that were there, and how many of the new are duplicates."""

    added: int = 0
    present: int = 0
    duplicates: int = 0

    def __add__(self, other: "Added") -> "Added":
        return Added(
            self.added + other.added, self.present + other.present, self.duplicates + other.duplicates
        )


def add_dataset(
    engine: Engine, name: str, source: Source, options: dict[str, Any], request: Keyed | None = None
) -> Dataset:
    """Write the row of an open set without members.

    Returns it, or the one that the same request made before. Raises DatasetNameTaken, KeyReused.
    """
    dataset = new_dataset(engine, name, source, options, request)
    try:
        with write(engine) as connection:
            insert_dataset(connection, dataset)
    except IntegrityError:
        earlier = find_made_dataset(engine, request)
        if earlier is None:
            raise DatasetNameTaken(name) from None
        return earlier
    return dataset


def new_dataset(
    engine: Engine, name: str, source: Source, options: dict[str, Any], request: Keyed | None = None
) -> Dataset:
    """An open set without members, whose row is still to be written."""
    return Dataset(
        id=new_id(),
        name=name,
        source=source,
        options=options,
        state="open",
        sha256=None,
        members=0,
        duplicates=0,
        bytes=0,
        created_at=current_time(engine),
        closed_at=None,
        is_split=False,
        idempotency_key=None if request is None else request.key,
        payload_hash=None if request is None else request.payload_hash,
    )


def insert_dataset(connection: Connection, dataset: Dataset) -> None:
    """Write the row of a new set, in a transaction of the caller's.

    Raises IntegrityError if there is one of its name or its key.
    """
    connection.execute(insert(datasets).values(**vars(dataset)))


def find_made_dataset(engine: Engine, request: Keyed | None) -> Dataset | None:
    """The set that the same request made before. Raises KeyReused."""
    row = find_made(engine, datasets, request)
    return None if row is None else Dataset(**row)


def find_dataset(engine: Engine, reference: str) -> Dataset | None:
    """The set of an id, a name, or ``<id or name>@<sha256>``.

    The last is the set with that content: the one with the id or name if it has it, or else the oldest.
    """
    if not is_reference(reference):
        return None
    key, _, sha256 = reference.partition("@")
    named = (datasets.c.id == key) | (datasets.c.name == key)
    query = select(datasets).where(datasets.c.sha256 == sha256 if sha256 else named)
    with read(engine) as connection:
        row = connection.execute(query.order_by(~named, datasets.c.id).limit(1)).mappings().first()
    return None if row is None else Dataset(**row)


def get_dataset(engine: Engine, reference: str) -> Dataset:
    """The set of an id or name. Raises UnknownDataset."""
    found = find_dataset(engine, reference)
    if found is None:
        raise UnknownDataset(reference)
    return found


def list_datasets(engine: Engine, *, limit: int, before: str | None = None) -> list[Dataset]:
    """Sets older than the set ``before``, newest first."""
    query = select(datasets).order_by(datasets.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(datasets.c.id < before)
    with read(engine) as connection:
        return [Dataset(**row) for row in connection.execute(query).mappings()]


def list_members(
    engine: Engine,
    dataset_id: str,
    *,
    after: int = -1,
    limit: int = PAGE,
    label: str | None = None,
    part: Part | None = None,
) -> list[StoredMember]:
    """Members whose position is greater than ``after``, in order; those of one label and part if given.

    The label "" stands for none.
    """
    table = dataset_members.c
    query = select(*_MEMBER_COLUMNS).where(table.dataset_id == dataset_id, table.position > after)
    if label is not None:
        query = query.where(table.label == label if label else table.label.is_(None))
    if part is not None:
        query = query.where(table.part == part)
    with read(engine) as connection:
        rows = connection.execute(query.order_by(table.position).limit(limit)).mappings()
        return [StoredMember(**row) for row in rows]


def all_members(engine: Engine, dataset_id: str) -> Iterator[StoredMember]:
    """All members in order."""
    after = -1
    while page := list_members(engine, dataset_id, after=after):
        yield from page
        after = page[-1].position


_MEMBER_COLUMNS = [column for column in dataset_members.c if column.name != "dataset_id"]


def find_imported(engine: Engine, hashes: Sequence[str]) -> dict[str, str]:
    """Ids of pictures that came with a set, by the SHA-256 of their files."""
    with read(engine) as connection:
        return _find_imported(connection, hashes)


def _find_imported(connection: Connection, hashes: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(hashes), IN_ONE):
        query = select(images.c.sha256, images.c.id).where(
            images.c.imported, images.c.sha256.in_(hashes[start : start + IN_ONE])
        )
        for sha256, image_id in connection.execute(query.order_by(images.c.id)):
            found.setdefault(sha256, image_id)
    return found


def add_members(
    engine: Engine,
    dataset_id: str,
    new: Sequence[NewMember],
    limits: Limits,
    request: Keyed | None = None,
) -> Added:
    """Add members at the end of an open set, and the rows of the pictures that came with them.

    Those that are there already, by name and content, are left out. Raises UnknownDataset, DatasetClosed,
    DatasetTooLarge; then none is added.
    """
    with write(engine) as connection:
        dataset = _lock_open(connection, dataset_id)
        names = _present(connection, dataset_id, {member.sha256 for member in new})
        hashes = {sha256 for _, sha256 in names}
        fresh: list[NewMember] = []
        duplicates = 0
        for member in new:
            key = (member.name, member.sha256)
            if key in names:
                continue
            duplicates += member.sha256 in hashes
            names.add(key)
            hashes.add(member.sha256)
            fresh.append(member)
        size = sum(member.bytes for member in fresh)
        _check_limits(dataset, len(fresh), size, limits)
        if fresh:
            _insert(connection, dataset, fresh)
            connection.execute(
                update(datasets)
                .where(datasets.c.id == dataset_id)
                .values(
                    members=datasets.c.members + len(fresh),
                    duplicates=datasets.c.duplicates + duplicates,
                    bytes=datasets.c.bytes + size,
                )
            )
        added = Added(len(fresh), len(new) - len(fresh), duplicates)
        note_change(connection, request, {"dataset_id": dataset_id}, answer=vars(added))
        return added


def _lock_open(connection: Connection, dataset_id: str) -> Dataset:
    """The row of an open set, locked until the transaction ends. Raises UnknownDataset, DatasetClosed."""
    lock = update(datasets).where(datasets.c.id == dataset_id).values(state=datasets.c.state)
    row = connection.execute(lock.returning(*datasets.c)).mappings().first()
    if row is None:
        raise UnknownDataset(dataset_id)
    dataset = Dataset(**row)
    if dataset.state == "closed":
        raise DatasetClosed(dataset.name)
    return dataset


def require_room(
    engine: Engine, dataset_id: str, files: Sequence[tuple[str, str, int]], limits: Limits
) -> None:
    """Check that files, (name, SHA-256, bytes), can be added to an open set.

    Raises UnknownDataset, DatasetClosed, DatasetTooLarge.
    """
    with write(engine) as connection:
        dataset = _lock_open(connection, dataset_id)
        present = _present(connection, dataset_id, {sha256 for _, sha256, _ in files})
    fresh = {(name, sha256): size for name, sha256, size in files if (name, sha256) not in present}
    _check_limits(dataset, len(fresh), sum(fresh.values()), limits)


def _present(connection: Connection, dataset_id: str, hashes: Set[str]) -> set[tuple[str, str]]:
    """The (name, hash) of members with these hashes."""
    wanted, table = sorted(hashes), dataset_members.c
    found: set[tuple[str, str]] = set()
    for start in range(0, len(wanted), IN_ONE):
        query = select(table.name, table.sha256).where(
            table.dataset_id == dataset_id, table.sha256.in_(wanted[start : start + IN_ONE])
        )
        found.update((name, sha256) for name, sha256 in connection.execute(query))
    return found


def _check_limits(dataset: Dataset, count: int, size: int, limits: Limits) -> None:
    if dataset.source in FIXED:
        return
    if dataset.members + count > limits.members:
        raise DatasetTooLarge(
            f"A set may have {limits.members:,} members, and {dataset.name!r} would have "
            f"{dataset.members + count:,}: leave some out.",
            "members",
        )
    if dataset.bytes + size > limits.bytes:
        raise DatasetTooLarge(
            f"A set may have {limits.bytes:,} bytes, and {dataset.name!r} would have "
            f"{dataset.bytes + size:,}: make its pictures smaller, or leave some out.",
            "file",
        )


def _insert(connection: Connection, dataset: Dataset, fresh: Sequence[NewMember]) -> None:
    came = {member.image_id: member for member in fresh if member.info is not None}
    there = _existing(connection, list(came))
    rows = [
        {
            "id": image_id,
            "name": member.name.rpartition("/")[2],
            "media_type": member.info.media_type,
            "bytes": member.bytes,
            "sha256": member.sha256,
            "width": member.info.width,
            "height": member.info.height,
            "frames": 1,
            "imported": True,
        }
        for image_id, member in came.items()
        if member.info is not None and image_id not in there
    ]
    if rows:
        connection.execute(insert(images).values(created_at=now()), rows)
    lock_images(connection, {member.image_id for member in fresh})
    connection.execute(
        insert(dataset_members),
        [
            {
                "dataset_id": dataset.id,
                "position": dataset.members + place,
                "image_id": member.image_id,
                "sha256": member.sha256,
                "label": member.label,
                "name": member.name,
                "boxes": member.boxes,
            }
            for place, member in enumerate(fresh)
        ],
    )


def lock_images(connection: Connection, image_ids: Set[str]) -> None:
    """Lock pictures that become members, in the order of their ids, as all do who lock several.

    Rows of members lock theirs in the order of the set, and two transactions would wait for each other.
    """
    ids = sorted(image_ids)
    for start in range(0, len(ids), IN_ONE):
        some = select(images.c.id).where(images.c.id.in_(ids[start : start + IN_ONE])).order_by(images.c.id)
        connection.execute(some.with_for_update(read=True, key_share=True))


def _existing(connection: Connection, image_ids: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for start in range(0, len(image_ids), IN_ONE):
        query = select(images.c.id).where(images.c.id.in_(image_ids[start : start + IN_ONE]))
        found.update(connection.execute(query).scalars())
    return found


def existing_images(engine: Engine, image_ids: Sequence[str]) -> set[str]:
    """Those of some ids that pictures have."""
    with read(engine) as connection:
        return _existing(connection, image_ids)


def close_dataset(engine: Engine, dataset_id: str, note: Note = no_note) -> Dataset:
    """Close a set: compute the hash of its content, and its parts. A closed one stays as it is.

    Raises UnknownDataset, DatasetEmpty.
    """
    try:
        with write(engine) as connection:
            dataset = _close(connection, _lock_open(connection, dataset_id))
            note(connection)
    except DatasetClosed:
        with write(engine) as connection:
            note(connection)
        dataset = get_dataset(engine, dataset_id)
    return require_parts(engine, dataset)


def _close(connection: Connection, dataset: Dataset) -> Dataset:
    if not dataset.members:
        raise DatasetEmpty(dataset.name)
    table, digest = dataset_members.c, ContentHash()
    query = select(table.sha256, table.label, table.name, table.boxes).where(table.dataset_id == dataset.id)
    for row in connection.execute(query.order_by(table.position)):
        digest.add(*row)
    closed = {"state": "closed", "sha256": digest.hexdigest(), "closed_at": now()}
    statement = update(datasets).where(datasets.c.id == dataset.id).values(**closed).returning(*datasets.c)
    return Dataset(**connection.execute(statement).mappings().one())


def datasets_with_image(engine: Engine, image_id: str) -> list[str]:
    """Names of some sets that hold a picture."""
    members = select(dataset_members.c.dataset_id).where(dataset_members.c.image_id == image_id)
    query = select(datasets.c.name).where(datasets.c.id.in_(members)).order_by(datasets.c.id).limit(6)
    with read(engine) as connection:
        return list(connection.execute(query).scalars())
