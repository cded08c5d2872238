"""The contract between a kind's stack function and the runner: several jobs computed in one pass.

A stack function is a generator like a kind's own function (:mod:`worker.contract.steps`), for several jobs at
once. It yields what comes next of one of them, with the job's place: its step, or at its end the outcome, or
the error with which that job alone ends. For a step it is sent whether the job goes on: one that does not
(its cancel was requested, say) is left out from then on. Each place has one end, unless it was left out.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState

P = TypeVar("P")

StackSteps = Generator[tuple[int, Step | Outcome | Exception], bool, None]


@dataclass(frozen=True)
class StackedJob(Generic[P]):
    """One job of a stack: its resolved params, its inputs, and the state to go on from (None: the start)."""

    params: P
    inputs: Inputs
    resume: StepState | None = None


class StackFunction(Protocol):
    """Computes several jobs of a kind, whose params have one ``stack_key()``.

    What a job's steps and outcome are is what the kind's own function makes them, up to rounding; states are
    of the same format. If it raises anything, or a job ends with an error that is no ServiceError, what has
    not ended is computed by the kind's own function instead.
    """

    def __call__(
        self, jobs: Sequence[StackedJob[Any]], network: Network | None, compute: Compute
    ) -> StackSteps: ...
