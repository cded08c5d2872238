"""What a set is like: its classes and parts, identical pictures, contradictions, sizes."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import groupby
from statistics import median

from pydantic import BaseModel, Field
from sqlalchemy import Engine, func, select

from app.database.engine import read
from app.datasets.dataset import Dataset
from app.datasets.parts import LabelParts, count_labels
from app.datasets.schemas import LabelCount, PartCounts, label_counts, sum_parts
from app.datasets.split import Part
from app.datasets.tables import dataset_members
from app.images.tables import images
from app.kinds.transferring import Suggestion, suggest

# Pictures that several members have, of which an answer lists the members; and members of each.
LISTED, LISTED_MEMBERS = 50, 20
# A set whose largest class is this many times as large as its smallest is called uneven.
UNEVEN = 5


class Bin(BaseModel):
    """A bar of a histogram."""

    least: int = Field(description="Pixels from here on.")
    below: int = Field(description="And below this.")
    members: int


class Lengths(BaseModel):
    """Widths, or heights, of the pictures."""

    smallest: int
    median: int
    largest: int
    histogram: list[Bin] = Field(description="Each bar is twice as wide as the one before.")


class Twin(BaseModel):
    """A member whose picture another one has."""

    position: int
    name: str
    label: str | None
    part: Part | None


class Twins(BaseModel):
    """Members with the same picture."""

    sha256: str
    image: str
    members: list[Twin] = Field(description=f"At most {LISTED_MEMBERS}.")


class Statistics(BaseModel):
    """What a set is like."""

    members: int
    classes: int = Field(description="Different labels.")
    unlabeled: int = Field(description="Members without a label.")
    pictures: int = Field(description="Different pictures.")
    bytes: int = Field(description="Of the files of all members.")
    labels: list[LabelCount] = Field(description="In alphabetical order.")
    parts: PartCounts | None = Field(description="Null while it is open.")
    largest: LabelCount | None = Field(description="The class with the most members.")
    smallest: LabelCount | None = Field(description="The class with the fewest.")
    imbalance: float | None = Field(description="How many times as large the largest is; null: no classes.")
    duplicates: list[Twins] = Field(description=f"The first {LISTED} pictures that several members have.")
    duplicate_pictures: int = Field(description="How many such pictures there are.")
    conflicts: list[Twins] = Field(description="Those of them whose labels differ.")
    conflicting_pictures: int = Field(description="How many such pictures there are.")
    widths: Lengths | None = Field(description="As stored; null: no members.")
    heights: Lengths | None
    media_types: dict[str, int]
    notes: list[str] = Field(description="What may harm a training.")
    suggestion: Suggestion | None = Field(
        description="How to train with it, by its number of pictures; null while it is open, or of one class."
    )


def measure(engine: Engine, dataset: Dataset) -> Statistics:
    """The statistics of a set, whose parts are known if it is closed."""
    counts = count_labels(engine, dataset.id)
    labels = label_counts(counts)
    classes = [each for each in labels if each.label is not None]
    by_size = sorted(classes, key=lambda each: each.members)
    largest, smallest = (by_size[-1], by_size[0]) if by_size else (None, None)
    twins = _twins(engine, dataset.id)
    conflicts = [each for each in twins if len({m.label for m in each.members} - {None}) > 1]
    widths, heights, media_types = _files(engine, dataset.id)
    found = Statistics(
        members=dataset.members,
        classes=len(classes),
        unlabeled=sum(counts.get(None, {}).values()),
        pictures=dataset.members - dataset.duplicates,
        bytes=dataset.bytes,
        labels=labels,
        parts=sum_parts(counts) if dataset.state == "closed" else None,
        largest=largest,
        smallest=smallest,
        imbalance=round(largest.members / smallest.members, 3) if largest and smallest else None,
        duplicates=[_shortened(each) for each in twins[:LISTED]],
        duplicate_pictures=len(twins),
        conflicts=[_shortened(each) for each in conflicts[:LISTED]],
        conflicting_pictures=len(conflicts),
        widths=_lengths(widths),
        heights=_lengths(heights),
        media_types=media_types,
        notes=[],
        suggestion=_suggestion(counts) if dataset.state == "closed" else None,
    )
    return found.model_copy(update={"notes": list(_notes(found, counts))})


def _suggestion(counts: LabelParts) -> Suggestion | None:
    """By the pictures of the training part; nobody has measured yet how similar they are to a base's."""
    trained = [by_part.get("train", 0) for label, by_part in counts.items() if label is not None]
    return suggest(int(median(trained)), None) if len(trained) > 1 else None


def _notes(found: Statistics, counts: LabelParts) -> Iterable[str]:
    if found.classes == 1:
        yield "There is one class: a network needs another one to tell it from."
    if found.unlabeled:
        yield f"Members without a label, which are not trained on: {found.unlabeled:,}."
    if found.smallest is not None and found.imbalance is not None and found.imbalance >= UNEVEN:
        yield (
            f"The largest class is {found.imbalance:g} times as large as the smallest, "
            f"{found.smallest.label!r}: accuracy says little of small ones."
        )
    single = [label for label, by_part in counts.items() if label is not None and sum(by_part.values()) == 1]
    if single:
        yield f"Classes of one picture, which is only trained on: {_some(single)}."
    if found.parts is not None and found.classes:
        if not found.parts.validation:
            yield "No picture is left for validation: choices are made by the pictures that are trained on."
        if not found.parts.test:
            yield "No picture is left for a test: add more of each class."
        untested = [
            label for label, by_part in counts.items() if label is not None and not by_part.get("test")
        ]
        if found.parts.test and untested:
            yield f"Classes that are not tested: {_some(untested)}."
    if found.conflicting_pictures:
        yield (f"Pictures with several labels: {found.conflicting_pictures:,}. Relabel or drop them.")


def _some(labels: Sequence[str]) -> str:
    """How many there are, and the first of them."""
    shown = ", ".join(labels[:3])
    return f"{len(labels):,} ({shown}{', ...' if len(labels) > 3 else ''})"


def _twins(engine: Engine, dataset_id: str) -> list[Twins]:
    """The pictures that several members have, in the order of the first."""
    table = dataset_members.c
    several = (
        select(table.sha256)
        .where(table.dataset_id == dataset_id)
        .group_by(table.sha256)
        .having(func.count() > 1)
    )
    query = select(table.sha256, table.image_id, table.position, table.name, table.label, table.part)
    query = query.where(table.dataset_id == dataset_id, table.sha256.in_(several))
    with read(engine) as connection:
        rows = connection.execute(query.order_by(table.sha256, table.position)).all()
    found = []
    for sha256, group in groupby(rows, key=lambda row: row.sha256):
        same = list(group)
        members = [Twin(position=r.position, name=r.name, label=r.label, part=r.part) for r in same]
        found.append(Twins(sha256=sha256, image=same[0].image_id, members=members))
    return sorted(found, key=lambda each: each.members[0].position)


def _shortened(twins: Twins) -> Twins:
    return twins.model_copy(update={"members": twins.members[:LISTED_MEMBERS]})


def _files(engine: Engine, dataset_id: str) -> tuple[Counter[int], Counter[int], dict[str, int]]:
    """Number of members by width, by height, and by media type."""
    shape = (images.c.width, images.c.height, images.c.media_type)
    query = select(*shape, func.count()).join(dataset_members, dataset_members.c.image_id == images.c.id)
    query = query.where(dataset_members.c.dataset_id == dataset_id).group_by(*shape)
    widths: Counter[int] = Counter()
    heights: Counter[int] = Counter()
    media_types: Counter[str] = Counter()
    with read(engine) as connection:
        for width, height, media_type, count in connection.execute(query):
            widths[width] += count
            heights[height] += count
            media_types[media_type] += count
    return widths, heights, dict(media_types.most_common())


def _lengths(counts: Counter[int]) -> Lengths | None:
    """None if there are no pictures. A bar from each power of two to the next."""
    if not counts:
        return None
    ordered = sorted(counts)
    bars: Counter[int] = Counter()
    for length, count in counts.items():
        bars[length.bit_length() - 1] += count
    powers = range(min(bars), max(bars) + 1)
    return Lengths(
        smallest=ordered[0],
        median=_median(counts, ordered),
        largest=ordered[-1],
        histogram=[Bin(least=2**power, below=2 ** (power + 1), members=bars[power]) for power in powers],
    )


def _median(counts: Counter[int], ordered: list[int]) -> int:
    """The lower one of two."""
    middle, seen = (counts.total() + 1) // 2, 0
    for length in ordered:
        seen += counts[length]
        if seen >= middle:
            return length
    raise ValueError("no lengths")
