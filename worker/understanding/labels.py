"""Labels of a set as classes of a network."""

import difflib
from collections.abc import Iterable, Sequence
from typing import Literal

from app.errors import InputError

# Labels that an error lists.
LISTED = 8


def classes_of_labels(
    labels: Iterable[str], classes: Sequence[str], network: str, by: Literal["names", "indices"]
) -> dict[str, int]:
    """The index of the class that each label means.

    Names match whatever their case, and with ``_`` for spaces. Raises InputError on ``dataset`` that lists
    the labels without a class, and the nearest names.
    """
    every = sorted(set(labels))
    if by == "indices":
        return _by_index(every, classes, network)
    places: dict[str, list[int]] = {}
    for place, name in enumerate(classes):
        places.setdefault(_folded(name), []).append(place)
    wrong = [label for label in every if _folded(label) not in places]
    if wrong:
        shown = "; ".join(_unmatched(label, classes, places) for label in wrong[:LISTED])
        more = f"; and {len(wrong) - LISTED} more" if len(wrong) > LISTED else ""
        begin = ", ".join(classes[:LISTED])
        raise InputError(
            "dataset",
            f"{len(wrong)} of {len(every)} labels are no classes of {network}: {shown}{more}. Its "
            f"{len(classes)} classes begin with {begin}. Choose a network that knows them, or "
            "relabel the set.",
        )
    for label in every:
        found = places[_folded(label)]
        if len(found) > 1:
            raise InputError(
                "dataset",
                f"{network} has several classes {label!r} ({', '.join(map(str, found))}): label by index, "
                "and set labels to indices.",
            )
    return {label: places[_folded(label)][0] for label in every}


def _by_index(labels: Sequence[str], classes: Sequence[str], network: str) -> dict[str, int]:
    wrong = [label for label in labels if not (label.isdecimal() and int(label) < len(classes))]
    if wrong:
        shown = ", ".join(repr(label) for label in wrong[:LISTED])
        raise InputError(
            "dataset",
            f"{len(wrong)} labels are no indices of classes of {network}, which are 0 to {len(classes) - 1}: "
            f"{shown}. Set labels to names, or relabel the set.",
        )
    return {label: int(label) for label in labels}


def _folded(name: str) -> str:
    return " ".join(name.replace("_", " ").casefold().split())


def _unmatched(label: str, classes: Sequence[str], places: dict[str, list[int]]) -> str:
    near = difflib.get_close_matches(_folded(label), list(places), n=2)
    names = " or ".join(repr(classes[places[name][0]]) for name in near)
    return f"{label!r} ({names}?)" if names else repr(label)
