"""A course of phases, each with pictures of its own size: how palette is trained."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.training.augmentation import cutmix
from worker.training.learner import Classes, Lesson
from worker.training.loop import Batch
from worker.training.objectives import ObjectiveSettings

Sample = Callable[[torch.Generator, int, int], tuple[Tensor, Tensor]]
"""(generator, n, side) -> n pictures (n, 3, side, side) in [0, 1] and their classes (n,), on the device.

A negative class is none: the shares of all classes are the same (Hendrycks, Mazeika, Dietterich, "Deep
anomaly detection with outlier exposure", ICLR 2019, section 3).
"""


@dataclass(frozen=True)
class Phase:
    """Steps of a training with the same settings.

    ``size`` is the side of the pictures in pixels and ``batch`` their number in a step; ``radius`` has the L2
    norms of the attack in the first and last step, ``attacked`` is the fraction of a batch that is attacked,
    and ``mixed`` the probability of cutmix for a batch.
    """

    steps: int
    size: int
    batch: int
    radius: tuple[float, float] = (0.0, 0.0)
    attacked: float = 0.0
    mixed: float = 0.5


@dataclass(frozen=True)
class Cycle:
    """Phases over which the learning rates rise once and fall once.

    They rise to ``height`` times the optimizer's own over the fraction ``warm_up`` of the steps, then fall
    linearly to ``last_rate`` times that.
    """

    phases: tuple[Phase, ...]
    height: float = 1.0
    warm_up: float = 0.01
    last_rate: float = 0.01

    @property
    def steps(self) -> int:
        """Steps of all phases."""
        return sum(phase.steps for phase in self.phases)

    def rate_at(self, step: int) -> float:
        """The factor of the learning rates at a step of this cycle, counted from 0."""
        progress = (step + 1) / self.steps
        if progress < self.warm_up:
            return self.height * progress / self.warm_up
        return self.height * (1 - (1 - self.last_rate) * (progress - self.warm_up) / (1 - self.warm_up))


@dataclass(frozen=True)
class Schedule:
    """Settings of a training: its cycles, and what they share.

    With warm restarts (Loshchilov and Hutter, "SGDR", ICLR 2017) the network is usable after each cycle.
    ``smoothing`` is the label smoothing.
    """

    cycles: tuple[Cycle, ...]
    smoothing: float = 0.1
    seed: int = 0

    @property
    def steps(self) -> int:
        """Steps of all cycles."""
        return sum(cycle.steps for cycle in self.cycles)

    def at(self, step: int) -> tuple[Phase, float]:
        """The phase of a step, counted from 0, and the progress within that phase, in [0, 1]."""
        for phase in (phase for cycle in self.cycles for phase in cycle.phases):
            if step < phase.steps:
                return phase, step / max(1, phase.steps - 1)
            step -= phase.steps
        raise ValueError(f"the schedule has only {self.steps} steps")

    def rate_at(self, step: int) -> float:
        """The factor of the learning rates at a step, counted from 0."""
        for cycle in self.cycles:
            if step < cycle.steps:
                return cycle.rate_at(step)
            step -= cycle.steps
        raise ValueError(f"the schedule has only {self.steps} steps")


@dataclass(frozen=True)
class PhasedCourse:
    """Batches of samples, mixed and attacked as a schedule of phases says, and judged by nobody."""

    sample: Sample
    classes: int
    schedule: Schedule

    @property
    def seed(self) -> int:
        """The schedule's."""
        return self.schedule.seed

    @property
    def steps(self) -> int:
        """The schedule's."""
        return self.schedule.steps

    @property
    def scored(self) -> bool:
        """Logits are scores of the classes."""
        return True

    def batch(self, step: int, generator: torch.Generator) -> Batch:
        """Samples of the phase, mixed by cutmix with its probability."""
        phase, progress = self.schedule.at(step)
        pictures, labels = self.sample(generator, phase.batch, phase.size)
        targets = shares_of(labels, self.classes)
        if float(torch.rand(1, generator=generator)) < phase.mixed:
            pictures, targets = self.mix(pictures, targets, generator)
        radius = phase.radius[0] + progress * (phase.radius[1] - phase.radius[0])
        return Batch(pictures, targets, round(phase.attacked * phase.batch), radius)

    def mix(self, pictures: Tensor, targets: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Cutmix of pictures (n, 3, H, W) and targets (n, classes)."""
        return cutmix(pictures, targets, generator)

    def factor(self, step: int) -> float:
        """The schedule's."""
        return self.schedule.rate_at(step)

    @property
    def lesson(self) -> Lesson:
        """Cross-entropy with label smoothing."""
        return Classes(ObjectiveSettings("softmax", label_smoothing=self.schedule.smoothing))

    def numbers(self, step: int, rate: float, batch: Batch) -> dict[str, float]:
        """``rate`` and ``radius``."""
        return {"rate": rate, "radius": batch.radius}


def shares_of(labels: Tensor, classes: int) -> Tensor:
    """Targets (n, classes) of labels (n,) int64, of which negative ones are of no class."""
    named = F.one_hot(labels.clamp_min(0), classes).float()
    return torch.where(labels[:, None] < 0, 1 / classes, named)
