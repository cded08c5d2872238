"""Runs that want losses evaluated: one by itself, or several whose evaluations are made together."""

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from typing import TypeVar

import torch
from torch import Tensor

from worker.contract.compute import Compute
from worker.contract.stacks import StackSteps
from worker.contract.steps import Outcome, Step
from worker.optim.descent import Evaluation, LossFunction
from worker.optim.together import Wanted, evaluate_all, on_single_threads

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


def with_steps(run: Run[R], change: Callable[[Step], Step]) -> Run[R]:
    """A run with each of its steps changed."""
    with closing(run):
        reply = None
        while True:
            try:
                asked = run.send(reply)
            except StopIteration as stop:
                result: R = stop.value
                return result
            reply = yield change(asked) if isinstance(asked, Step) else asked


def stacked(runs: Sequence[Run[Outcome]], compute: Compute) -> StackSteps:
    """The steps and ends of several runs, by place, all of whose evaluations of a round are made together.

    A run that raises ends alone; what an evaluation raises is raised.
    """
    threads = torch.get_num_threads() if compute.device.type == "cpu" else 1
    with ExitStack() as cleanup:
        for run in runs:
            cleanup.enter_context(closing(run))
        replies: dict[int, Evaluation | None] = dict.fromkeys(range(len(runs)))
        while replies:
            wanted: dict[int, Wanted] = {}
            while replies:
                places = list(replies)
                advanced = [(runs[place], replies[place]) for place in places]
                replies = {}
                with closing(on_single_threads(_advance, advanced, threads)) as reached:
                    for place, asked in zip(places, reached, strict=True):
                        if isinstance(asked, Wanted):
                            wanted[place] = asked
                        elif (yield place, asked) and isinstance(asked, Step):
                            replies[place] = None
                        else:
                            runs[place].close()
            evaluations = evaluate_all([wanted[place] for place in sorted(wanted)])
            replies = dict(zip(sorted(wanted), evaluations, strict=True))


def _advance(run_and_reply: tuple[Run[Outcome], Evaluation | None]) -> Wanted | Step | Outcome | Exception:
    """What a run comes to next; the error that it raises."""
    run, reply = run_and_reply
    try:
        return run.send(reply)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    except Exception as error:
        return error
