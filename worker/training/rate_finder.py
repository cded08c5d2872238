"""The learning-rate range test: the loss while the rate grows from far too low to far too high.

Smith, "Cyclical learning rates for training neural networks" (WACV 2017), section 3.3, with the numbers and
the suggestion of fastai's ``lr_find`` (callback/schedule.py): from 1e-7 to 10 in 100 steps, until the loss is
4 times the lowest, and the ``valley`` of its moving average.
"""

import copy
import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from worker.contract.compute import Compute
from worker.optim.randomness import generator_at
from worker.training.learner import LocalLearner
from worker.training.loop import Course

FIRST, LAST, STEPS = 1e-7, 10.0, 100
# The test ends when the moving average of the loss is so many times its lowest.
DIVERGED = 4.0
# Weight of the past in the moving average (fastai's Recorder).
MEMORY = 0.98
# Points that the suggestion leaves out: the first, when the average has seen few losses, and the last, when
# it diverges.
SKIPPED_FIRST, SKIPPED_LAST = STEPS // 10, 5
# Fewer points have no valley.
FEWEST = 4


@dataclass(frozen=True)
class RatePoint:
    """A step of the test: the learning rate, the loss of its batch, and the moving average of the losses."""

    rate: float
    loss: float
    smoothed: float


def range_test(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    course: Course,
    compute: Compute,
    *,
    rate: float,
) -> Generator[RatePoint, None, None]:
    """Learn with growing rates, on one device; model, optimizer and random numbers are then as they were.

    ``optimizer`` was made for the learning rate ``rate``; groups keep their shares of it. The course's
    batches are taken in its own order, from the first again after the last.
    """
    learner = LocalLearner(model, optimizer, course.lesson, compute)
    at_first = [group["lr"] for group in optimizer.param_groups]
    average, lowest = 0.0, math.inf
    with restored(model, optimizer, compute.device):
        for step in range(STEPS):
            tried = FIRST * (LAST / FIRST) ** (step / (STEPS - 1))
            for group, own in zip(optimizer.param_groups, at_first, strict=True):
                group["lr"] = own * tried / rate
            place = step % course.steps
            generator = generator_at(course.seed, place)
            batch = course.batch(place, generator)
            found, _ = learner.step(batch.inputs, batch.targets, generator.initial_seed())
            loss = float(found)
            if not math.isfinite(loss):
                return
            average = MEMORY * average + (1 - MEMORY) * loss
            smoothed = average / (1 - MEMORY ** (step + 1))
            yield RatePoint(tried, loss, smoothed)
            lowest = min(lowest, smoothed)
            if smoothed > DIVERGED * lowest:
                return


@contextmanager
def restored(model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device) -> Iterator[None]:
    """Put weights, buffers, the optimizer's state and torch's own random numbers back at the end."""
    weights = copy.deepcopy(model.state_dict())
    state = copy.deepcopy(optimizer.state_dict())
    training = model.training
    try:
        with torch.random.fork_rng([device] if device.type == "cuda" else []):
            yield
    finally:
        model.load_state_dict(weights)
        optimizer.load_state_dict(state)
        optimizer.zero_grad()
        model.train(training)


def suggest(points: Sequence[RatePoint]) -> float | None:
    """The rate at about half of the longest valley; None: the test diverged too early to say."""
    kept = points[SKIPPED_FIRST : len(points) - SKIPPED_LAST]
    if len(kept) < FEWEST:
        return None
    return kept[valley([point.smoothed for point in kept])].rate


def valley(losses: Sequence[float]) -> int:
    """The place at half of the longest valley, as fastai's ``valley``.

    That is the longest subsequence in which each loss is lower than the one before; its first third is left
    out, and half of the second.
    """
    lengths = [1] * len(losses)
    start = end = 0
    for i in range(1, len(losses)):
        for j in range(i):
            if losses[i] < losses[j]:
                lengths[i] = max(lengths[i], lengths[j] + 1)
            if lengths[end] < lengths[i]:
                end = i
                start = end - lengths[end]
    section = (end - start) / 3
    return max(0, start + int(section) + int(section / 2))
