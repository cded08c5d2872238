"""L-BFGS with one evaluation a step, projected onto [0, 1] where the variables are pixels."""

import torch
from torch import Tensor

from worker.contract.steps import StepState

# Pairs that it keeps: with 20 or 50 the loss after 160 steps is 1 % lower. Pictures so large that this many
# exceed the budget in bytes get fewer, but never less than LEAST_HISTORY.
HISTORY = 10
LEAST_HISTORY = 3
HISTORY_BUDGET = 512 << 20

# Root mean square of the first step, which knows nothing of the curvature yet, and the largest of any step.
# In units of [0, 1].
FIRST_STEP = 0.005
LARGEST_STEP = 0.1

# A pair has positive curvature if the cosine between step and change of gradient is above this.
LEAST_COSINE = 1e-4


class LBFGS:
    """Nocedal, "Updating quasi-Newton matrices with limited storage", 1980: the two-loop recursion.

    There is no line search: a step costs one evaluation, as in neural-style. Instead pairs of negative
    curvature are not used, the length of a step is limited, and :class:`worker.optim.descent.Descent` goes
    back when the loss explodes.

    If ``bounded``, variables stay in [0, 1] by the two-metric projection of Bertsekas, "Projected Newton
    methods for optimization problems with simple constraints", 1982, section 2: variables that the gradient
    pushes against their bound are held, so that neither their gradient nor their curvature turns the
    direction of the others; the rest move, and are clamped. Which are held is decided anew in each step. The
    pairs are of the steps that were made and of gradients that are 0 where variables are held. Without a line
    search nothing guarantees that the loss falls, but on quadratics in the box it ends at the optimum.

    Nothing here waits for the device: what depends on a number stays a tensor. A pair that must not be used
    has a weight of 0.
    """

    def __init__(self, history: int = HISTORY, *, bounded: bool = True) -> None:
        """Keep up to ``history`` pairs."""
        self.history = history
        self.bounded = bounded
        self.lr = 1.0
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._gamma = torch.tensor(1.0)
        self._last: tuple[Tensor, Tensor] | None = None

    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        """The next variables, from these and the loss's gradient at them (same shapes)."""
        if self.bounded:
            held = ((variables <= 0) & (gradient > 0)) | ((variables >= 1) & (gradient < 0))
            gradient = gradient.masked_fill(held, 0)
        if self._last is None:
            self._gamma = FIRST_STEP / _rms(gradient)
        else:
            self._learn(variables - self._last[0], gradient - self._last[1])
        step = self._direction(gradient) * self.lr
        if self.bounded:
            step.masked_fill_(held, 0)
        step *= (LARGEST_STEP / _rms(step)).clamp_max(1)
        self._last = (variables, gradient)
        moved = variables + step
        return moved.clamp(0, 1) if self.bounded else moved

    def _learn(self, step: Tensor, change: Tensor) -> None:
        """Keep a step and the change of gradient along it; their weight is 0 without positive curvature."""
        along, square = _dot(step, change), _dot(change, change)
        useful = along > LEAST_COSINE * _dot(step, step).sqrt() * square.sqrt()
        tiny = torch.finfo(step.dtype).tiny
        if len(self._steps) == self.history:
            for kept in (self._steps, self._changes, self._weights):
                kept.pop(0)
        self._steps.append(step)
        self._changes.append(change)
        self._weights.append(torch.where(useful, 1 / along.clamp_min(tiny), 0))
        self._gamma = torch.where(useful, along / square.clamp_min(tiny), self._gamma)

    def _direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient (``_gamma`` is its initial diagonal)."""
        direction = -gradient
        alphas = []
        for step, change, weight in zip(
            reversed(self._steps), reversed(self._changes), reversed(self._weights), strict=True
        ):
            alpha = weight * _dot(step, direction)
            direction -= alpha * change
            alphas.append(alpha)
        direction *= self._gamma
        for step, change, weight, alpha in zip(
            self._steps, self._changes, self._weights, reversed(alphas), strict=True
        ):
            direction += (alpha - weight * _dot(change, direction)) * step
        return direction

    def restart(self, damping: float) -> None:
        """Forget all earlier steps, and multiply the learning rate by ``damping``."""
        self.lr *= damping
        self._steps, self._changes, self._weights = [], [], []
        self._last = None

    def state(self) -> StepState:
        """All that :meth:`restore` needs."""
        tensors = {}
        if self._last is not None:
            tensors = {"gamma": self._gamma, "variables": self._last[0], "gradient": self._last[1]}
        if self._steps:
            tensors |= {
                "steps": torch.cat(self._steps),
                "changes": torch.cat(self._changes),
                "weights": torch.stack(self._weights),
            }
        return StepState(tensors, {"lr": self.lr})

    def restore(self, state: StepState) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        self.restart(1)
        self.lr = state.values["lr"]
        tensors = state.tensors
        if "variables" in tensors:
            self._last, self._gamma = (tensors["variables"], tensors["gradient"]), tensors["gamma"]
        if "steps" in tensors:
            # Clones, because the last bit of a dot product may depend on how its operands are aligned.
            self._steps = [step.clone() for step in torch.split(tensors["steps"], 1)]
            self._changes = [change.clone() for change in torch.split(tensors["changes"], 1)]
            self._weights = list(tensors["weights"])


def affordable_history(variables: Tensor) -> int:
    """How many pairs to keep of variables of this size."""
    return max(LEAST_HISTORY, min(HISTORY, HISTORY_BUDGET // (2 * variables.nbytes)))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())


def _rms(vector: Tensor) -> Tensor:
    """Root of the mean square, never 0."""
    return vector.square().mean().sqrt().clamp_min(torch.finfo(vector.dtype).tiny)
