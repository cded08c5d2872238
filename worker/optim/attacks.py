"""Adversarial attacks: small changes of a picture that change its class.

Pictures are batches (N, 3, H, W) in [0, 1], and lengths are in the same units, before a network's
normalisation. Each attack is a descent (:mod:`worker.optim.descent`) by an optimizer that stays near the
picture:

- Goodfellow, Shlens, Szegedy, "Explaining and harnessing adversarial examples", ICLR 2015, section 4: one
  step along the sign of the gradient (fast gradient sign).
- Kurakin, Goodfellow, Bengio, "Adversarial examples in the physical world", ICLR workshop 2017, section 2.2:
  several (basic iterative method).
- Madry, Makelov, Schmidt, Tsipras, Vladu, "Towards deep learning models resistant to adversarial attacks",
  ICLR 2018, section 2.1: from a random start, by the largest change or the Euclidean norm (projected
  gradient).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from worker.optim.objectives import Features, Objective, precise
from worker.optim.optimizers.base import ConstantStep
from worker.optim.randomness import generator_at

Norm = Literal["linf", "l2"]

# Levels of an 8-bit value, the unit of lengths in params and results.
LEVELS = 255


def log_probability(index: int) -> Objective:
    """The logarithm of the probability of a class, which targeted attacks maximize."""

    def value(features: Features) -> Tensor:
        return precise(features["logits"]).log_softmax(1)[:, index]

    return Objective(("logits",), value)


@dataclass(frozen=True)
class Ball:
    """A norm ball: changes of a picture whose ``norm``, over all its values, is at most ``radius``."""

    norm: Norm
    radius: float

    def steepest(self, gradient: Tensor) -> Tensor:
        """The change of norm 1 with the largest product with a gradient (N, ...); 0 where that is 0."""
        return gradient.sign() if self.norm == "linf" else _unit(gradient)

    def project(self, change: Tensor) -> Tensor:
        """The nearest change in the ball."""
        if self.norm == "linf":
            return change.clamp(-self.radius, self.radius)
        return change * (self.radius / l2_norms(change)).clamp_max(1)

    def random(self, like: Tensor, seeds: Sequence[int]) -> Tensor:
        """A change of each picture of a batch, uniform in the ball, from its own seed."""
        drawn = [self._random(like[0], generator_at(seed)) for seed in seeds]
        return torch.stack(drawn).to(like)

    def _random(self, like: Tensor, generator: torch.Generator) -> Tensor:
        if self.norm == "linf":
            return self.radius * (2 * torch.rand(like.shape, generator=generator) - 1)
        direction = _unit(torch.randn(1, *like.shape, generator=generator))[0]
        # A length whose power ``dimension`` is uniform.
        return self.radius * torch.rand((), generator=generator) ** (1 / like.numel()) * direction


class ProjectedStep(ConstantStep):
    """An optimizer with steps of constant length, projected onto [0, 1] and a ball about the originals."""

    def __init__(self, originals: Tensor, ball: Ball, lr: float) -> None:
        """Stay near ``originals`` (N, 3, H, W), with steps of length ``lr`` by the norm of the ball."""
        self.originals = originals
        self.ball = ball
        super().__init__(lr)

    def step(self, picture: Tensor, gradient: Tensor) -> Tensor:
        change = picture - self.lr * self.ball.steepest(gradient) - self.originals
        # Clamping moves values towards the original, so the result is in the ball too.
        return (self.originals + self.ball.project(change)).clamp(0, 1)


def norms(change: Tensor) -> dict[str, float]:
    """The L-infinity and L2 norms of a change, in levels."""
    # On the CPU first: Apple's MPS has no float64.
    exact = LEVELS * change.detach().cpu().double()
    return {"linf": float(exact.abs().max()), "l2": float(exact.norm())}


def quantize_8bit(pictures: Tensor) -> Tensor:
    """Pictures rounded to 8 bits a value."""
    return (pictures * LEVELS).round() / LEVELS


def amplified(change: Tensor) -> tuple[Tensor, float]:
    """A change as a picture about mid-grey, and the factor that makes its largest value black or white."""
    largest = float(change.abs().max())
    factor = 0.5 / largest if largest > 0 else 1.0
    return (0.5 + factor * change).clamp(0, 1), factor


def _unit(vectors: Tensor) -> Tensor:
    """Vectors (N, ...) scaled to length 1; 0 stays 0."""
    # The gradient of a confident network is so small that its squares would underflow.
    largest = vectors.abs().flatten(1).amax(1).clamp_min(torch.finfo(vectors.dtype).tiny)
    scaled = vectors / _each(largest, vectors)
    return scaled / l2_norms(scaled)


def l2_norms(vectors: Tensor) -> Tensor:
    """The L2 norm of each of (N, ...), at least the smallest float, in a shape that broadcasts with them."""
    length = torch.linalg.vector_norm(vectors.flatten(1), dim=1)
    return _each(length.clamp_min(torch.finfo(vectors.dtype).tiny), vectors)


def _each(numbers: Tensor, vectors: Tensor) -> Tensor:
    return numbers.view(-1, *(1,) * (vectors.dim() - 1))
