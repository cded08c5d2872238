"""The labelled pictures of a set as a training uses them."""

import hashlib
from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from app.datasets.split import Part
from app.errors import InputError
from worker.contract.inputs import Member
from worker.training.pictures import Pictures, center, decode, decoded_side
from worker.training.transfer import LabelledPictures, places_of
from worker.understanding.sets import Damage


@dataclass(frozen=True)
class LearningSet:
    """The labelled members of a set that could be decoded, in order.

    ``labels`` (N,) are places in ``classes``, ``parts`` the part of each picture; ``pictures`` are those of
    all places, and networks are shown their center of ``size`` pixels.
    """

    members: Sequence[Member]
    classes: tuple[str, ...]
    labels: Tensor
    parts: tuple[Part, ...]
    pictures: Pictures
    size: int
    device: torch.device

    def places(self, part: Part) -> Tensor:
        """The places of the pictures of a part, (n,)."""
        return places_of(self.parts, part)

    def centers(self, places: Tensor) -> Tensor:
        """The pictures of some places as a network is shown them to classify, (n, 3, size, size)."""
        return center(self.pictures.take(places), self.size)

    def labelled_pictures(self) -> LabelledPictures:
        """The same for what learns from features."""
        return LabelledPictures(
            lambda first, end: self.centers(torch.arange(first, end)), self.labels, self.parts, self.classes
        )

    def with_fold(self, fold: int, folds: int, seed: int) -> "LearningSet":
        """The set with a fold of its training and validation parts for validation, and the rest to train on.

        Folds are stratified, and copies of a picture are in one of them. The only picture of a class is
        trained on in all of them. The test part stays what it is.
        """
        numbers = _folds(self.members, self.labels.tolist(), self.parts, folds, seed)
        parts: list[Part] = []
        for part, number in zip(self.parts, numbers, strict=True):
            if part == "test":
                parts.append(part)
            else:
                parts.append("validation" if number == fold else "train")
        return replace(self, parts=tuple(parts))


def labelled_members(members: Sequence[Member]) -> list[Member]:
    """The members with a label. Raises InputError on ``dataset`` if two classes do not come together."""
    labelled = [member for member in members if member.label is not None and member.part is not None]
    if not labelled:
        raise InputError(
            "dataset",
            "None of its pictures has a label: sort them into folders of classes, add a table, or label them "
            "on the page.",
        )
    _require_classes({str(member.label) for member in labelled})
    return labelled


def decode_set(
    members: Sequence[Member], size: int, damage: Damage, device: torch.device
) -> Generator[int, None, LearningSet]:
    """Decode labelled members, for a network of ``size`` px. Yields how many chunks of them are done.

    Raises InputError on ``dataset`` if too few of them can be decoded.
    """
    decoded = yield from decode(members, decoded_side(size), damage, device)
    good = [place for place in range(len(members)) if place not in damage.places]
    there = [members[place] for place in good]
    if not there:
        raise InputError("dataset", f"None of its pictures can be decoded: {damage.first}")
    labels = [str(member.label) for member in there]
    classes = in_order(set(labels))
    _require_classes(classes)
    learned = LearningSet(
        members=there,
        classes=classes,
        labels=torch.tensor([classes.index(label) for label in labels]),
        parts=tuple(member.part or "train" for member in there),
        pictures=decoded.only(torch.tensor(good)),
        size=size,
        device=device,
    )
    untrained = set(range(len(classes))) - set(learned.labels[learned.places("train")].tolist())
    if untrained:
        raise InputError(
            "dataset",
            f"Class {classes[min(untrained)]!r} has no picture to learn from that can be decoded: add some.",
        )
    return learned


def in_order(labels: set[str]) -> tuple[str, ...]:
    """The labels as classes: by number if all are numbers, else by the alphabet."""
    if all(label.isdecimal() for label in labels):
        return tuple(sorted(labels, key=lambda label: (int(label), label)))
    return tuple(sorted(labels))


def _require_classes(labels: "set[str] | tuple[str, ...]") -> None:
    if len(labels) < 2:
        raise InputError(
            "dataset",
            f"All of its pictures are {min(labels)!r}: add pictures of another class to tell apart.",
        )


def _folds(
    members: Sequence[Member], labels: Sequence[int], parts: Sequence[Part], folds: int, seed: int
) -> list[int | None]:
    """The fold of each member; None: it is in no fold."""
    pool = [place for place, part in enumerate(parts) if part != "test"]
    counts = Counter(labels[place] for place in pool)
    found: dict[str, int] = {}
    order = sorted(pool, key=lambda place: (labels[place], _rank(seed, members[place].source.sha256)))
    # Dealt on from class to class, so that folds are of one size.
    for place in order:
        if counts[labels[place]] > 1:
            found.setdefault(members[place].source.sha256, len(found) % folds)
    numbers = [
        None if part == "test" else found.get(member.source.sha256)
        for part, member in zip(parts, members, strict=True)
    ]
    if len(set(numbers) - {None}) < folds:
        raise InputError("folds", f"There are too few pictures for {folds} folds: choose fewer, or add some.")
    return numbers


def _rank(seed: int, sha256: str) -> bytes:
    return hashlib.sha256(f"{seed} {sha256}".encode()).digest()
