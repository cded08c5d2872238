"""Training: from a set of labelled pictures to a network of the catalogue."""

from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from statistics import fmean, pstdev
from typing import Any

import torch
from torch import Tensor

from app.datasets.split import PARTS, Part
from app.networks.names import as_name
from app.networks.training_record import TrainingRecord, thinned
from models.architectures.ensemble import ensemble_params, ensemble_weights
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import NewNetwork, Outcome, Steps, StepState
from worker.networks.keeping import Making, new_network
from worker.training.fitting import Begin, Blueprint, Resolved, network_of
from worker.training.learning_set import LearningSet, labelled_members
from worker.training.pictures import CHUNK
from worker.training.report import Predictions, Report, report
from worker.training.runs import Finished, Kept, Series, run_all
from worker.understanding.predictions import logits_of
from worker.understanding.sets import Damage


def train(
    params: Resolved,
    inputs: Inputs,
    network: Network | None,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Train a network on the labelled pictures of ``dataset``, beginning with ``network`` if there is a base.

    The training part is learned from, the validation part chooses, and the test part is only reported.
    Raises InputError on ``dataset`` if there are fewer than two classes, or no labels; ComputationError if
    losses are not finite.
    """
    members = labelled_members(inputs.members("dataset"))
    damage = Damage(members)
    begin = Begin(network, None if network is None else inputs.cards[network.name])
    series = yield from run_all(params, members, damage, begin, compute, resume)
    best = series.kept[0]
    data = series.data
    if best.fold is not None:
        # It was ended before another network was trained than those of the folds.
        data = data.with_fold(best.fold, params.folds or 1, params.seed)
    name = params.name or as_name(f"{inputs.set_names.get('dataset', 'set')}-{_begun_with(params)}")
    blueprint, weights = _built(series.kept)
    made = network_of(
        name,
        blueprint,
        weights,
        source=_source(params, inputs, begin),
        classes=data.classes,
    )
    told = report(
        name,
        data.classes,
        _predictions(made, data, compute),
        inputs.members("dataset"),
        best.fitted.history,
        best.fitted.best_epoch,
    )
    if told.result["calibration"]["fitted_on"] is not None:
        made.temperature = told.temperature
    result = {
        "network": name,
        **told.result,
        "split": _split(data),
        "parameters": sum(each.numel() for each in made.parameters()),
        "runs": _rows(series),
        "spread": _spread(series.finished),
        "damaged": damage.report(),
        "ended_early": series.ended_early,
        **best.fitted.more,
    }
    new = _new(params, inputs, begin, made, blueprint, best, told, data)
    return Outcome(told.images, result, files=told.files, network=new)


def _begun_with(params: Resolved) -> str:
    return str(params.base or params.architecture)


def _built(kept: Sequence[Kept]) -> tuple[Blueprint, dict[str, Tensor]]:
    """How the network is built, and its weights: the one, or an ensemble of several."""
    fitted = [each.fitted for each in kept]
    blueprint = fitted[0].blueprint
    if len(fitted) == 1:
        return blueprint, fitted[0].weights
    params = ensemble_params(blueprint.architecture, blueprint.architecture_params, len(fitted))
    together = replace(blueprint, architecture="ensemble", architecture_params=params)
    return together, ensemble_weights([each.weights for each in fitted])


def _split(data: LearningSet) -> dict[str, int]:
    return {part: len(data.places(part)) for part in PARTS}


def _source(params: Resolved, inputs: Inputs, begin: Begin) -> str:
    where = f"Trained here on {inputs.set_names.get('dataset', 'a set of pictures')}"
    return where if begin.card is None else f"{where}, from {begin.card.name}: {begin.card.source}"


def _predictions(network: Network, data: LearningSet, compute: Compute) -> dict[Part, Predictions]:
    """What the network says of the parts that were not trained on, or if these are empty, of the other."""
    prepared = network.prepared(compute.device, torch.float32)
    found: dict[Part, Predictions] = {}
    for part in reversed(PARTS):
        places = data.places(part)
        # Pictures that were trained on say nothing beside others.
        if not len(places) or (part == "train" and found):
            continue
        logits = torch.cat([logits_of(prepared, data.centers(each)) for each in torch.split(places, CHUNK)])
        members = [data.members[place] for place in places.tolist()]
        found[part] = Predictions(members, data.labels[places], logits)
    return found


def _new(
    params: Resolved,
    inputs: Inputs,
    begin: Begin,
    network: Network,
    blueprint: Blueprint,
    best: Kept,
    told: Report,
    data: LearningSet,
) -> NewNetwork:
    """The network for the catalogue, with the record of its training."""
    trained = data.labels[data.places("train")]
    counts = torch.bincount(trained, minlength=len(data.classes)).tolist()
    set_name = inputs.set_names.get("dataset", "")
    (sha256,) = inputs.hashes.get("dataset", [""])
    record = TrainingRecord(
        dataset=set_name or "a set of pictures",
        dataset_sha256=sha256,
        split=_split(data),
        balance=dict(zip(data.classes, counts, strict=True)),
        base=params.base,
        base_sha256=None if begin.network is None else begin.network.sha256,
        params=params.model_dump(mode="json"),
        seed=params.seed,
        history=thinned([vars(epoch) for epoch in best.fitted.history]),
        metrics={name: told.result[name] for name in ("val_accuracy", "test_accuracy", "top5", "macro_f1")},
        version=version("impasto"),
    )
    making = Making(
        title=network.name,
        summary=f"{_begun_with(params)}, trained here on {set_name or 'pictures'} of "
        f"{len(data.classes):,} classes.",
        architecture=blueprint.architecture,
        architecture_params=blueprint.architecture_params,
        has_norms=blueprint.has_norms,
    )
    return new_network(network, making, record)


def _rows(series: Series) -> list[dict[str, Any]]:
    """The trainings in order, and which of them the network is of; empty: there was one alone."""
    if len(series.finished) == 1:
        return []
    kept = {each.place for each in series.kept}
    return [
        {
            "run": place + 1,
            **each.values,
            **({} if each.fold is None else {"fold": each.fold + 1}),
            "epochs": each.epochs,
            "best_epoch": each.best_epoch,
            "accuracy": each.measures.get("accuracy"),
            "macro_f1": each.measures.get("macro_f1"),
            "loss": each.measures.get("loss"),
            "kept": place in kept,
        }
        for place, each in enumerate(series.finished)
    ]


def _spread(finished: Sequence[Finished]) -> dict[str, float] | None:
    """Mean, standard deviation and bounds of the accuracies of restarts or folds, of the best variant.

    None: there were not several.
    """
    folds = [each for each in finished if each.fold is not None]
    of = folds or finished
    chosen = max(of, key=lambda each: each.quality).variant
    values = [
        each.measures["accuracy"] for each in of if each.variant == chosen and "accuracy" in each.measures
    ]
    if len(values) < 2:
        return None
    return {
        "trainings": len(values),
        "mean": fmean(values),
        "std": pstdev(values),
        "min": min(values),
        "max": max(values),
    }
