"""Which entries of a batch are computed together in this process."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from app.cli.batch.checks import LocalRequest
from app.cli.batch.entries import Entry
from app.cli.batch.pictures import PictureFile, references
from app.jobs.preparing import stack_key
from app.kinds import spec_of
from app.networks.catalogue import Catalogue
from worker.runtime.stack_sizes import LARGEST_STACK, StackSizes

# All entries of a run are of one batch.
_BATCH = "here"


@dataclass(frozen=True)
class Task:
    """An entry that is to be computed. With those of the same ``stack_key`` it can be computed together."""

    entry: Entry
    request: LocalRequest
    stack_key: str | None
    lane: str

    @property
    def params(self) -> Mapping[str, Any]:
        """Its resolved params."""
        return dict(self.request.params)

    @classmethod
    def of(cls, entry: Entry, request: LocalRequest, catalogue: Catalogue) -> "Task":
        """The task of an entry that was checked."""
        params, pictures = request.params, request.pictures
        files = [each for several in pictures.values() for each in several if isinstance(each, PictureFile)]
        # By content: files in different folders may have the same name.
        hashed = references(type(params), pictures, {file.sha256: file.sha256 for file in files})
        sides = {file.sha256: file.sides for file in files if file.sides is not None}
        need = params.network_need()
        card = None if need is None else catalogue.find(need.name)
        key = None
        if not entry.reproducible:
            weights = None if card is None else card.sha256
            key = stack_key(params.model_copy(update=hashed), weights, sides, _BATCH)
        return cls(entry, request, key, spec_of(params).lane_of(params, card))


def in_stacks(tasks: Iterable[Task], sizes: StackSizes) -> Iterator[list[Task]]:
    """Tasks in order, with those that follow soon and can be computed with one moved up to it."""
    coming, window = iter(tasks), list[Task]()
    while True:
        window += islice(coming, LARGEST_STACK - len(window))
        if not window:
            return
        first = window[0]
        same = [
            task for task in window[1:] if first.stack_key is not None and task.stack_key == first.stack_key
        ]
        stack = [first, *same[: sizes.limit(first) - 1]]
        taken = {task.entry.line for task in stack}
        window = [task for task in window if task.entry.line not in taken]
        yield stack
