"""Runs stacks as the runner does."""

from collections.abc import Callable

from worker.contract.stacks import StackSteps
from worker.contract.steps import Outcome, Step


def ends_of(
    steps: StackSteps, on_step: Callable[[int, Step], bool] = lambda place, step: True
) -> dict[int, Outcome | Exception]:
    """The end of each job, by place; ``on_step`` says after each of a job's steps whether it goes on."""
    ends: dict[int, Outcome | Exception] = {}
    goes_on: bool | None = None
    while True:
        try:
            place, entry = steps.send(goes_on)  # type: ignore[arg-type]
        except StopIteration:
            return ends
        goes_on = isinstance(entry, Step) and on_step(place, entry)
        if not isinstance(entry, Step):
            assert place not in ends
            ends[place] = entry
