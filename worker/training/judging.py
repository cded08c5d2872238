"""Judging a network in training on the validation part, and when it has learned enough."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.errors import ComputationError
from app.kinds.training_presets import Metric
from worker.contract.compute import Compute
from worker.contract.interludes import between_parts
from worker.training.learner import run_model
from worker.training.loop import Verdict
from worker.understanding.scores import class_scores, confusion, macro

# Pictures in a forward pass.
CHUNK_PIXELS, MOST_PICTURES = 64 * 224**2, 512


class EpochRates(Protocol):
    """The part of a schedule that epochs decide: it lowers the rates where there is no progress."""

    def after_epoch(self, metric: float) -> None:
        """Take in a measure, which is the better the higher it is."""
        ...

    def state(self) -> dict[str, Any]: ...
    def load(self, state: Mapping[str, Any]) -> None: ...


Scores = Callable[[nn.Module, Tensor], Tensor]
"""A model in eval mode, and logits or embeddings (n, ...) of it, to logits (n, classes)."""


@dataclass(kw_only=True)
class PartJudge:
    """Loss, accuracy and macro-F1 on some places of a set, of labels (N,).

    ``scores`` are those of the classes, which are the logits themselves, or made of embeddings. ``metric`` is
    what is best; among equals it is the loss. It is over after ``patience`` epochs, 0: never,
    in which the metric was not better by more than ``min_delta``. One that does not choose only measures.
    """

    every: int
    places: Tensor
    labels: Tensor
    classes: int
    view: Callable[[Tensor], Tensor]
    scores: Scores
    loss: Callable[[Tensor, Tensor], Tensor]
    metric: Metric
    patience: int
    min_delta: float
    rates: EpochRates
    compute: Compute
    chooses: bool = True
    highest: float = field(default=-math.inf, init=False)
    waited: int = field(default=0, init=False)

    def measure(self, model: nn.Module) -> Verdict | None:
        """Measure a model in eval mode; None: there are no pictures to do so.

        Raises ComputationError if its loss is not finite.
        """
        if not len(self.places):
            return None
        found = logits_of(model, self.places, self.view, self.compute)
        labels = self.labels[self.places]
        loss = float(self.loss(found, F.one_hot(labels, self.classes).float()))
        if not math.isfinite(loss):
            raise ComputationError(f"The loss on the validation part is {loss}. Try a lower learning rate.")
        measures = {"loss": loss, **accuracies(self.scores(model, found), labels)}
        return Verdict(measures, (self._quality(measures), -loss), self.chooses)

    def is_over(self, verdict: Verdict) -> bool:
        """Whether to stop: the patience is over."""
        quality = verdict.quality[0]
        self.rates.after_epoch(quality)
        if quality > self.highest + self.min_delta:
            self.highest, self.waited = quality, 0
            return False
        self.waited += 1
        return self.chooses and 0 < self.patience <= self.waited

    def state(self) -> dict[str, Any]:
        """The best so far, the epochs since then, and the state of the schedule."""
        highest = None if math.isinf(self.highest) else self.highest
        return {"highest": highest, "waited": self.waited, "rates": self.rates.state()}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from a state."""
        self.highest = -math.inf if state["highest"] is None else state["highest"]
        self.waited = state["waited"]
        self.rates.load(state["rates"])

    def _quality(self, measures: Mapping[str, float]) -> float:
        return -measures["loss"] if self.metric == "loss" else measures[self.metric]


def accuracies(logits: Tensor, labels: Tensor) -> dict[str, float]:
    """``accuracy`` and ``macro_f1`` of logits (n, classes) and labels (n,)."""
    guessed = logits.argmax(1)
    scores = class_scores(confusion(labels, guessed, logits.shape[1]))
    # Classes that the part does not have count only where they are guessed.
    return {
        "accuracy": float((guessed == labels).float().mean()),
        "macro_f1": macro([each.f1 for each in scores]) or 0.0,
    }


@torch.no_grad()
def logits_of(model: nn.Module, places: Tensor, view: Callable[[Tensor], Tensor], compute: Compute) -> Tensor:
    """Logits (n, classes), float32 on the CPU, of the pictures of some places (n,), in eval mode."""
    model.eval()
    numbers = view(places[:1])[0].numel()
    size = max(1, min(MOST_PICTURES, 3 * CHUNK_PIXELS // numbers))
    chunks = torch.split(places, size)
    found = []
    for chunk in chunks:
        between_parts()
        found.append(run_model(model, view(chunk), compute).cpu())
    return torch.cat(found)
