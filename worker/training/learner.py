"""One step of learning: the gradient of a batch, and the optimizer's step."""

from contextlib import nullcontext
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from models.trainable import AUXILIARY_WEIGHT, Trainable
from worker.contract.compute import Compute
from worker.optim.randomness import seed_own
from worker.training.objectives import ObjectiveSettings, make_objective, penalty


class Lesson(Protocol):
    """What is minimized."""

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor: ...
    def penalty(self, model: nn.Module, targets: Tensor) -> Tensor | None:
        """What is added to the objective, but not reported; ``model`` has just been run."""
        ...


@dataclass(frozen=True)
class Classes:
    """A lesson: an objective, with penalties ``l1`` and ``l2`` of the weights.

    Auxiliary classifiers, if there are, have the same objective. Other processes can be told it.
    """

    settings: ObjectiveSettings
    l1: float = 0.0
    l2: float = 0.0

    def objective(self, logits: Tensor, targets: Tensor) -> Tensor:
        """The objective of the settings."""
        return make_objective(self.settings)(logits, targets)

    def penalty(self, model: nn.Module, targets: Tensor) -> Tensor | None:
        """L1 and L2 of the weights, if asked for, and the losses of auxiliary classifiers, if there are."""
        terms = [penalty(model, self.l1, self.l2)] if self.l1 or self.l2 else []
        if isinstance(model, Trainable):
            losses = [self.objective(logits.float(), targets) for logits in model.auxiliary_logits]
            terms += [AUXILIARY_WEIGHT * loss for loss in losses]
        return torch.stack(terms).sum() if terms else None


class Learner(Protocol):
    """Makes one step after the other."""

    def step(self, inputs: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """Learn from inputs (n, ...) and targets (n, classes) on the device; ``seed`` is that of dropout.

        The objective before the step, a scalar, and the logits (n, classes), both without gradients.
        """
        ...


class LocalLearner:
    """Learns on one device."""

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, lesson: Lesson, compute: Compute
    ) -> None:
        self._model = model
        self._optimizer = optimizer
        self._lesson = lesson
        self._compute = compute

    def step(self, inputs: Tensor, targets: Tensor, seed: int) -> tuple[Tensor, Tensor]:
        """See :class:`Learner`."""
        # Dropout has no generator of its own.
        seed_own(seed, self._compute.device)
        self._model.train()
        self._optimizer.zero_grad()
        logits = run_model(self._model, inputs, self._compute)
        loss = self._lesson.objective(logits, targets)
        penalty = self._lesson.penalty(self._model, targets)
        whole = loss if penalty is None else loss + penalty
        whole.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
        return loss.detach(), logits.detach()


def run_model(model: nn.Module, inputs: Tensor, compute: Compute) -> Tensor:
    """Logits, float32, of inputs on the device; activations are in the dtype of ``compute``."""
    if inputs.ndim == 4:
        inputs = inputs.contiguous(memory_format=torch.channels_last)
    rough = compute.dtype == torch.bfloat16
    with torch.autocast(compute.device.type, compute.dtype) if rough else nullcontext():
        logits: Tensor = model(inputs)
    return logits.float()
