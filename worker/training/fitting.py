"""One training: from resolved params and a set to a network, whatever it begins with."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from app.kinds.train import ResolvedFrozen, ResolvedTraining
from models.trainable import Trainable, plain_weights
from worker.contract.compute import Compute
from worker.contract.steps import Step, StepState, map_steps
from worker.training.augmentation import Augmentation, augment, mix
from worker.training.beginning import Begin, Blueprint, Ready, Resolved, epochs_of, make_ready
from worker.training.courses import EpochCourse
from worker.training.features import feature_steps
from worker.training.history import Epoch
from worker.training.judging import PartJudge, logits_of
from worker.training.learner import Classes
from worker.training.learning_set import LearningSet
from worker.training.loop import Progress, train
from worker.training.objectives import ObjectiveSettings, make_objective
from worker.training.optimizers import OptimizerSettings, make_optimizer
from worker.training.pictures import middle
from worker.training.rate_finder import RatePoint, range_test, suggest
from worker.training.schedules import ScheduleSettings, make_schedule
from worker.training.settings import settings_of
from worker.training.triplets import class_means, nearest_mean, nearest_mean_layer

# The entry of a result, and of states, that has the learning rate which a range test found.
FOUND = "found_learning_rate"

R = TypeVar("R")


@dataclass(frozen=True)
class Fitted:
    """A trained network: its blueprint, its plain weights on the CPU, and how it did.

    ``measures`` are those on the validation part by name, of the weights that are kept; empty: there is none.
    ``more`` are entries for the result, ``parts`` those of a state that others may go on from.
    """

    blueprint: Blueprint
    weights: dict[str, Tensor]
    measures: dict[str, float]
    history: list[Epoch]
    best_epoch: int | None
    more: dict[str, Any] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)


def fit(
    params: Resolved,
    data: LearningSet,
    begin: Begin,
    compute: Compute,
    resume: StepState | None = None,
    *,
    only_measure: bool = False,
) -> Generator[Step, None, Fitted]:
    """Train one network on the training part of a set.

    ``only_measure``: nothing is chosen by the validation part, so that what is measured there holds for
    other pictures: a fold of a cross-validation.
    """
    ready = yield from make_ready(params, data, begin, resume)
    parts = {} if ready.features is None else ready.features.parts
    if isinstance(params, ResolvedFrozen):
        weights = plain_weights(ready.model)
        return Fitted(ready.blueprint, weights, ready.measures, [], None, ready.more, parts)
    descent = _descend(params, ready, data, compute, _begun(resume), only_measure)
    if ready.features is not None:
        descent = _shifted(descent, feature_steps(len(data.members)), ready.features)
    progress, found = yield from descent
    fitted = _fitted(params, ready.model, data, compute, ready.blueprint, progress)
    return replace(fitted, more=ready.more | found, parts=parts)


@dataclass(frozen=True)
class Descent:
    """What a model is trained by, and judged by."""

    optimizer: torch.optim.Optimizer
    course: EpochCourse
    judge: PartJudge


def make_descent(
    params: ResolvedTraining,
    ready: Ready,
    data: LearningSet,
    compute: Compute,
    *,
    only_measure: bool = False,
) -> Descent:
    """Move a model to the device, and make what trains it there."""
    model = ready.model
    model.to(compute.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, settings_of(OptimizerSettings, params), ready.share)
    places = data.places("train")
    steps_per_epoch = -(-len(places) // params.batch_size)
    epochs = epochs_of(params, len(places))
    rates = make_schedule(settings_of(ScheduleSettings, params), epochs * steps_per_epoch, steps_per_epoch)
    objective = settings_of(ObjectiveSettings, params)
    augmentation = settings_of(Augmentation, params)
    embeds = params.objective == "triplet"
    course = EpochCourse(
        seed=params.seed,
        places=places,
        labels=data.labels,
        classes=len(data.classes),
        epochs=epochs,
        batch_size=params.batch_size,
        view=partial(_view, data, augmentation),
        mix=lambda inputs, targets, generator: mix(inputs, targets, augmentation, generator),
        rates=rates,
        lesson=Classes(objective, params.l1, params.l2),
        attack=params.attack,
        scored=not embeds,
    )
    judge = PartJudge(
        every=steps_per_epoch,
        places=data.places("validation"),
        labels=data.labels,
        classes=len(data.classes),
        view=data.centers,
        scores=partial(_nearest, data, compute) if embeds else lambda model, logits: logits,
        loss=make_objective(objective),
        metric=params.metric,
        patience=params.patience,
        min_delta=params.min_delta,
        rates=rates,
        compute=compute,
        chooses=not only_measure,
    )
    return Descent(optimizer, course, judge)


def _descend(
    params: ResolvedTraining,
    ready: Ready,
    data: LearningSet,
    compute: Compute,
    resume: StepState | None,
    only_measure: bool,
) -> Generator[Step, None, tuple[Progress, dict[str, Any]]]:
    """Train a model by gradient descent. Returns what came of it, and entries for the result."""
    descent = make_descent(params, ready, data, compute, only_measure=only_measure)
    model, optimizer, course = ready.model, descent.optimizer, descent.course
    rate = None if resume is None else resume.values.get(FOUND)
    if params.find_learning_rate and resume is None:
        rate = yield from _find_rate(params, model, optimizer, course, compute)
    for group in optimizer.param_groups:
        group["lr"] *= (rate or params.learning_rate) / params.learning_rate
    begun = params.base is not None and params.objective != "triplet"
    steps = train(
        model,
        optimizer,
        course,
        compute,
        resume,
        judge=descent.judge,
        average=params.average,
        begun=begun,
    )
    progress = yield from map_steps(steps, lambda step: replace(step, state=partial(_with_rate, step, rate)))
    return progress, {} if rate is None else {FOUND: rate}


def _find_rate(
    params: ResolvedTraining,
    model: Trainable,
    optimizer: torch.optim.Optimizer,
    course: EpochCourse,
    compute: Compute,
) -> Generator[Step, None, float]:
    """The learning rate that a range test suggests; that of the params if it diverged too early to say."""
    points: list[RatePoint] = []
    for point in range_test(model, optimizer, course, compute, rate=params.learning_rate):
        points.append(point)
        losses = {"loss": point.loss, "rate": point.rate}
        # A test that was interrupted begins anew.
        state = partial(StepState, {}, {})
        yield Step(0, course.steps, losses=losses.copy, image=None, state=state)
    return suggest(points) or params.learning_rate


def _with_rate(step: Step, rate: float | None) -> StepState:
    state = step.state()
    return state if rate is None else replace(state, values={**state.values, FOUND: rate})


def _view(
    data: LearningSet, augmentation: Augmentation, places: Tensor, generator: torch.Generator
) -> Tensor:
    """Training pictures, changed at random; without crops their center, as it is shown afterwards."""
    squares = data.pictures.take(places)
    if augmentation.crop == 1:
        squares = middle(squares, data.size)
    return augment(squares, data.size, augmentation, generator)


def _means(data: LearningSet, compute: Compute, model: nn.Module) -> Tensor:
    """The mean embedding of each class of the training part."""
    places = data.places("train")
    embeddings = logits_of(model, places, data.centers, compute)
    return class_means(embeddings, data.labels[places], len(data.classes))


def _nearest(data: LearningSet, compute: Compute, model: nn.Module, embeddings: Tensor) -> Tensor:
    return nearest_mean(embeddings, _means(data, compute, model))


def _fitted(
    params: ResolvedTraining,
    model: Trainable,
    data: LearningSet,
    compute: Compute,
    blueprint: Blueprint,
    progress: Progress,
) -> Fitted:
    """What a training by gradient descent has made."""
    weights = plain_weights(model)
    if params.objective == "triplet":
        means = _means(data, compute, model)
        layer = nearest_mean_layer(weights["logits.weight"], weights["logits.bias"], means)
        weights["logits.weight"], weights["logits.bias"] = layer
    history = [_epoch(row) for row in progress.history]
    return Fitted(blueprint, weights, progress.measures, history, progress.best_epoch)


def _epoch(row: Mapping[str, float | None]) -> Epoch:
    return Epoch(**{**row, "epoch": int(row["epoch"] or 0)})  # type: ignore[arg-type]


def _begun(resume: StepState | None) -> StepState | None:
    """The state of the descent, if it had begun."""
    return resume if resume is not None and "done" in resume.values else None


def _shifted(steps: Generator[Step, None, R], done: int, features: StepState) -> Generator[Step, None, R]:
    """The steps of a descent after ``done`` others, whose states also have the features."""

    def whole(step: Step) -> StepState:
        return replace(step.state(), parts=features.parts)

    return (
        yield from map_steps(
            steps,
            lambda step: replace(
                step, done=done + step.done, total=done + step.total, state=partial(whole, step)
            ),
        )
    )
