"""Runs that want losses evaluated: one by itself, or several whose evaluations are made together."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, closing
from typing import TypeVar

from torch import Tensor

from worker.contract.stacks import StackSteps
from worker.contract.steps import Outcome, Step
from worker.optim.descent import Evaluation, LossFunction
from worker.optim.together import Wanted, evaluate_all

R = TypeVar("R")

Run = Generator[Wanted | Step, Evaluation | None, R]
"""A computation that yields its steps, and what it wants evaluated, for which it is sent the evaluation."""


def evaluated(loss: LossFunction, variables: Tensor) -> Run[Evaluation]:
    """Within a run: the evaluation of a loss at variables (N, ...)."""
    evaluation = yield Wanted(loss, variables)
    if evaluation is None:
        raise RuntimeError("a run was sent no evaluation of what it wanted")
    return evaluation


def alone(run: Run[R]) -> Generator[Step, None, R]:
    """The steps of a run whose evaluations are made one by one; returns what the run returns."""
    with closing(run):
        reply = None
        while True:
            try:
                asked = run.send(reply)
            except StopIteration as stop:
                result: R = stop.value
                return result
            reply = None
            if isinstance(asked, Wanted):
                reply = asked.evaluate()
            else:
                yield asked


def stacked(runs: Sequence[Run[Outcome]]) -> StackSteps:
    """The steps and ends of several runs, by place, all of whose evaluations of a round are made together.

    A run that raises ends alone; what an evaluation raises is raised.
    """
    with ExitStack() as cleanup:
        for run in runs:
            cleanup.enter_context(closing(run))
        replies: dict[int, Evaluation | None] = dict.fromkeys(range(len(runs)))
        while replies:
            wanted: dict[int, Wanted] = {}
            for place, reply in replies.items():
                asked = yield from _to_next(place, runs[place], reply)
                if asked is not None:
                    wanted[place] = asked
            replies = dict(zip(wanted, evaluate_all(list(wanted.values())), strict=True))


def _to_next(
    place: int, run: Run[Outcome], reply: Evaluation | None
) -> Generator[tuple[int, Step | Outcome | Exception], bool, Wanted | None]:
    """What a run wants next, after the steps before it; None: it has ended, or is to go on no more."""
    while True:
        try:
            asked = run.send(reply)
        except StopIteration as stop:
            outcome: Outcome = stop.value
            yield place, outcome
            return None
        except Exception as error:
            yield place, error
            return None
        if isinstance(asked, Wanted):
            return asked
        reply = None
        if not (yield place, asked):
            return None
