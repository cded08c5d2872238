"""One training: from resolved params and a set to a network, whatever it begins with."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from app.kinds.architectures import resolve_architecture
from app.kinds.train import ResolvedFrozen, ResolvedTraining
from app.networks.card import NetworkCard
from models.architectures import build_stack
from models.network import Network
from models.trainable import Trainable, initialize, new_trainable, plain_weights
from worker.contract.compute import Compute
from worker.contract.steps import Step, StepState, map_steps
from worker.optim.randomness import fold_seed, generator_from
from worker.training.augmentation import Augmentation, augment, mix
from worker.training.courses import Classes, EpochCourse
from worker.training.history import Epoch
from worker.training.judging import PartJudge, logits_of
from worker.training.learning_set import LearningSet
from worker.training.linear_heads import LinearHead
from worker.training.loop import Progress, train
from worker.training.objectives import ObjectiveSettings, make_objective, penalty
from worker.training.optimizers import OptimizerSettings, make_optimizer
from worker.training.pictures import middle, statistics
from worker.training.rate_finder import RatePoint, range_test, suggest
from worker.training.schedules import ScheduleSettings, make_schedule
from worker.training.settings import settings_of
from worker.training.transfer import (
    Learned,
    TransferSettings,
    learn_from_features,
    new_model,
    rate_shares,
    transfer_report,
    tune,
)
from worker.training.triplets import class_means, nearest_mean, nearest_mean_layer

Resolved = ResolvedTraining | ResolvedFrozen

# The entry of a result, and of states, that has the learning rate which a range test found.
FOUND = "found_learning_rate"

R = TypeVar("R")


@dataclass(frozen=True)
class Begin:
    """What a job's trainings begin with: a base, which is on the device, and its card; or nothing."""

    network: Network | None
    card: NetworkCard | None


@dataclass(frozen=True)
class Blueprint:
    """How a network is built, as its card says it."""

    architecture: str
    architecture_params: dict[str, Any]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    input_size: int
    has_norms: bool


@dataclass(frozen=True)
class Fitted:
    """A trained network: its blueprint, its plain weights on the CPU, and how it did.

    ``measures`` are those on the validation part by name, of the weights that are kept; empty: there is none.
    ``more`` are entries for the result.
    """

    blueprint: Blueprint
    weights: dict[str, Tensor]
    measures: dict[str, float]
    history: list[Epoch]
    best_epoch: int | None
    more: dict[str, Any] = field(default_factory=dict)


def steps_of_run(params: Resolved, pictures: int, trained: int) -> int:
    """Steps that one training has at most, on a set of so many pictures, of which some are trained on."""
    features = pictures if params.base is not None else 0
    if isinstance(params, ResolvedFrozen):
        return features
    return features + params.epochs * -(-trained // params.batch_size)


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
    if params.base is not None:
        return (yield from _fit_transfer(params, data, begin, compute, resume, only_measure))
    if not isinstance(params, ResolvedTraining) or params.architecture is None:
        raise TypeError("a training begins with a base or an architecture")
    mean, std = statistics(data.pictures, data.places("train"), data.size)
    outputs = params.embedding if params.objective == "triplet" else len(data.classes)
    given = params.architecture_params or {}
    architecture = resolve_architecture(params.architecture, given, params.size, outputs)
    norms = bool(params.batch_norm)
    model = new_trainable(architecture.builder, architecture.params, mean=mean, std=std, batch_norm=norms)
    initialize(model, fold_seed(params.seed), params.initialization or "he", params.initial_std)
    progress, more = yield from _descend(params, model, data, compute, _begun(resume), only_measure)
    kept = {**architecture.params, "classes": len(data.classes)}
    blueprint = Blueprint(architecture.builder, kept, mean, std, params.size, norms)
    return replace(_fitted(params, model, data, compute, blueprint, progress), more=more)


def _fit_transfer(
    params: Resolved,
    data: LearningSet,
    begin: Begin,
    compute: Compute,
    resume: StepState | None,
    only_measure: bool,
) -> Generator[Step, None, Fitted]:
    """A classifier from the features of the base, and where blocks are tuned, the training from there."""
    if begin.network is None or begin.card is None:
        raise TypeError("a base is needed")
    base, card = begin.network, begin.card
    settings = TransferSettings(
        transfer=params.transfer or "head",
        feature_layer=params.feature_layer or "",
        compare_layers=params.compare_layers or (),
        flip=bool(params.flip),
        metric=params.metric,
        last_blocks=params.last_blocks or 1,
        rate_decay=params.rate_decay or 1.0,
    )
    pictures = data.labelled_pictures()
    objective = make_objective(_head_objective(params))
    total = steps_of_run(params, len(data.members), len(data.places("train")))
    learned, features = yield from _last_state(
        learn_from_features(base, settings, pictures, objective, total, resume)
    )
    more = transfer_report(learned, settings, pictures)
    model = new_model(base, settings.feature_layer, _new_head(params, learned.fitted.head))
    own = {**card.architecture_params, "features": settings.feature_layer, "classes": len(data.classes)}
    mean, std = (tuple(each.flatten().tolist()) for each in (base.mean, base.std))
    blueprint = Blueprint(card.architecture, own, mean, std, params.size or data.size, has_norms=False)
    if isinstance(params, ResolvedFrozen):
        best = learned.fitted.best
        measures = {"loss": best.loss, "accuracy": best.accuracy, "macro_f1": best.macro_f1}
        there = {name: value for name, value in measures.items() if value is not None}
        return Fitted(blueprint, plain_weights(model), there, [], None, more)
    share = tune(model, rate_shares(base, settings))
    done = len(data.members)
    descent = _descend(params, model, data, compute, _begun(resume), only_measure, share)
    progress, found = yield from _shifted(descent, done, features)
    fitted = _fitted(params, model, data, compute, blueprint, progress)
    return replace(fitted, more=more | found)


def _descend(
    params: ResolvedTraining,
    model: Trainable,
    data: LearningSet,
    compute: Compute,
    resume: StepState | None,
    only_measure: bool,
    share: Callable[[str], float] = lambda name: 1.0,
) -> Generator[Step, None, tuple[Progress, dict[str, Any]]]:
    """Train a model by gradient descent. ``share`` is of the learning rate of each parameter, by its name.

    Returns what came of it, and entries for the result.
    """
    model.to(compute.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = make_optimizer(model, settings_of(OptimizerSettings, params), share)
    places = data.places("train")
    steps_per_epoch = -(-len(places) // params.batch_size)
    rates = make_schedule(
        settings_of(ScheduleSettings, params), params.epochs * steps_per_epoch, steps_per_epoch
    )
    loss = make_objective(settings_of(ObjectiveSettings, params))
    augmentation = settings_of(Augmentation, params)
    embeds = params.objective == "triplet"
    course = EpochCourse(
        seed=params.seed,
        places=places,
        labels=data.labels,
        classes=len(data.classes),
        epochs=params.epochs,
        batch_size=params.batch_size,
        view=partial(_view, data, augmentation),
        mix=lambda inputs, targets, generator: mix(inputs, targets, augmentation, generator),
        rates=rates,
        lesson=Classes(
            loss, partial(penalty, l1=params.l1, l2=params.l2) if params.l1 or params.l2 else None
        ),
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
        loss=loss,
        metric=params.metric,
        patience=params.patience,
        min_delta=params.min_delta,
        rates=rates,
        compute=compute,
        chooses=not only_measure,
    )
    rate = None if resume is None else resume.values.get(FOUND)
    if params.find_learning_rate and resume is None:
        rate = yield from _find_rate(params, model, optimizer, course, compute)
    for group in optimizer.param_groups:
        group["lr"] *= (rate or params.learning_rate) / params.learning_rate
    begun = params.base is not None and not embeds
    steps = train(model, optimizer, course, compute, resume, judge=judge, average=params.average, begun=begun)
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


def network_of(name: str, blueprint: Blueprint, weights: Mapping[str, Tensor], **known: Any) -> Network:
    """The network of a blueprint and its weights, on the CPU; ``known`` is what else Network takes."""
    stack = build_stack(blueprint.architecture, blueprint.architecture_params)
    network = Network(
        name, stack, mean=blueprint.mean, std=blueprint.std, input_size=blueprint.input_size, **known
    )
    return network.with_weights(weights)


def _head_objective(params: Resolved) -> ObjectiveSettings:
    """That of the linear classifier which tuning begins with."""
    name = "softmax" if params.objective in (None, "triplet") else params.objective
    return ObjectiveSettings(name, params.margin, params.label_smoothing or 0.0)


def _new_head(params: Resolved, head: LinearHead) -> LinearHead:
    """The head to begin with: the one that was learned, or a random embedding for triplet."""
    if params.objective != "triplet":
        return head
    width = head.weight.shape[1]
    weight = torch.randn(params.embedding, width, generator=generator_from(params.seed)) / width**0.5
    return LinearHead(weight, torch.zeros(params.embedding))


def _last_state(
    steps: Generator[Step, None, Learned],
) -> Generator[Step, None, tuple[Learned, StepState]]:
    """What the steps return, and the state of the last of them, which has the features."""
    state = StepState({}, {})
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            return stop.value, state
        yield step
        state = step.state()


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
