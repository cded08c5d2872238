"""Descent of a loss over a batch of variables, one gradient step at a time."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.errors import ComputationError
from worker.contract.steps import StepState
from worker.optim.optimizers.base import Optimizer, under_prefix, with_prefix

# A loss this many times the lowest means that the optimizer's model of it no longer holds.
# (L-BFGS without a line search does rise now and then, but by some percent.)
EXPLOSION = 8.0

# Below this share of the loss's scale the gradient is mostly rounding.
NEGLIGIBLE = 1e-6

# Each rollback multiplies the learning rate by this; after so many without a new lowest loss the descent
# fails.
DAMPING = 0.5
PATIENCE = 5


@dataclass(frozen=True)
class Evaluation:
    """A loss at the variables of a batch.

    ``total`` is the loss of each picture, (N,), or of a single one, (). ``gradient``, of the variables'
    shape, is that of the sum of ``total``; ``terms`` are the parts by name that sum to ``total``, each of
    its shape. ``total`` may be on the CPU already, whatever the device.
    """

    total: Tensor
    gradient: Tensor
    terms: Mapping[str, Tensor]


LossFunction = Callable[[Tensor], Evaluation]


class Descent:
    """Variables (N, ...) that descend a loss.

    ``variables`` are what the next step evaluates; ``current`` those evaluated last, with ``terms`` their
    losses; ``best`` the ones of the lowest loss, picture by picture, with ``lowest`` and ``best_terms``.
    ``taken`` counts the steps, ``rollbacks`` those that were taken back.
    """

    def __init__(
        self,
        variables: Tensor,
        optimizer: Optimizer,
        magnitude: float | None = None,
        *,
        deterministic: bool = True,
        after_step: Callable[[Tensor, int], Tensor] | None = None,
    ) -> None:
        """Start from ``variables``.

        ``magnitude`` (N = 1 only) is that of the loss at features of 0. With it a loss that is not finite, or
        EXPLOSION times the lowest, is rolled back, and one that is NEGLIGIBLE ends the descent; without, a
        loss that is not finite is an error. Unless the loss is ``deterministic``, losses of different steps
        do not compare, and ``best`` are the last variables. ``after_step`` changes the variables after each
        step; it gets them and the number of steps taken.
        """
        self.variables = self.current = self._best = variables
        self._optimizer = optimizer
        self._magnitude = magnitude
        self._deterministic = deterministic
        self._after_step = after_step
        self._failures = 0
        # The gradient that was divided by the magnitude, until a step was made with it.
        self._divided: Tensor | None = None
        self.lowest = [math.inf] * len(variables)
        self.terms: Mapping[str, Tensor] = {}
        self.best_terms: Mapping[str, Tensor] = {}
        self.taken = self.rollbacks = 0

    @property
    def best(self) -> Tensor:
        """The variables of the lowest loss; the last ones, if the loss is not deterministic."""
        return self._best if self._deterministic else self.variables

    def step(self, loss: LossFunction) -> None:
        """Evaluate the loss at the variables, and move them, as :meth:`take` does."""
        self.take(loss(self.variables))

    def take(self, evaluation: Evaluation) -> None:
        """Move the variables, given the loss at them, whose gradient is used up. May be tried again.

        Raises ComputationError if the loss is not finite or explodes, and rolling back, if allowed, does not
        help.
        """
        totals = _totals(evaluation)
        if self._magnitude is not None and self._has_exploded(totals[0], self._magnitude):
            self._roll_back(totals[0])
        else:
            self._require_finite(totals)
            self.current, self.terms = self.variables, evaluation.terms
            self._keep_best(evaluation, totals)
            self._move(evaluation.gradient, totals[0])
        self.taken += 1

    def finish(self, loss: LossFunction) -> None:
        """Evaluate the variables that the last step led to, so that they can be the best."""
        if self._deterministic:
            evaluation = loss(self.variables)
            self._keep_best(evaluation, _totals(evaluation))

    def _move(self, gradient: Tensor, total: float) -> None:
        if self._magnitude is not None:
            if total <= NEGLIGIBLE * self._magnitude:
                return
            # Optimizers do not depend on the scale of a gradient, but its square must not overflow.
            # In place, and once: where memory ran out the same evaluation comes again.
            if gradient is not self._divided:
                self._divided = gradient.div_(self._magnitude)
        moved = self._optimizer.step(self.variables, gradient)
        self._divided = None
        self.variables = moved if self._after_step is None else self._after_step(moved, self.taken + 1)

    def _keep_best(self, evaluation: Evaluation, totals: Sequence[float]) -> None:
        if not self._deterministic:
            return
        better = [total < lowest for total, lowest in zip(totals, self.lowest, strict=True)]
        choose = partial(_choose, better)
        self._best = choose(self.variables, self._best)
        old = self.best_terms or evaluation.terms
        self.best_terms = {name: choose(term, old[name]) for name, term in evaluation.terms.items()}
        self.lowest = list(map(min, self.lowest, totals))
        if any(better):
            self._failures = 0

    def _has_exploded(self, total: float, scale: float) -> bool:
        return not math.isfinite(total) or total > EXPLOSION * max(self.lowest[0], NEGLIGIBLE * scale)

    def _require_finite(self, totals: Sequence[float]) -> None:
        for place, total in enumerate(totals):
            if not math.isfinite(total):
                raise ComputationError(
                    f"The loss of picture {place} is {total} in step {self.taken + 1}. "
                    "Try a smaller step size, or smaller weights."
                )

    def _roll_back(self, total: float) -> None:
        (lowest,) = self.lowest
        if lowest == math.inf:
            raise ComputationError(f"The loss is {total} to begin with. Try smaller weights.")
        self._failures += 1
        self.rollbacks += 1
        if self._failures == PATIENCE:
            raise ComputationError(
                f"The loss went from {lowest:.4g} to {total:.4g}, for the {PATIENCE}th time in spite of "
                "shorter and shorter steps. Try smaller weights, or the other optimizer."
            )
        self._optimizer.restart(DAMPING)
        self.variables = self.current = self._best
        self.terms = self.best_terms

    def state(self) -> StepState:
        """All that :meth:`restore` needs, not copied: no step changes a tensor that it was given or made."""
        optimizer = self._optimizer.state()
        tensors = {"variables": self.variables}
        if self._deterministic:
            tensors |= {"best": self._best} | with_prefix("best_terms.", self.best_terms)
        tensors |= with_prefix("terms.", self.terms) | with_prefix("optimizer.", optimizer.tensors)
        return StepState(
            tensors,
            {
                "taken": self.taken,
                "lowest": self.lowest,
                "failures": self._failures,
                "rollbacks": self.rollbacks,
                "optimizer": optimizer.values,
            },
        )

    def restore(self, state: StepState) -> None:
        """Go on from a :meth:`state`, bit for bit; its tensors are not copied."""
        here, values = self.variables.device, state.values
        tensors = {name: tensor.to(here) for name, tensor in state.tensors.items()}
        self.variables = self.current = self._best = tensors["variables"]
        self.terms = under_prefix("terms.", tensors)
        if self._deterministic:
            self._best, self.best_terms = tensors["best"], under_prefix("best_terms.", tensors)
        self.taken, self.lowest = values["taken"], list(values["lowest"])
        self._failures, self.rollbacks = values["failures"], values["rollbacks"]
        self._optimizer.restore(StepState(under_prefix("optimizer.", tensors), values["optimizer"]))


def numbers(terms: Mapping[str, Tensor], *, negated: bool = False) -> dict[str, float]:
    """Terms as numbers, means over the batch, with their sum ``total``; ``negated`` for an ascent's."""
    sign = -1 if negated else 1
    means = {name: sign * float(term.mean()) for name, term in terms.items()}
    return {**means, "total": sum(means.values())}


def _totals(evaluation: Evaluation) -> list[float]:
    """The loss of each picture. The one place where a step waits for the device."""
    totals: list[float] = evaluation.total.flatten().tolist()
    return totals


def _choose(better: Sequence[bool], new: Tensor, old: Tensor) -> Tensor:
    """``new`` where ``better`` says so, picture by picture, else ``old``; no copy where all are alike."""
    if all(better):
        return new
    if not any(better):
        return old
    chosen = torch.tensor(better, device=new.device).view(-1, *(1,) * (new.dim() - 1))
    return torch.where(chosen, new, old)
