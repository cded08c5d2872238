"""Other labels for the members of a set, which become a set of their own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from app.datasets.dataset import StoredMember
from app.datasets.errors import InvalidDataset
from app.datasets.layout import NameIndex


@dataclass(frozen=True)
class Relabeling:
    """What changes: all of it is said of the set as it is.

    ``labels`` are those of members by name, or by position in decimal digits; ``rename`` gives a label
    another name, or that of a label that there is; ``drop`` are labels and positions of members that are left
    out; ``table`` are labels by file, as a CSV has them. A label None takes the label away. ``labels`` go
    before ``table``, and that before ``rename``.
    """

    labels: Mapping[str, str | None] = field(default_factory=dict)
    rename: Mapping[str, str | None] = field(default_factory=dict)
    drop: Sequence[str | int] = ()
    table: Mapping[str, str | None] = field(default_factory=dict)


def relabeled(members: Sequence[StoredMember], changes: Relabeling) -> list[StoredMember]:
    """The members of the new set, at their positions there.

    Raises InvalidDataset that names the field if it speaks of what is not there, or if no member is left.
    """
    there = {member.label for member in members} - {None}
    _require_labels("rename", changes.rename, there)
    _require_labels("drop", [each for each in changes.drop if isinstance(each, str)], there)
    dropped = set(changes.drop)
    for place, each in enumerate(changes.drop):
        if isinstance(each, int) and not 0 <= each < len(members):
            raise InvalidDataset(f"drop.{place}", f"Positions are 0 to {len(members) - 1}, and not {each}.")
    given = {**_of_table(members, changes.table), **_of_members(members, changes.labels)}
    kept = [
        replace(member, label=given.get(place, changes.rename.get(member.label or "", member.label)))
        for place, member in enumerate(members)
        if place not in dropped and member.label not in dropped
    ]
    if not kept:
        raise InvalidDataset("drop", "No member is left: drop fewer.")
    return [replace(member, position=place) for place, member in enumerate(kept)]


def _require_labels(field: str, labels: Mapping[str, object] | Sequence[str], there: set[str | None]) -> None:
    for label in labels:
        if label not in there:
            shown = ", ".join(sorted(str(each) for each in there))[:300] or "none"
            raise InvalidDataset(field, f"No member has the label {label[:80]!r}. Labels: {shown}.")


def _of_members(members: Sequence[StoredMember], labels: Mapping[str, str | None]) -> dict[int, str | None]:
    """Labels by place, of labels by name or position."""
    index = NameIndex((place, [member.name]) for place, member in enumerate(members))
    found: dict[int, str | None] = {}
    for key, label in labels.items():
        places = index.named(key)
        if not places and key.isdecimal() and len(key) < 9 and int(key) < len(members):
            places = [int(key)]
        if len(places) != 1:
            count = f"{len(places)} members have" if places else "No member has"
            raise InvalidDataset(
                f"labels.{key[:80]}", f"{count} the name {key[:80]!r}: name a member, or its position."
            )
        found[places[0]] = label
    return found


def _of_table(members: Sequence[StoredMember], table: Mapping[str, str | None]) -> dict[int, str | None]:
    """Labels by place, of a table of files."""
    index = NameIndex((place, [member.name]) for place, member in enumerate(members))
    found: dict[int, str | None] = {}
    wrong = []
    for key, label in table.items():
        places = index.find(key)
        if len(places) == 1:
            found[places[0]] = label
        else:
            wrong.append(key)
    if wrong:
        raise InvalidDataset(
            "labels",
            f"{len(wrong):,} rows name no member, or several, such as {wrong[0][:80]!r}: write names as "
            "`GET .../members` shows them.",
        )
    return found
