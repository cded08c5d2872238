"""Evaluates the losses of several runs in one pass through their network, where they share one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Self

from torch import Tensor

from worker.optim.descent import Evaluation, LossFunction

# Pixels of all pictures that go through a network at once on a CPU. Beyond that its caches are too small, and
# each picture takes longer than by itself: docs/architecture.md, "Stacks", has the measurement.
CPU_PIXELS = 1 << 16


class SharedLoss(ABC):
    """A loss that can be evaluated together with others of its class."""

    @abstractmethod
    def __call__(self, variables: Tensor) -> Evaluation:
        """The loss at variables (N, ...)."""

    @property
    @abstractmethod
    def shared(self) -> Hashable:
        """What losses have in common that can be evaluated together; None: this one is evaluated alone."""

    @property
    @abstractmethod
    def pixels(self) -> int:
        """Those of a picture as the network sees it."""

    @property
    @abstractmethod
    def most_together(self) -> int:
        """How many fit into the memory for one pass."""

    @abstractmethod
    def evaluate_together(self, losses: Sequence[Self], variables: Sequence[Tensor]) -> list[Evaluation]:
        """Each of some losses, of which this is the first, at its own variables, in one pass.

        The same as one by one, up to rounding. They have the same ``shared``, which is not None.
        """


@dataclass(frozen=True)
class Wanted:
    """An evaluation that a run waits for: of a loss, at variables (N, ...)."""

    loss: LossFunction
    variables: Tensor

    def evaluate(self) -> Evaluation:
        """The evaluation, by itself."""
        return self.loss(self.variables)


def evaluate_all(wanted: Sequence[Wanted]) -> list[Evaluation]:
    """What is wanted, in order: what shares a network and its size in passes of as many as is of use."""
    groups: dict[Hashable, list[int]] = {}
    for place, each in enumerate(wanted):
        groups.setdefault(_group(place, each), []).append(place)
    found: dict[int, Evaluation] = {}
    for places in groups.values():
        passes = math.ceil(len(places) / _at_once(wanted[places[0]]))
        size = math.ceil(len(places) / passes)
        for first in range(0, len(places), size):
            some = places[first : first + size]
            found |= dict(zip(some, _evaluate([wanted[place] for place in some]), strict=True))
    return [found[place] for place in range(len(wanted))]


def _group(place: int, wanted: Wanted) -> Hashable:
    loss = wanted.loss
    if not isinstance(loss, SharedLoss) or loss.shared is None:
        return place
    return type(loss), loss.shared, wanted.variables.dtype


def _at_once(wanted: Wanted) -> int:
    """How many evaluations like one are made in one pass."""
    loss = wanted.loss
    if not isinstance(loss, SharedLoss):
        return 1
    if wanted.variables.device.type != "cpu":
        return loss.most_together
    return max(1, min(loss.most_together, CPU_PIXELS // loss.pixels))


def _evaluate(wanted: Sequence[Wanted]) -> list[Evaluation]:
    """What a group wants, in one pass."""
    first = wanted[0].loss
    if len(wanted) == 1 or not isinstance(first, SharedLoss):
        return [each.evaluate() for each in wanted]
    losses = [each.loss for each in wanted if isinstance(each.loss, SharedLoss)]
    return first.evaluate_together(losses, [each.variables for each in wanted])
