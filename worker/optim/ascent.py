"""Ascent of an objective by the variables of a batch of pictures, each on its own way."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from app.errors import ComputationError
from worker.contract.steps import State
from worker.optim.optimizers.base import Optimizer
from worker.optim.parametrizations import Parametrization
from worker.optim.pursuit import Slope


class Ascent:
    """Variables on their way up.

    ``variables`` is where they are; ``terms`` what the objective was made of in the last step, (N,) by name;
    ``taken`` the number of steps. If the objective is ``steady`` (no transform is drawn) the best variables
    of each picture are kept, and :attr:`found` is these; else the last ones, since no two steps compare.
    """

    def __init__(
        self,
        variables: Tensor,
        parametrization: Parametrization,
        solver: Optimizer,
        *,
        steady: bool,
        after: Callable[[Tensor, int], Tensor] | None = None,
    ) -> None:
        """Start from ``variables`` (N, ...). ``after`` changes them once each step is taken: blurs them, say.

        It gets the variables and the number of steps taken.
        """
        self.variables = self._best = variables
        self._parametrization = parametrization
        self._solver = solver
        self._steady = steady
        self._after = after
        self._highest = torch.full(variables.shape[:1], -torch.inf, device=variables.device)
        self.taken = 0
        self.terms: Mapping[str, Tensor] = {}

    @property
    def found(self) -> Tensor:
        """The variables that the ascent is worth."""
        return self._best if self._steady else self.variables

    def step(self, pursue: Callable[[Tensor, int], Slope]) -> None:
        """Look at the variables, and move them. ComputationError if the objective is not finite."""
        slope = pursue(self.variables, self.taken)
        if not bool(torch.isfinite(slope.totals).all()):  # The one place where a step waits for the device.
            place = int((~torch.isfinite(slope.totals)).nonzero()[0])
            raise ComputationError(
                f"The objective of picture {place} is {float(slope.totals[place])} in step {self.taken + 1}. "
                "Try a smaller step size, or smaller weights."
            )
        if self._steady:
            self._keep_best(slope.totals)
        moved = self._solver.step(self.variables, -slope.gradient)
        self.taken += 1
        if self._after is not None:
            moved = self._after(moved, self.taken)
        self.variables = self._parametrization.project(moved)
        self.terms = slope.terms

    def finish(self, pursue: Callable[[Tensor, int], Slope]) -> None:
        """Look at where the last step led, which no step after it has done."""
        if self._steady:
            self._keep_best(pursue(self.variables, self.taken).totals)

    def _keep_best(self, totals: Tensor) -> None:
        better = totals > self._highest
        shape = (-1, *(1,) * (self.variables.dim() - 1))
        self._best = torch.where(better.view(shape), self.variables, self._best)
        self._highest = torch.where(better, totals, self._highest)

    def state(self) -> State:
        """All that :meth:`restore` needs."""
        solver = self._solver.state()
        tensors = {"variables": self.variables}
        if self._steady:
            tensors |= {"best": self._best, "highest": self._highest}
        tensors |= {f"term.{name}": term for name, term in self.terms.items()}
        tensors |= {f"solver.{name}": tensor for name, tensor in solver.tensors.items()}
        return State(
            {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()},
            {"taken": self.taken, "solver": solver.values},
        )

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        here = self.variables.device
        # Copies, because the last bits of a sum may depend on how what was read from a file is aligned.
        tensors = {name: tensor.to(here, copy=True) for name, tensor in state.tensors.items()}
        self.variables = tensors["variables"]
        if self._steady:
            self._best, self._highest = tensors["best"], tensors["highest"]
        self.taken = state.values["taken"]
        self.terms = _under("term.", tensors)
        self._solver.restore(State(_under("solver.", tensors), state.values["solver"]))


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
