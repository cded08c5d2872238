"""The parts of a set: what is trained on, what choices are made by, and what is only tested.

Where validation is empty, as in a set of one picture a class, whoever needs it takes the training part in its
place, and says so; an empty test part means that there is nothing to report of it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal, get_args

Part = Literal["train", "validation", "test"]
PARTS: tuple[Part, ...] = get_args(Part)

# Folders at the top that are parts and no classes.
PART_FOLDERS: Mapping[str, Part] = {
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("val", "valid", "validation"), "validation"),
    **dict.fromkeys(("test", "testing"), "test"),
}
# Of the pictures of a class that validation takes, and the test; training has the others.
HELD_OUT = 0.15

# SHA-256 of the file, label, name.
MemberKey = tuple[str, str | None, str]


@dataclass(frozen=True)
class _Picture:
    """A picture, which several members may have: their labels, and the parts that their folders name."""

    labels: frozenset[str]
    folders: frozenset[Part]


def split_members(members: Sequence[MemberKey], seed: int = 0) -> list[Part | None]:
    """The part of each member; None for those without label.

    A picture is in one part, however many members have it, and whatever their labels. Every class has a
    picture in training.

    - The folders ``train``, ``val`` and ``test`` at the top say the part. A picture in several of them is
      tested on rather than validated with, and that rather than trained on. A part without a folder is taken
      from the others' pictures, as below. If all lie in ``val`` and ``test``, folders say nothing.
    - Else validation and test have 15 % each of the distinct pictures of every class, rounded, and one at
      least. A class of 2 or 3 gives one picture to one of both: such classes, by name, to validation and test
      in turn. A class of one is only trained on. Which ones: the first by the hash of ``seed`` and picture.
    - A picture with several labels is only trained on unless a folder says otherwise: no answer to it is
      right.
    - A class that is left without a picture in training gets one back, of validation if there is one.
    """
    pictures = _pictures(members)
    parts = _by_folder(pictures)
    pool = {sha256: picture for sha256, picture in pictures.items() if sha256 not in parts}
    missing = [part for part in PARTS[1:] if part not in parts.values()]
    parts |= _by_class(pool, missing, seed)
    _give_back(pictures, parts)
    return [None if label is None else parts[sha256] for sha256, label, _ in members]


def folder_parts(names: Sequence[str]) -> list[Part | None]:
    """The part that the folder at the top of each name of a set says; None if it says none.

    Pictures of trains may lie in a folder ``train``, too: it is a part if there are folders in it, as in
    ``train/cat/1.png``, or if all folders at the top of the set are parts.
    """
    folders = [name.split("/")[:-1] for name in names]
    are_all = all(each[0].lower() in PART_FOLDERS for each in folders if each)
    return [
        PART_FOLDERS.get(each[0].lower()) if each and (are_all or len(each) > 1) else None for each in folders
    ]


def _pictures(members: Sequence[MemberKey]) -> dict[str, _Picture]:
    """The distinct pictures with a label, by hash."""
    labels: dict[str, set[str]] = defaultdict(set)
    folders: dict[str, set[Part]] = defaultdict(set)
    parts = folder_parts([name for _, _, name in members])
    for (sha256, label, _), part in zip(members, parts, strict=True):
        if label is not None:
            labels[sha256].add(label)
            folders[sha256].update([part] if part else [])
    return {
        sha256: _Picture(frozenset(labels[sha256]), frozenset(folders[sha256])) for sha256 in sorted(labels)
    }


def _by_folder(pictures: Mapping[str, _Picture]) -> dict[str, Part]:
    """The parts of the pictures that folders hold back from training; none if no others are left."""
    held: dict[str, Part] = {}
    for sha256, picture in pictures.items():
        if "test" in picture.folders:
            held[sha256] = "test"
        elif "validation" in picture.folders:
            held[sha256] = "validation"
    return held if len(held) < len(pictures) else {}


def _by_class(pictures: Mapping[str, _Picture], held: Sequence[Part], seed: int) -> dict[str, Part]:
    """The parts of pictures of which those of ``held`` are taken by class."""
    parts: dict[str, Part] = dict.fromkeys(pictures, "train")
    if not held:
        return parts
    classes: dict[str, list[str]] = defaultdict(list)
    for sha256 in sorted(pictures, key=lambda sha256: _rank(seed, sha256)):
        for label in pictures[sha256].labels:
            classes[label].append(sha256)
    turns = cycle(held)
    for label in sorted(classes):
        count = len(classes[label])
        free = [sha256 for sha256 in classes[label] if len(pictures[sha256].labels) == 1]
        if count < 2 or not free:
            continue
        if count < 2 * len(held):
            parts[free[0]] = next(turns)
            continue
        share = max(1, int(HELD_OUT * count + 0.5))
        for place, part in enumerate(held):
            parts.update(dict.fromkeys(free[place * share : (place + 1) * share], part))
    return parts


def _rank(seed: int, sha256: str) -> bytes:
    """Where a picture comes among others: at random, but always in the same place."""
    return hashlib.sha256(f"{seed} {sha256}".encode()).digest()


def _give_back(pictures: Mapping[str, _Picture], parts: dict[str, Part]) -> None:
    """Move one picture to training of every class that has none there, in place."""
    trained = {
        label for sha256, part in parts.items() if part == "train" for label in pictures[sha256].labels
    }
    for part in PARTS[1:]:
        for sha256, picture in pictures.items():
            if parts[sha256] == part and picture.labels - trained:
                parts[sha256] = "train"
                trained |= picture.labels
