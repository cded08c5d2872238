"""Schedules of the learning rate: factors of the optimizer's own rates, by step."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.kinds.training_presets import Rates

# fastai's fit_one_cycle (callback/schedule.py): the rate rises from a 25th over the first quarter of the
# steps, then falls to the 100,000th, both along a cosine.
ONE_CYCLE_FIRST = 1 / 25
ONE_CYCLE_LAST = 1e-5
ONE_CYCLE_RISE = 0.25


@dataclass(frozen=True)
class ScheduleSettings:
    """Which schedule.

    ``warm_up`` is the share of the steps over which the rate first rises, linearly; of ``one_cycle`` along a
    cosine, and 0 means ONE_CYCLE_RISE. ``step`` multiplies the rate by ``rate_factor`` every ``step_epochs``;
    ``plateau`` does so when ``plateau_patience`` epochs have brought no progress of more than ``min_delta``.
    """

    schedule: Rates
    warm_up: float = 0.0
    step_epochs: int = 30
    rate_factor: float = 0.1
    plateau_patience: int = 5
    min_delta: float = 0.0


class Schedule:
    """The factor of the learning rates at each step, counted from 0."""

    def __init__(self, curve: Callable[[int], float], plateau: "Plateau | None" = None) -> None:
        self._curve = curve
        self._plateau = plateau

    def factor(self, step: int) -> float:
        """What the optimizer's own learning rates are multiplied by."""
        return self._curve(step) * (self._plateau.factor if self._plateau is not None else 1.0)

    def after_epoch(self, score: float) -> None:
        """Note the score of an epoch on the validation part: the larger the better."""
        if self._plateau is not None:
            self._plateau.note(score)

    def state(self) -> dict[str, Any]:
        """What has been noted, as JSON."""
        return {} if self._plateau is None else dict(vars(self._plateau))

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a :meth:`state` of a schedule of the same settings."""
        if self._plateau is not None:
            vars(self._plateau).update(state)


class Plateau:
    """A factor that shrinks when scores have not grown for some time."""

    def __init__(self, shrink: float, patience: int, min_delta: float) -> None:
        self.factor = 1.0
        self.shrink = shrink
        self.patience = patience
        self.min_delta = min_delta
        self.best: float | None = None
        self.waited = 0

    def note(self, score: float) -> None:
        """Note the score of one more epoch."""
        if self.best is None or score > self.best + self.min_delta:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            self.factor *= self.shrink
            self.waited = 0


def make_schedule(settings: ScheduleSettings, steps: int, steps_per_epoch: int) -> Schedule:
    """The schedule that settings name, of a training of so many steps."""
    rising = math.ceil(settings.warm_up * steps)
    match settings.schedule:
        case "one_cycle":
            return Schedule(partial(_one_cycle, steps=steps, share=settings.warm_up or ONE_CYCLE_RISE))
        case "cosine":
            return Schedule(partial(_cosine, steps=steps, rising=rising))
        case "step":
            every = settings.step_epochs * steps_per_epoch
            return Schedule(
                lambda step: settings.rate_factor ** (step // every) * _warm_up(step, rising=rising)
            )
        case "plateau":
            plateau = Plateau(settings.rate_factor, settings.plateau_patience, settings.min_delta)
            return Schedule(partial(_warm_up, rising=rising), plateau)
        case "constant":
            return Schedule(partial(_warm_up, rising=rising))


def _warm_up(step: int, *, rising: int) -> float:
    """1 / rising, 2 / rising ... up to 1, then 1."""
    return min(1.0, (step + 1) / max(1, rising))


def _cosine(step: int, *, steps: int, rising: int) -> float:
    """From 1 behind the warm-up towards 0 at the end: Loshchilov and Hutter, "SGDR" (ICLR 2017), eq. 5."""
    if step < rising:
        return _warm_up(step, rising=rising)
    return _along_cosine(1.0, 0.0, (step - rising) / (steps - rising))


def _one_cycle(step: int, *, steps: int, share: float) -> float:
    """Up, then down: Smith, "A disciplined approach to neural network hyper-parameters" (2018), as fastai."""
    progress = step / max(1, steps - 1)
    if progress < share:
        return _along_cosine(ONE_CYCLE_FIRST, 1.0, progress / share)
    if share == 1:
        return 1.0
    return _along_cosine(1.0, ONE_CYCLE_LAST, (progress - share) / (1 - share))


def _along_cosine(first: float, last: float, progress: float) -> float:
    return last + (first - last) * (1 + math.cos(math.pi * progress)) / 2
