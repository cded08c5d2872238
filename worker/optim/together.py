"""Evaluates the losses of runs that share a network together: in passes of several, one on each core."""

import math
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import Self, TypeVar

import torch
from torch import Tensor

from worker.optim.descent import Evaluation, LossFunction

A = TypeVar("A")
B = TypeVar("B")

# Pixels of all pictures that go through a network at once on a CPU, divided by its threads. Beyond that its
# caches are too small, and each picture takes longer than by itself: docs/architecture.md, "Stacks", has the
# measurement.
CPU_PIXELS = 1 << 16
# Pixels of the largest picture that is worth computing with others on a CPU: if each has a thread of its own,
# and if two must share a pass.
LARGEST_ON_THREADS = 1 << 17
LARGEST_ON_ONE_THREAD = CPU_PIXELS // 2


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
    """What is wanted, in order: what shares a network and its size in passes of as many as is of use.

    On a CPU as many passes as it has threads are made at a time, each on a thread of its own: an operation on
    a small picture is divided among threads at a loss.
    """
    groups: dict[Hashable, list[int]] = {}
    for place, each in enumerate(wanted):
        groups.setdefault(_group(place, each), []).append(place)
    found: dict[int, Evaluation] = {}
    for places in groups.values():
        passes = _passes([wanted[place] for place in places])
        found |= dict(zip(places, (each for made in passes for each in made), strict=True))
    return [found[place] for place in range(len(wanted))]


def _passes(group: Sequence[Wanted]) -> list[list[Evaluation]]:
    """The evaluations of a group, in order, pass by pass."""
    threads = torch.get_num_threads() if group[0].variables.device.type == "cpu" else 1
    at_once = _at_once(group[0], threads)
    # As many in the last round of passes as in the others.
    rounds = math.ceil(len(group) / (at_once * threads))
    size = math.ceil(len(group) / (rounds * threads))
    parts = [group[first : first + size] for first in range(0, len(group), size)]
    return on_single_threads(_evaluate, parts, threads)


def on_single_threads(function: Callable[[A], B], each: Sequence[A], threads: int) -> list[B]:
    """The results of a function, in order, where torch computes each call in one of so many threads.

    A single call is made in this one, with all of torch's threads.
    """
    if threads == 1 or len(each) == 1:
        return [function(one) for one in each]
    return list(_single_threads(threads).map(function, each))


@cache
def _single_threads(count: int) -> ThreadPoolExecutor:
    """Threads in each of which torch computes with no others."""
    started = threading.Barrier(count + 1)

    def begin() -> None:
        # A thread takes torch's number for the process when it first asks, and setting it changes both.
        torch.get_num_threads()
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, "single-thread", initializer=begin)
    for _ in range(count):
        # Each starts a thread, since none is idle before all have begun.
        pool.submit(torch.get_num_threads)
    started.wait()
    torch.set_num_threads(count)
    return pool


def _group(place: int, wanted: Wanted) -> Hashable:
    loss = wanted.loss
    if not isinstance(loss, SharedLoss) or loss.shared is None:
        return place
    return type(loss), loss.shared, wanted.variables.dtype


def _at_once(wanted: Wanted, threads: int) -> int:
    """How many evaluations like one are made in one pass, with so many passes at a time."""
    loss = wanted.loss
    if not isinstance(loss, SharedLoss):
        return 1
    if wanted.variables.device.type != "cpu":
        return loss.most_together
    return max(1, min(loss.most_together, CPU_PIXELS // threads // loss.pixels))


def _evaluate(wanted: Sequence[Wanted]) -> list[Evaluation]:
    """What a group wants, in one pass."""
    first = wanted[0].loss
    if len(wanted) == 1 or not isinstance(first, SharedLoss):
        return [each.evaluate() for each in wanted]
    losses = [each.loss for each in wanted if isinstance(each.loss, SharedLoss)]
    return first.evaluate_together(losses, [each.variables for each in wanted])
