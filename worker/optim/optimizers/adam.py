"""Adam and NAdam, projected onto [0, 1] where the variables are pixels."""

import torch
from torch import Tensor

from worker.contract.steps import StepState
from worker.optim.optimizers.base import Optimizer

# A longer memory for the squares than for the mean, but a shorter one than the usual 0.999: a picture takes
# hundreds of steps, not many thousands (as in crowson's style-transfer-pytorch).
BETAS = (0.9, 0.99)

# Share of the rms gradient (root of the mean second moment) that is added to each pixel's own, so that a
# pixel that hardly matters moves little. Relative, because losses that are means have gradients that shrink
# with the number of pixels: the usual absolute 1e-8 would stop the descent of a large picture.
EPSILON = 0.01


class Adam(Optimizer):
    """Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, projected.

    ``lr`` is the largest usual change of a value in a step. Variables are clamped to [0, 1] if ``bounded``.
    """

    def __init__(self, lr: float = 0.02, *, bounded: bool = True) -> None:
        self.lr = lr
        self.bounded = bounded
        self._count = 0
        self._mean: Tensor | None = None
        self._square: Tensor | None = None

    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        first, second = BETAS
        if self._mean is None or self._square is None:
            self._mean, self._square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self._count += 1
        self._mean = self._mean.lerp(gradient, 1 - first)
        self._square = self._square.lerp(gradient.square(), 1 - second)
        mean = self._corrected(self._mean, gradient)
        rms = (self._square / (1 - second**self._count)).sqrt()
        epsilon = EPSILON * rms.square().mean().sqrt() + torch.finfo(rms.dtype).tiny
        moved = variables - self.lr * mean / (rms + epsilon)
        return moved.clamp(0, 1) if self.bounded else moved

    def _corrected(self, mean: Tensor, gradient: Tensor) -> Tensor:
        """The running mean of gradients, which has the latest in it, corrected for its start at 0."""
        del gradient
        return mean / (1 - BETAS[0] ** self._count)

    def restart(self, damping: float) -> None:
        self.lr *= damping
        self._count, self._mean, self._square = 0, None, None

    def state(self) -> StepState:
        tensors = {}
        if self._mean is not None and self._square is not None:
            tensors = {"mean": self._mean, "square": self._square}
        return StepState(tensors, {"lr": self.lr, "count": self._count})

    def restore(self, state: StepState) -> None:
        self.lr, self._count = state.values["lr"], state.values["count"]
        self._mean, self._square = state.tensors.get("mean"), state.tensors.get("square")


class NAdam(Adam):
    """Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2, projected.

    It looks a step ahead: the mean is the one that the same gradient would give if it came again.
    """

    def _corrected(self, mean: Tensor, gradient: Tensor) -> Tensor:
        first = BETAS[0]
        return first * mean / (1 - first ** (self._count + 1)) + (1 - first) * gradient / (
            1 - first**self._count
        )
