"""Descent of an objective over a picture, with a way back when a step goes wrong."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from app.errors import ComputationError
from worker.contract.steps import State
from worker.optim.optimizers.base import Optimizer

# A step whose loss is this many times the lowest has left the region that the solver knew anything of.
# (L-BFGS without a line search does rise now and then, but by some percent.)
EXPLOSION = 8.0

# Below this share of the loss's scale there is nothing left to win, and the gradient is mostly rounding.
NEGLIGIBLE = 1e-6

# Each way back multiplies the length of the steps by this, and so many of them without a new lowest loss are
# the end.
DAMPING = 0.5
PATIENCE = 5


@dataclass(frozen=True)
class Evaluation:
    """An objective at a picture.

    ``gradient`` has the picture's shape; ``terms`` are the 0-dimensional losses by name, whose sum is
    ``total``.
    """

    total: Tensor
    gradient: Tensor
    terms: Mapping[str, Tensor]


Objective = Callable[[Tensor], Evaluation]


class Descent:
    """A picture on its way down an objective.

    ``current`` is the picture last evaluated with success, and ``terms`` are its losses; ``best`` is the one
    with the lowest loss, ``lowest`` that loss, and ``best_terms`` what it is made of; ``rollbacks`` counts
    the steps that were taken back.
    """

    def __init__(self, picture: Tensor, solver: Optimizer, scale: float) -> None:
        """Start from ``picture`` (1, 3, H, W) in [0, 1].

        ``scale`` is the order of the loss of a picture that has nothing right.
        """
        self._next = self.current = self.best = picture
        self._solver = solver
        self._failures = 0
        self._scale = scale
        self.lowest = math.inf
        self.terms: Mapping[str, Tensor] = {}
        self.best_terms: Mapping[str, Tensor] = {}
        self.rollbacks = 0

    def step(self, objective: Objective) -> None:
        """Evaluate the objective at the proposed picture, and propose another unless the loss is negligible.

        A loss that is not finite, or EXPLOSION times the lowest, leads back to the best picture, with the
        solver restarted at shorter steps. Raises ComputationError when that does not help, or when the
        loss is not finite to begin with.
        """
        picture = self._next
        evaluation = objective(picture)
        total = float(evaluation.total)  # The one place where a step waits for the device.
        if not math.isfinite(total) or total > EXPLOSION * max(self.lowest, NEGLIGIBLE * self._scale):
            self._go_back(total)
            return
        if total < self.lowest:
            self.best, self.lowest, self.best_terms = picture, total, evaluation.terms
            self._failures = 0
        self.current, self.terms = picture, evaluation.terms
        if total > NEGLIGIBLE * self._scale:
            # Solvers do not mind how large a gradient is, but its square must not overflow.
            self._next = self._solver.step(picture, evaluation.gradient / self._scale)

    def _go_back(self, total: float) -> None:
        if self.lowest == math.inf:
            raise ComputationError(f"The loss is {total} to begin with. Try smaller weights.")
        self._failures += 1
        self.rollbacks += 1
        if self._failures == PATIENCE:
            raise ComputationError(
                f"The loss went from {self.lowest:.4g} to {total:.4g}, for the {PATIENCE}th time in spite of "
                "shorter and shorter steps. Try smaller weights, or the other solver."
            )
        self._solver.restart(DAMPING)
        self._next = self.current = self.best
        self.terms = self.best_terms

    def state(self) -> State:
        """All that :meth:`restore` needs: what comes next, the way back, and the solver."""
        solver = self._solver.state()
        tensors = {"next": self._next, "best": self.best}
        tensors |= {f"solver.{name}": tensor for name, tensor in solver.tensors.items()}
        return State(
            {name: tensor.to("cpu", copy=True).contiguous() for name, tensor in tensors.items()},
            {
                "lowest": self.lowest,
                "failures": self._failures,
                "rollbacks": self.rollbacks,
                "terms": {name: float(term) for name, term in self.best_terms.items()},
                "solver": solver.values,
            },
        )

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        here = self.best.device
        # Copies, because the last bits of a sum may depend on how what was read from a file is aligned.
        tensors = {name: tensor.to(here, copy=True) for name, tensor in state.tensors.items()}
        values = state.values
        self._next, self.best = tensors["next"], tensors["best"]
        self.current = self.best
        self.best_terms = {name: torch.tensor(value) for name, value in values["terms"].items()}
        self.terms = self.best_terms
        self.lowest = values["lowest"]
        self._failures, self.rollbacks = values["failures"], values["rollbacks"]
        self._solver.restore(
            State(
                {
                    name.removeprefix("solver."): tensor
                    for name, tensor in tensors.items()
                    if name.startswith("solver.")
                },
                values["solver"],
            )
        )
