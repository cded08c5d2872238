"""Evaluates the losses of runs that share a network together: in passes of several, one on each core."""

import math
import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass
from functools import cache
from itertools import chain
from typing import Self, TypeVar

import torch
from torch import Tensor

from worker.contract.interludes import between_parts
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
        between_parts()
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
        found |= dict(zip(places, _in_passes([wanted[place] for place in places]), strict=True))
    return [found[place] for place in range(len(wanted))]


def _in_passes(group: Sequence[Wanted]) -> Iterator[Evaluation]:
    """The evaluations of a group, in order."""
    at_a_time, size = _passes(group[0], len(group))
    passes = [group[first : first + size] for first in range(0, len(group), size)]
    # Fewer than threads would leave some of them idle: those are made one by one, with all threads.
    whole = len(passes) // at_a_time * at_a_time if at_a_time > 1 else 0
    with closing(on_single_threads(_evaluate, passes[:whole], at_a_time)) as found:
        yield from chain.from_iterable(found)
    for each in passes[whole:]:
        yield from _evaluate(each)


def _passes(first: Wanted, count: int) -> tuple[int, int]:
    """How many passes are made at a time, and the evaluations in each, for a number of those like one."""
    loss = first.loss
    if not isinstance(loss, SharedLoss):
        return 1, 1
    threads, at_once = 1, loss.most_together
    if first.variables.device.type == "cpu":
        threads = torch.get_num_threads()
        at_once = max(1, min(at_once, CPU_PIXELS // threads // loss.pixels))
        # Together they fit into the memory for one.
        threads = max(1, min(threads, loss.most_together // at_once))
    # As many in the last round of passes as in the others.
    rounds = math.ceil(count / (at_once * threads))
    return threads, math.ceil(count / (rounds * threads))


def on_single_threads(
    function: Callable[[A], B], each: Sequence[A], threads: int
) -> Generator[B, None, None]:
    """The results of a function, in order, where torch computes each call in one of so many threads.

    With ``threads`` 1 the calls are made in this thread, with all of torch's. At its end, by an error or
    closed before, no call is running.
    """
    if threads == 1:
        yield from map(function, each)
        return
    # Those who listen to what is done in this thread hear of what is done in the others.
    calls = [_single_threads(threads).submit(copy_context().run, function, one) for one in each]
    try:
        for call in calls:
            yield call.result()
    finally:
        for call in calls:
            call.cancel()
        wait(calls)


@cache
def _single_threads(count: int) -> ThreadPoolExecutor:
    """Threads in each of which torch computes with no others."""
    before = torch.get_num_threads()
    started = threading.Barrier(count + 1)

    def begin() -> None:
        # A thread takes torch's number for the process when it first asks, and setting it changes both.
        torch.get_num_threads()
        torch.set_num_threads(1)
        started.wait()

    pool = ThreadPoolExecutor(count, "single-thread", initializer=begin)
    try:
        for _ in range(count):
            # Each starts a thread, since none is idle before all have begun.
            pool.submit(torch.get_num_threads)
        started.wait()
    except BaseException:
        started.abort()
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    finally:
        torch.set_num_threads(before)
    return pool


# The threads of the parent are not in a child.
os.register_at_fork(after_in_child=_single_threads.cache_clear)


def _group(place: int, wanted: Wanted) -> Hashable:
    loss = wanted.loss
    if not isinstance(loss, SharedLoss) or loss.shared is None:
        return place
    return type(loss), loss.shared, wanted.variables.dtype


def _evaluate(wanted: Sequence[Wanted]) -> list[Evaluation]:
    """What a group wants, in one pass."""
    first = wanted[0].loss
    if len(wanted) == 1 or not isinstance(first, SharedLoss):
        return [each.evaluate() for each in wanted]
    losses = [each.loss for each in wanted if isinstance(each.loss, SharedLoss)]
    return first.evaluate_together(losses, [each.variables for each in wanted])
