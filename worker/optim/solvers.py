"""Solvers by name, for variables of any kind and batches of them.

They descend, as all of :mod:`worker.optim.descent` does: to ascend, give them the negative gradient.
"""

from collections.abc import Callable, Sequence
from typing import Literal

import torch
from torch import Tensor

from worker.contract.steps import State
from worker.optim.adam import Adam, NAdam
from worker.optim.descent import Solver
from worker.optim.lbfgs import LBFGS, affordable_history

SolverName = Literal["gradient", "adam", "nadam", "lbfgs"]


class NormalizedGradient:
    """Steps along the gradient whose mean length is always the same, within [0, 1] if ``bounded``.

    A step changes a value by ``rate`` on average (of absolute changes), before what leaves [0, 1] is cut off:
    Mordvintsev, Olah, Tyka, "Inceptionism", 2015, and their code.
    """

    def __init__(self, rate: float, *, bounded: bool = True) -> None:
        self.rate = rate
        self.bounded = bounded

    def propose(self, picture: Tensor, gradient: Tensor) -> Tensor:
        """The next picture, from this one and the loss's gradient there; the same one if that is 0."""
        size = gradient.abs().mean().clamp_min(torch.finfo(gradient.dtype).tiny)
        moved = picture - self.rate * (gradient / size)
        return moved.clamp(0, 1) if self.bounded else moved

    def restart(self, damping: float) -> None:
        """Go on with ``damping`` times the step length."""
        self.rate *= damping

    def state(self) -> State:
        """All that :meth:`restore` needs."""
        return State({}, {"rate": self.rate})

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        self.rate = state.values["rate"]


class Apart:
    """A solver for each picture of a batch, so that none of them heeds the others."""

    def __init__(self, solvers: Sequence[Solver]) -> None:
        """One solver for each picture, in order."""
        self.solvers = solvers

    def propose(self, picture: Tensor, gradient: Tensor) -> Tensor:
        """The next batch (N, ...), from this one and the loss's gradient there (same shapes)."""
        parts = zip(self.solvers, torch.split(picture, 1), torch.split(gradient, 1), strict=True)
        return torch.cat([solver.propose(each, slope) for solver, each, slope in parts])

    def restart(self, damping: float) -> None:
        """Restart each."""
        for solver in self.solvers:
            solver.restart(damping)

    def state(self) -> State:
        """All that :meth:`restore` needs."""
        states = [solver.state() for solver in self.solvers]
        tensors = {
            f"{place}.{name}": tensor
            for place, state in enumerate(states)
            for name, tensor in state.tensors.items()
        }
        return State(tensors, {"each": [state.values for state in states]})

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        for place, (solver, values) in enumerate(zip(self.solvers, state.values["each"], strict=True)):
            prefix = f"{place}."
            own = {
                name.removeprefix(prefix): tensor
                for name, tensor in state.tensors.items()
                if name.startswith(prefix)
            }
            solver.restore(State(own, values))


def make_solver(name: SolverName, rate: float, variables: Tensor, *, bounded: bool) -> Solver:
    """A solver for a batch of variables (N, ...), that keeps each within [0, 1] if it is ``bounded``.

    ``rate`` is the usual change of a value in a step; L-BFGS finds its own, and does not heed it.
    """
    makers: dict[SolverName, Callable[[], Solver]] = {
        "gradient": lambda: NormalizedGradient(rate, bounded=bounded),
        "adam": lambda: Adam(rate, bounded=bounded),
        "nadam": lambda: NAdam(rate, bounded=bounded),
        "lbfgs": lambda: LBFGS(affordable_history(variables), bounded=bounded),
    }
    return Apart([makers[name]() for _ in variables])
