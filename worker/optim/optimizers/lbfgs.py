"""L-BFGS with one evaluation a step, projected onto [0, 1] where the variables are pixels."""

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from app.kinds.work import HISTORY
from worker.contract.steps import StepState

# Root mean square of the first step, which knows nothing of the curvature yet, and the largest of any step.
# In units of [0, 1].
FIRST_STEP = 0.005
LARGEST_STEP = 0.1

# A pair has positive curvature if the cosine between step and change of gradient is above this.
LEAST_COSINE = 1e-4

# Numbers that are computed with at once: beside the vectors of a large picture there is no room for another.
CHUNK = 1 << 23


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

    def __init__(self, history: int = HISTORY, *, bounded: bool = True, halved: bool = False) -> None:
        """Keep up to ``history`` pairs, in bfloat16 if ``halved``; all else is computed as precisely."""
        self.history = history
        self.halved = halved
        self.bounded = bounded
        self.lr = 1.0
        self._steps: list[Tensor] = []
        self._changes: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._gamma = torch.tensor(1.0)
        self._last: tuple[Tensor, Tensor] | None = None

    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        """The next variables, from these and the loss's gradient at them (same shapes).

        Both are kept until the next step; nobody may change them.
        """
        if self._last is None:
            self._gamma = self._first_gamma(self._free(variables, gradient))
        elif self._last[0] is not variables:
            # Else memory ran out below, and the step is taken again.
            self.shorten(self.history, room=1)
            self._learn(*self._pair(*self._last, variables, gradient))
        self._last = (variables, gradient)
        step = self._direction(self._free(variables, gradient).neg_())
        step *= self.lr
        if self.bounded:
            for part, x, slope in _chunks(step, variables, gradient):
                part.masked_fill_(_held(x, slope), 0)
        step *= (LARGEST_STEP / _rms(step)).clamp_max(1)
        moved = step.add_(variables)
        return moved.clamp_(0, 1) if self.bounded else moved

    def _free(self, variables: Tensor, gradient: Tensor) -> Tensor:
        """A copy of a gradient that is 0 where variables are held."""
        free = gradient.clone(memory_format=torch.contiguous_format)
        if self.bounded:
            for part, x in _chunks(free, variables):
                part.masked_fill_(_held(x, part), 0)
        return free

    def _pair(
        self, before: Tensor, earlier: Tensor, variables: Tensor, gradient: Tensor
    ) -> tuple[Tensor, Tensor]:
        """The step from the variables ``before``, and the change of gradient along it, as they are kept."""
        dtype = torch.bfloat16 if self.halved else variables.dtype
        step, change = (
            torch.empty_like(variables, dtype=dtype, memory_format=torch.contiguous_format) for _ in range(2)
        )
        for of_step, of_change, x0, g0, x, g in _chunks(step, change, before, earlier, variables, gradient):
            torch.sub(x, x0, out=of_step)
            torch.sub(self._free(x, g), self._free(x0, g0), out=of_change)
        return step, change

    def _learn(self, step: Tensor, change: Tensor) -> None:
        """Keep a pair, for which there is room; its weight is 0 without positive curvature."""
        along, square = _dot(step, change), _dot(change, change)
        useful = along > LEAST_COSINE * _dot(step, step).sqrt() * square.sqrt()
        tiny = torch.finfo(along.dtype).tiny
        self._steps.append(step)
        self._changes.append(change)
        self._weights.append(torch.where(useful, 1 / along.clamp_min(tiny), 0))
        self._gamma = torch.where(useful, along / square.clamp_min(tiny), self._gamma)

    def _direction(self, direction: Tensor) -> Tensor:
        """The inverse Hessian's estimate times ``direction``, minus the gradient, which is overwritten.

        ``_gamma`` is the initial diagonal of the estimate.
        """
        alphas = []
        for step, change, weight in zip(
            reversed(self._steps), reversed(self._changes), reversed(self._weights), strict=True
        ):
            alpha = weight * _dot(step, direction)
            _add(direction, -alpha, change)
            alphas.append(alpha)
        direction = self._initial(direction)
        for step, change, weight, alpha in zip(
            self._steps, self._changes, self._weights, reversed(alphas), strict=True
        ):
            _add(direction, alpha - weight * _dot(change, direction), step)
        return direction

    def _first_gamma(self, gradient: Tensor) -> Tensor:
        """What makes the first step one of FIRST_STEP; the gradient may be overwritten."""
        return FIRST_STEP / _rms(gradient)

    def _initial(self, direction: Tensor) -> Tensor:
        """The initial estimate of the inverse Hessian times a direction, which may be overwritten."""
        return direction.mul_(self._gamma)

    @property
    def pairs(self) -> int:
        """How many pairs there are."""
        return len(self._weights)

    def shorten(self, history: int, *, room: int = 0) -> None:
        """Keep ``history`` pairs at most from now on, and of those that there are ``room`` less."""
        self.history = history
        for kept in (self._steps, self._changes, self._weights):
            del kept[: max(0, len(kept) + room - history)]

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
            # Each by itself: one tensor of all would be a copy of what is the most of the memory.
            tensors |= {f"steps.{place}": step for place, step in enumerate(self._steps)}
            tensors |= {f"changes.{place}": change for place, change in enumerate(self._changes)}
            tensors["weights"] = torch.stack(self._weights)
        return StepState(tensors, {"lr": self.lr})

    def restore(self, state: StepState) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        self.restart(1)
        self.lr = state.values["lr"]
        tensors = state.tensors
        if "variables" in tensors:
            self._last, self._gamma = (tensors["variables"], tensors["gradient"]), tensors["gamma"]
        if "weights" in tensors:
            self._weights = list(tensors["weights"])
            self._steps, self._changes = (self._restored(tensors, name) for name in ("steps", "changes"))
            # Whoever resumes may have less memory than whoever saved the state.
            self.shorten(self.history)

    def _restored(self, tensors: Mapping[str, Tensor], name: str) -> list[Tensor]:
        """One half of all pairs."""
        if name in tensors:
            # As states were before each pair was a tensor. Clones, because the last bit of a dot product may
            # depend on how its operands are aligned.
            return [each.clone() for each in torch.split(tensors[name], 1)]
        return [tensors[f"{name}.{place}"] for place in range(len(self._weights))]


def _held(variables: Tensor, gradient: Tensor) -> Tensor:
    """Which variables the gradient pushes against their bound."""
    return ((variables <= 0) & (gradient > 0)) | ((variables >= 1) & (gradient < 0))


def _chunks(*vectors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The same parts of vectors of one shape, flat, as views of those that are contiguous."""
    return zip(*(torch.split(vector.flatten(), CHUNK) for vector in vectors), strict=True)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner product, in float32 or better."""
    dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.float32)
    return torch.stack([torch.dot(x.to(dtype), y.to(dtype)) for x, y in _chunks(a, b)]).sum()


def _add(vector: Tensor, factor: Tensor, other: Tensor) -> None:
    """Add a multiple of another vector, in place."""
    for part, x in _chunks(vector, other):
        part += factor * x.to(part.dtype)


def _rms(vector: Tensor) -> Tensor:
    """Root of the mean square, never 0."""
    squares = torch.stack([part.square().sum() for (part,) in _chunks(vector)]).sum()
    return (squares / vector.numel()).sqrt().clamp_min(torch.finfo(vector.dtype).tiny)
