"""Many pictures one after the other: decoded ahead in threads, a batch at a time."""

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import Any, TypeVar

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
# Threads that decode.
DECODERS = 2

T = TypeVar("T")


def read_ahead(
    members: Sequence[Member], read: Callable[[Member], T], size: int, start: int = 0
) -> Generator[tuple[int, list[T | InputError]], None, None]:
    """What ``read`` makes of each from place ``start`` on, or the InputError that it raises, by batches.

    Yields the place of the first, and ``size`` at most. The next batch is read while one is computed. Batches
    end at the same places whatever the ``start`` is.
    """

    def attempt(member: Member) -> T | InputError:
        try:
            return read(member)
        except InputError as error:
            return error

    if len(members) - start <= 1:
        # A thread would only cost time.
        if start < len(members):
            yield start, [attempt(members[start])]
        return
    batches = [
        range(max(start, first), min(first + size, len(members)))
        for first in range(start - start % size, len(members), size)
    ]
    pool = ThreadPoolExecutor(DECODERS, thread_name_prefix="decode")

    def begin(batch: range) -> list[Future[T | InputError]]:
        return [pool.submit(attempt, members[place]) for place in batch]

    try:
        coming = begin(batches[0])
        for batch, following in zip(batches, [*batches[1:], range(0)], strict=True):
            waiting, coming = coming, begin(following)
            yield batch.start, [each.result() for each in waiting]
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def batches(
    members: Sequence[Member],
    side: int,
    size: int = 16,
    *,
    start: int = 0,
    on_damaged: Callable[[int, InputError], object] | None = None,
) -> Iterator[tuple[range, Tensor]]:
    """The pictures from place ``start`` on, each as :func:`as_input` shows it, at most ``size`` at a time.

    Yields the places in the set, which follow each other, and the pictures (N, 3, side, side) on the CPU. One
    that cannot be decoded is left out, and ends its batch: ``on_damaged`` is told its place and what is
    wrong; None: the InputError is raised. Batches end at the same places whatever the ``start`` is.
    """
    size = max(1, min(size, BATCH_PIXELS // side**2))
    with closing(read_ahead(members, lambda each: as_input(still(each), side), size, start)) as read:
        for begun, found in read:
            pictures: list[Tensor] = []
            for place, each in enumerate(found, start=begun):
                if not isinstance(each, InputError):
                    pictures.append(each)
                    continue
                if on_damaged is None:
                    raise each
                on_damaged(place, each)
                if pictures:
                    yield range(place - len(pictures), place), torch.cat(pictures)
                pictures = []
            if pictures:
                end = begun + len(found)
                yield range(end - len(pictures), end), torch.cat(pictures)


def still(member: Member, field: str = "dataset") -> Tensor:
    """The picture (1, 3, H, W) of a member. Raises InputError if it cannot be decoded, or is a clip."""
    loaded = member.source.load()
    if not isinstance(loaded, Picture):
        raise InputError(field, f"{member.name} is a clip: take a still picture, such as one frame of it.")
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

    @property
    def first(self) -> str:
        """What is wrong with the first of them; empty: nothing."""
        return next(iter(self._found.values()), "")

    def report(self) -> dict[str, Any]:
        """How many, and which of them with the reason."""
        named = list(self._found.items())[: self.NAMED]
        rows = [{"name": self._members[int(place)].name, "error": detail} for place, detail in named]
        return {"count": len(self._found), "pictures": rows}
