"""The SQL statements about the parts of sets."""

from collections import defaultdict
from dataclasses import replace

from sqlalchemy import Engine, func, select, update

from app.database.engine import IN_ONE, read, write
from app.datasets.dataset import Dataset
from app.datasets.split import Part, split_members
from app.datasets.tables import dataset_members, datasets

LabelParts = dict[str | None, dict[Part | None, int]]


def require_parts(engine: Engine, dataset: Dataset) -> Dataset:
    """The set, whose members have their parts if it is closed.

    They are written after it was closed, so that no other writer waits while they are computed.
    """
    if dataset.state == "open" or dataset.is_split:
        return dataset
    table = dataset_members.c
    own = table.dataset_id == dataset.id
    query = select(table.position, table.sha256, table.label, table.name).where(own)
    with read(engine) as connection:
        rows = connection.execute(query.order_by(table.position)).all()
    positions: dict[Part, list[int]] = defaultdict(list)
    for row, part in zip(rows, split_members([(r.sha256, r.label, r.name) for r in rows]), strict=True):
        if part is not None:
            positions[part].append(row.position)
    with write(engine) as connection:
        for part, places in positions.items():
            for start in range(0, len(places), IN_ONE):
                chosen = table.position.in_(places[start : start + IN_ONE])
                connection.execute(update(dataset_members).where(own, chosen).values(part=part))
        connection.execute(update(datasets).where(datasets.c.id == dataset.id).values(is_split=True))
    return replace(dataset, is_split=True)


def count_labels(engine: Engine, dataset_id: str) -> LabelParts:
    """Number of members by label and part, in the order of labels; None: those without."""
    table = dataset_members.c
    query = select(table.label, table.part, func.count()).where(table.dataset_id == dataset_id)
    counts: LabelParts = defaultdict(dict)
    with read(engine) as connection:
        for label, part, count in connection.execute(query.group_by(table.label, table.part)):
            counts[label][part] = count
    return dict(sorted(counts.items(), key=lambda item: (item[0] is None, item[0] or "")))
