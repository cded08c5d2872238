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
from worker.optim.ladder import is_out_of_memory
from worker.optim.together import Wanted, evaluate_all, on_single_threads

R = TypeVar("R")

Reply = Evaluation | Exception | None

Run = Generator[Wanted | Step, Reply, R]
"""A computation that yields its steps, and what it wants evaluated.

For that it is sent the evaluation, or the error that there is too little memory for it.
"""


def evaluated(loss: LossFunction, variables: Tensor) -> Run[Evaluation]:
    """Within a run: the evaluation of a loss at variables (N, ...). Raises the error that it is sent."""
    evaluation = yield Wanted(loss, variables)
    if isinstance(evaluation, Exception):
        raise evaluation
    if evaluation is None:
        raise RuntimeError("a run was sent no evaluation of what it wanted")
    return evaluation


def alone(run: Run[R]) -> Generator[Step, None, R]:
    """The steps of a run whose evaluations are made one by one; returns what the run returns."""
    with closing(run):
        reply: Reply = None
        while True:
            try:
                asked = run.send(reply)
            except StopIteration as stop:
                result: R = stop.value
                return result
            reply = None
            if isinstance(asked, Wanted):
                reply = _evaluated_alone(asked)
            else:
                yield asked
            # A run that makes its loss anew, or goes on to the next scale, needs the memory of the old one.
            del asked


def _evaluated_alone(wanted: Wanted) -> Reply:
    try:
        return wanted.evaluate()
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        return error


def with_steps(run: Run[R], change: Callable[[Step], Step]) -> Run[R]:
    """A run with each of its steps changed."""
    with closing(run):
        reply: Reply = None
        while True:
            try:
                asked = run.send(reply)
            except StopIteration as stop:
                result: R = stop.value
                return result
            reply = yield change(asked) if isinstance(asked, Step) else asked
            del asked


def stacked(runs: Sequence[Run[Outcome]], compute: Compute) -> StackSteps:
    """The steps and ends of several runs, by place, all of whose evaluations of a round are made together.

    A run that raises ends alone; what an evaluation raises is raised.
    """
    threads = torch.get_num_threads() if compute.device.type == "cpu" else 1
    with ExitStack() as cleanup:
        for run in runs:
            cleanup.enter_context(closing(run))
        replies: dict[int, Reply] = dict.fromkeys(range(len(runs)))
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


def _advance(run_and_reply: tuple[Run[Outcome], Reply]) -> Wanted | Step | Outcome | Exception:
    """What a run comes to next; the error that it raises."""
    run, reply = run_and_reply
    try:
        return run.send(reply)
    except StopIteration as stop:
        outcome: Outcome = stop.value
        return outcome
    except Exception as error:
        return error
