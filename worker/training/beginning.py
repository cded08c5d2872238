"""What a training begins with: a network of random weights, or one that is here with a new classifier."""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from app.kinds.architectures import resolve_architecture
from app.kinds.train import ResolvedFrozen, ResolvedTraining
from app.networks.card import NetworkCard
from models.architectures import build_stack
from models.network import Network
from models.trainable import Recipe, Trainable, initialize, new_trainable
from worker.contract.steps import Step, StepState
from worker.optim.randomness import fold_seed, generator_from
from worker.training.features import feature_steps
from worker.training.learning_set import LearningSet
from worker.training.linear_heads import LinearHead
from worker.training.objectives import ObjectiveSettings, make_objective
from worker.training.pictures import statistics
from worker.training.transfer import (
    TransferSettings,
    learn_from_features,
    new_model,
    rate_shares,
    transfer_report,
    tune,
)

Resolved = ResolvedTraining | ResolvedFrozen


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


def steps_of_run(params: Resolved, pictures: int, trained: int) -> int:
    """Steps that one training has at most, on a set of so many pictures, of which some are trained on."""
    features = feature_steps(pictures) if params.base is not None else 0
    if isinstance(params, ResolvedFrozen):
        return features
    return features + epochs_of(params, trained) * -(-trained // params.batch_size)


def epochs_of(params: ResolvedTraining, trained: int) -> int:
    """Epochs on so many pictures: those of the params, or as many as their least number of steps takes."""
    return max(params.epochs, -(-params.least_steps // -(-trained // params.batch_size)))


@dataclass(frozen=True)
class Ready:
    """A model that a descent can begin with, how it is built, and the share of the rate of each parameter.

    Of one with a base, ``measures`` are those of the classifier on its features on the validation part,
    ``features`` is a state that has them, and ``more`` are entries for the result.
    """

    model: Trainable
    blueprint: Blueprint
    share: Callable[[str], float]
    measures: dict[str, float] = field(default_factory=dict)
    features: StepState | None = None
    more: dict[str, Any] = field(default_factory=dict)


def make_ready(
    params: Resolved, data: LearningSet, begin: Begin, resume: StepState | None = None
) -> Generator[Step, None, Ready]:
    """The model of random weights, or that of a base with a classifier from its features."""
    if params.base is not None:
        return (yield from _ready_from_base(params, data, begin, resume))
    if not isinstance(params, ResolvedTraining) or params.architecture is None:
        raise TypeError("a training begins with a base or an architecture")
    mean, std = statistics(data.pictures, data.places("train"), data.size)
    outputs = params.embedding if params.objective == "triplet" else len(data.classes)
    given = params.architecture_params or {}
    architecture = resolve_architecture(params.architecture, given, params.size, outputs)
    norms = bool(params.batch_norm)
    model = new_trainable(architecture.builder, architecture.params, mean=mean, std=std, batch_norm=norms)
    initialize(model, fold_seed(params.seed), params.initialization or "he", params.initial_std)
    kept = {**architecture.params, "classes": len(data.classes)}
    blueprint = Blueprint(architecture.builder, kept, mean, std, params.size, norms)
    return Ready(model, blueprint, _all_alike)


def _all_alike(parameter: str) -> float:
    del parameter
    return 1.0


def _ready_from_base(
    params: Resolved, data: LearningSet, begin: Begin, resume: StepState | None
) -> Generator[Step, None, Ready]:
    """A classifier from the features of the base, which blocks are tuned with."""
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
    learned = yield from learn_from_features(base, settings, pictures, objective, total, resume)
    model = new_model(base, settings.feature_layer, _new_head(params, learned.fitted.head))
    own = {**card.architecture_params, "features": settings.feature_layer, "classes": len(data.classes)}
    mean, std = (tuple(each.flatten().tolist()) for each in (base.mean, base.std))
    best = learned.fitted.best
    model.recipe = Recipe(card.architecture, own, mean, std, batch_norm=False)
    measures = {"loss": best.loss, "accuracy": best.accuracy, "macro_f1": best.macro_f1}
    return Ready(
        model,
        Blueprint(card.architecture, own, mean, std, params.size or data.size, has_norms=False),
        share=_all_alike if isinstance(params, ResolvedFrozen) else tune(model, rate_shares(base, settings)),
        measures={name: value for name, value in measures.items() if value is not None},
        features=learned.state,
        more=transfer_report(learned, settings, pictures),
    )


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
