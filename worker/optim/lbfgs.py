"""L-BFGS on a picture, kept within [0, 1], or on other variables; one evaluation a step."""

import torch
from torch import Tensor

from worker.contract.steps import State

# Pairs of pictures that it remembers: with 20 or 50 the loss after 160 steps is 1 % lower. The fewest is for
# pictures so large that more would not fit into the budget in bytes, or not be saved in a moment.
HISTORY = 10
LEAST_HISTORY = 3
HISTORY_BUDGET = 512 << 20

# Change of a pixel (root of the mean square) in the first step, which knows nothing of the curvature yet, and
# the largest allowed in any step. In units of [0, 1].
FIRST_STEP = 0.005
LARGEST_STEP = 0.1

# A pair tells of positive curvature if the cosine between step and change of gradient is above this.
LEAST_COSINE = 1e-4


class LBFGS:
    """Nocedal, "Updating quasi-Newton matrices with limited storage", 1980: the two-loop recursion.

    There is no line search: a step costs one evaluation, as in neural-style. Instead a pair of negative
    curvature is not used, the length of a step is limited, and whoever runs the descent goes back when the
    loss explodes. The picture is projected onto [0, 1], and the pairs are taken between projected pictures:
    the curvature learned is that of moves that were made, and there is nothing to clip at the end.

    Nothing here waits for the device: what depends on a number stays a tensor. A pair that must not be used
    has a weight of 0.
    """

    def __init__(self, history: int = HISTORY, *, bounded: bool = True) -> None:
        """Remember up to ``history`` pairs. What is no picture (a spectrum, say) is not ``bounded``."""
        self.history = history
        self.bounded = bounded
        self.length = 1.0
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._scale = torch.tensor(1.0)
        self._last: tuple[Tensor, Tensor] | None = None

    def propose(self, picture: Tensor, gradient: Tensor) -> Tensor:
        """The next picture, from this one and the loss's gradient there (same shapes)."""
        if self._last is None:
            self._scale = FIRST_STEP / _size(gradient)
        else:
            self._learn(picture - self._last[0], gradient - self._last[1])
        step = self._direction(gradient) * self.length
        step *= (LARGEST_STEP / _size(step)).clamp_max(1)
        self._last = (picture, gradient)
        moved = picture + step
        return moved.clamp(0, 1) if self.bounded else moved

    def _learn(self, step: Tensor, change: Tensor) -> None:
        """Keep the pair of a step and the change of gradient along it, if it tells of positive curvature."""
        along, square = _dot(step, change), _dot(change, change)
        useful = along > LEAST_COSINE * _dot(step, step).sqrt() * square.sqrt()
        tiny = torch.finfo(step.dtype).tiny
        if len(self._steps) == self.history:
            for kept in (self._steps, self._changes, self._weights):
                kept.pop(0)
        self._steps.append(step)
        self._changes.append(change)
        self._weights.append(torch.where(useful, 1 / along.clamp_min(tiny), 0))
        self._scale = torch.where(useful, along / square.clamp_min(tiny), self._scale)

    def _direction(self, gradient: Tensor) -> Tensor:
        """Minus the inverse Hessian's estimate times the gradient: the two-loop recursion."""
        direction = -gradient
        alphas = []
        for step, change, weight in zip(
            reversed(self._steps), reversed(self._changes), reversed(self._weights), strict=True
        ):
            alpha = weight * _dot(step, direction)
            direction -= alpha * change
            alphas.append(alpha)
        direction *= self._scale
        for step, change, weight, alpha in zip(
            self._steps, self._changes, self._weights, reversed(alphas), strict=True
        ):
            direction += (alpha - weight * _dot(change, direction)) * step
        return direction

    def restart(self, damping: float) -> None:
        """Forget the past and go on with ``damping`` times the step length."""
        self.length *= damping
        self._steps, self._changes, self._weights = [], [], []
        self._last = None

    def state(self) -> State:
        """All that :meth:`restore` needs."""
        tensors = {}
        if self._last is not None:
            tensors = {"scale": self._scale, "picture": self._last[0], "gradient": self._last[1]}
        if self._steps:
            tensors |= {
                "steps": torch.cat(self._steps),
                "changes": torch.cat(self._changes),
                "weights": torch.stack(self._weights),
            }
        return State(tensors, {"length": self.length})

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        self.restart(1)
        self.length = state.values["length"]
        tensors = state.tensors
        if "picture" in tensors:
            self._last, self._scale = (tensors["picture"], tensors["gradient"]), tensors["scale"]
        if "steps" in tensors:
            # Clones, because the last bit of a dot product may depend on how its operands are aligned.
            self._steps = [step.clone() for step in torch.split(tensors["steps"], 1)]
            self._changes = [change.clone() for change in torch.split(tensors["changes"], 1)]
            self._weights = list(tensors["weights"])


def affordable_history(picture: Tensor) -> int:
    """How many pairs to remember for a picture of this size."""
    return max(LEAST_HISTORY, min(HISTORY, HISTORY_BUDGET // (2 * picture.nbytes)))


def _dot(a: Tensor, b: Tensor) -> Tensor:
    return torch.dot(a.flatten(), b.flatten())


def _size(vector: Tensor) -> Tensor:
    """Root of the mean square, never 0."""
    return vector.square().mean().sqrt().clamp_min(torch.finfo(vector.dtype).tiny)
