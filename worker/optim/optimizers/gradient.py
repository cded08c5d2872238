"""Gradient steps of constant mean length."""

import torch
from torch import Tensor

from worker.optim.optimizers.base import ConstantStep


class NormalizedGradient(ConstantStep):
    """Gradient descent, the gradient divided by its mean absolute value.

    A step changes a value by ``lr`` on average, before it is clamped to [0, 1] if ``bounded``: Mordvintsev,
    Olah, Tyka, "Inceptionism", 2015, and their code.
    """

    def __init__(self, lr: float, *, bounded: bool = True) -> None:
        super().__init__(lr)
        self.bounded = bounded

    def step(self, variables: Tensor, gradient: Tensor) -> Tensor:
        """The next variables, from these and the loss's gradient at them; the same if that is 0."""
        size = gradient.abs().mean().clamp_min(torch.finfo(gradient.dtype).tiny)
        moved = variables - self.lr * (gradient / size)
        return moved.clamp(0, 1) if self.bounded else moved
