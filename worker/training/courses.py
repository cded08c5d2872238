"""A course of epochs over the training part of a set."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.optim.randomness import generator_at
from worker.training.learner import Lesson
from worker.training.loop import Batch

# Of the steps of a training with attacks: those without any, and those until they are at their full length.
CALM, RISING = 0.3, 0.5
# The share of a batch that is attacked: as palette was trained.
ATTACKED = 0.5

View = Callable[[Tensor, torch.Generator], Tensor]
"""Places (n,) of training pictures, and a generator, to what the model is given of them, (n, ...)."""

Mix = Callable[[Tensor, Tensor, torch.Generator], tuple[Tensor, Tensor]]
"""Inputs (n, ...) and targets (n, classes) to the same, mixed with each other."""


class Rates(Protocol):
    """What multiplies the learning rates at a step, counted from 0."""

    def factor(self, step: int) -> float: ...


@dataclass(frozen=True, kw_only=True)
class EpochCourse:
    """Every picture of a part once an epoch, in an order drawn from the seed and the epoch's number.

    ``places`` (n,) are those of the part in the set, ``labels`` (N,) the classes of the whole set, -1: none.
    Batches of an epoch differ by one picture at most, so that none has one picture alone. ``attack`` is the
    L2 norm that attacks rise to; 0: none. ``scored``: the model gives scores of the classes, not embeddings.
    """

    seed: int
    places: Tensor
    labels: Tensor
    classes: int
    epochs: int
    batch_size: int
    view: View
    mix: Mix
    rates: Rates
    lesson: Lesson
    attack: float = 0.0
    scored: bool = True

    @property
    def steps_per_epoch(self) -> int:
        """Batches that the part makes."""
        return -(-len(self.places) // self.batch_size)

    @property
    def steps(self) -> int:
        """Steps of all epochs."""
        return self.epochs * self.steps_per_epoch

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        """The pictures of a step, augmented and mixed; half of them may be attacked."""
        epoch, within = divmod(step, self.steps_per_epoch)
        order = _order(self.seed, epoch, len(self.places))
        places = self.places[order.tensor_split(self.steps_per_epoch)[within]]
        inputs = self.view(places, generator)
        targets = F.one_hot(self.labels[places], self.classes).float().to(inputs.device)
        inputs, targets = self.mix(inputs, targets, generator)
        radius = self.attack * min(1.0, max(0.0, (step / self.steps - CALM) / RISING))
        return Batch(inputs, targets, round(ATTACKED * len(places)), radius)

    def factor(self, step: int) -> float:
        """That of the schedule."""
        return self.rates.factor(step)

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        """``rate``, ``epoch`` (from 1), and ``radius`` of attacks."""
        radius = {"radius": batch.radius} if self.attack else {}
        return {"rate": rate, "epoch": step // self.steps_per_epoch + 1, **radius}


@lru_cache(maxsize=2)
def _order(seed: int, epoch: int, count: int) -> Tensor:
    return torch.randperm(count, generator=generator_at(seed, epoch))
