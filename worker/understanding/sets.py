"""The pictures of a set as a network is shown them, batch by batch."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from app.errors import InputError
from worker.contract.inputs import Member
from worker.contract.steps import StepState
from worker.media.pictures import Picture
from worker.understanding.views import as_input

# Pixels of the pictures of a batch together at most: 16 of 224 px a side. The first layers of VGG-16 then
# take 400 MB in float32.
BATCH_PIXELS = 16 * 224**2


def batches(
    members: Sequence[Member],
    side: int,
    size: int = 16,
    *,
    start: int = 0,
    on_damaged: Callable[[int, InputError], object] | None = None,
) -> Iterator[tuple[range, Tensor]]:
    """The pictures from place ``start`` on, each as :func:`as_input` shows it, at most ``size`` at a time.

    Yields the places in the set, which follow each other, and the pictures (N, 3, side, side) on the CPU.
    Each is decoded when its turn comes. One that cannot be decoded is left out, and ends its batch:
    ``on_damaged`` is told its place and what is wrong; None: the InputError is raised. Batches end at the
    same places whatever the ``start`` is.
    """
    size = max(1, min(size, BATCH_PIXELS // side**2))
    for first in range(start - start % size, len(members), size):
        begun, pictures = max(start, first), list[Tensor]()
        for place in range(begun, min(first + size, len(members))):
            try:
                pictures.append(as_input(still(members[place]), side))
            except InputError as error:
                if on_damaged is None:
                    raise
                on_damaged(place, error)
                if pictures:
                    yield range(begun, place), torch.cat(pictures)
                begun, pictures = place + 1, []
        if pictures:
            yield range(begun, begun + len(pictures)), torch.cat(pictures)


def still(member: Member) -> Tensor:
    """The picture (1, 3, H, W) of a member. Raises InputError if it cannot be decoded, or moves."""
    loaded = member.source.load()
    if not isinstance(loaded, Picture):
        raise InputError("dataset", f"{member.name} is a clip: a set has still pictures.")
    return loaded.rgb


class Damage:
    """The members of a set that could not be decoded, over a run and its resumption."""

    # Named in a result at most.
    NAMED = 20

    def __init__(self, members: Sequence[Member], resume: StepState | None = None) -> None:
        """None yet, or those of a state."""
        self._members = members
        self._found = dict(resume.values["damaged"]) if resume is not None else {}

    def __len__(self) -> int:
        return len(self._found)

    def add(self, place: int, error: InputError) -> None:
        """Note one, by its place in the set."""
        self._found[str(place)] = error.detail

    def values(self) -> dict[str, Any]:
        """What a state keeps."""
        return {"damaged": dict(self._found)}

    @property
    def places(self) -> set[int]:
        """The places of those that were left out."""
        return {int(place) for place in self._found}

    def report(self) -> dict[str, Any]:
        """How many, and which of them with the reason."""
        named = list(self._found.items())[: self.NAMED]
        rows = [{"name": self._members[int(place)].name, "error": detail} for place, detail in named]
        return {"count": len(self._found), "pictures": rows}
