"""Adam and NAdam on a picture, kept within [0, 1], or on other variables."""

import torch
from torch import Tensor

from worker.contract.steps import State

# Longer memory of the squares than of the mean, but shorter than the usual 0.999: a picture takes hundreds of
# steps, not many thousands (as in crowson's style-transfer-pytorch).
BETAS = (0.9, 0.99)

# The share of the mean gradient (root of the mean second moment) that is added to each pixel's own, so that a
# pixel that hardly matters moves little. Relative, because losses that are means have gradients that shrink
# with the number of pixels: the usual absolute 1e-8 would stop the descent of a large picture.
EPSILON = 0.01


class Adam:
    """Kingma and Ba, "Adam: a method for stochastic optimization", ICLR 2015, algorithm 1, projected.

    ``rate`` is the largest usual change of a pixel in a step, in units of [0, 1]. What is no picture (phases,
    say) is not ``bounded``.
    """

    def __init__(self, rate: float = 0.02, *, bounded: bool = True) -> None:
        self.rate = rate
        self.bounded = bounded
        self._count = 0
        self._mean: Tensor | None = None
        self._square: Tensor | None = None

    def propose(self, picture: Tensor, gradient: Tensor) -> Tensor:
        """The next picture, from this one and the loss's gradient there (same shapes)."""
        first, second = BETAS
        if self._mean is None or self._square is None:
            self._mean, self._square = torch.zeros_like(gradient), torch.zeros_like(gradient)
        self._count += 1
        self._mean = self._mean.lerp(gradient, 1 - first)
        self._square = self._square.lerp(gradient.square(), 1 - second)
        mean = self._expected(self._mean, gradient)
        size = (self._square / (1 - second**self._count)).sqrt()
        floor = EPSILON * size.square().mean().sqrt() + torch.finfo(size.dtype).tiny
        moved = picture - self.rate * mean / (size + floor)
        return moved.clamp(0, 1) if self.bounded else moved

    def _expected(self, mean: Tensor, gradient: Tensor) -> Tensor:
        """The gradient that is to be expected, from the running mean with the latest in it."""
        del gradient
        return mean / (1 - BETAS[0] ** self._count)

    def restart(self, damping: float) -> None:
        """Forget the past and go on with ``damping`` times the step length."""
        self.rate *= damping
        self._count, self._mean, self._square = 0, None, None

    def state(self) -> State:
        """All that :meth:`restore` needs."""
        tensors = (
            {}
            if self._mean is None or self._square is None
            else {
                "mean": self._mean,
                "square": self._square,
            }
        )
        return State(tensors, {"rate": self.rate, "count": self._count})

    def restore(self, state: State) -> None:
        """Go on from a :meth:`state`, bit for bit."""
        self.rate, self._count = state.values["rate"], state.values["count"]
        self._mean, self._square = state.tensors.get("mean"), state.tensors.get("square")


class NAdam(Adam):
    """Dozat, "Incorporating Nesterov momentum into Adam", ICLR workshop 2016, algorithm 2, projected.

    It looks a step ahead: what counts is the mean as it will be when the same gradient has come again.
    """

    def _expected(self, mean: Tensor, gradient: Tensor) -> Tensor:
        first = BETAS[0]
        return first * mean / (1 - first ** (self._count + 1)) + (1 - first) * gradient / (
            1 - first**self._count
        )
