"""The trainings of one job, one after the other: restarts, folds, and searched values."""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from statistics import fmean
from typing import Any

from torch import Tensor

from app.kinds.training_runs import Run, count_runs, fold_runs, restarts, variants
from worker.contract.compute import Compute
from worker.contract.inputs import Member
from worker.contract.steps import Step, StepState
from worker.training.beginning import Begin, Blueprint, Resolved, steps_of_run
from worker.training.fitting import Fitted, fit
from worker.training.history import Epoch
from worker.training.learning_set import LearningSet, decode_set
from worker.training.pictures import decoding_steps
from worker.understanding.sets import Damage


@dataclass(frozen=True)
class Finished:
    """A training that has ended; of a fold, ``fold`` says which.

    ``quality`` is what trainings are compared by, the higher the better: the metric on the validation part,
    then the loss there. Without such a part it is the last loss in training, as the best that is left.
    """

    variant: int
    values: dict[str, Any]
    fold: int | None
    measures: dict[str, float]
    epochs: int
    best_epoch: int | None
    quality: tuple[float, float]


@dataclass(frozen=True)
class Kept:
    """A network that may become the result, and the run that made it."""

    place: int
    fold: int | None
    quality: tuple[float, float]
    fitted: Fitted


@dataclass(frozen=True)
class Series:
    """All that a job has trained: the runs that ended, the best networks (the first is the best), the set.

    ``ended_early``: someone was content with what there was.
    """

    finished: list[Finished]
    kept: list[Kept]
    data: LearningSet
    ended_early: bool


@dataclass
class _Series:
    """Where the series is.

    ``shown`` is the progress that was last reported. ``done`` are steps of the runs that have ended,
    ``numbers`` what the last of them ended with, and ``parts`` those of its state that the next one may use;
    ``inner`` is the state of that one, if it had begun.
    """

    params: Resolved
    members: Sequence[Member]
    damage: Damage
    begin: Begin
    compute: Compute
    shown: int = 0
    done: int = 0
    finished: list[Finished] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    inner: StepState | None = None
    data: LearningSet | None = None
    numbers: dict[str, float] = field(default_factory=dict)
    parts: Mapping[str, bytes] = field(default_factory=dict)
    ending: bool = False

    def finish(self, step: Step | None = None) -> None:
        """End the run that is going on, and leave out the others."""
        self.ending = True
        if step is not None and step.finish is not None:
            step.finish()


def run_all(
    params: Resolved,
    members: Sequence[Member],
    damage: Damage,
    begin: Begin,
    compute: Compute,
    resume: StepState | None = None,
) -> Generator[Step, None, Series]:
    """Decode the pictures, and train as often as resolved params ask for.

    ``done`` counts decoded chunks of pictures, then the steps of all trainings, then one more for what
    follows.
    ``Step.finish`` ends the training that is going on with the best it has, and leaves out the others.
    """
    at = _Series(params, members, damage, begin, compute)
    if resume is not None:
        _restore(at, resume)
    while (run := _next_run(params, at.finished)) is not None and not (at.ending and at.kept):
        data = yield from _decoded(at, run.params.size or 0)
        fitted = yield from _run(at, run, data)
        at.finished.append(_finished(run, fitted))
        _keep(at, Kept(len(at.finished) - 1, run.fold, at.finished[-1].quality, fitted))
    data = yield from _decoded(at, at.kept[0].fitted.blueprint.input_size)
    at.shown = decoding_steps(len(members)) + at.done + 1
    yield Step(at.shown, at.shown, losses=at.numbers.copy, image=None, state=partial(_state, at, None))
    return Series(at.finished, at.kept, data, at.ending)


def _run(at: _Series, run: Run, data: LearningSet) -> Generator[Step, None, Fitted]:
    """One training, whose steps come after those before it."""
    params = at.params
    if run.fold is not None:
        data = data.with_fold(run.fold, params.folds or 1, params.seed)
    count = count_runs(params)
    later = (count - len(at.finished) - 1) * steps_of_run(
        params, len(data.members), len(data.places("train"))
    )
    before = decoding_steps(len(at.members)) + at.done
    resume = at.inner or StepState({}, {}, at.parts)
    steps = fit(run.params, data, at.begin, at.compute, resume, only_measure=run.fold is not None)
    at.inner, last = None, 0
    numbers: Callable[[], dict[str, float]] = dict
    while True:
        try:
            step = next(steps)
        except StopIteration as stop:
            at.done += last
            at.numbers = numbers()
            fitted: Fitted = stop.value
            at.parts = fitted.parts
            return fitted
        if at.ending and step.finish is not None:
            step.finish()
        last, at.shown = step.done, before + step.done
        numbers = partial(_numbers, step, len(at.finished) + 1, count)
        yield replace(
            step,
            done=at.shown,
            total=before + step.total + later + 1,
            losses=numbers,
            state=partial(_state, at, step),
            finish=partial(at.finish, step),
        )


def _numbers(step: Step, number: int, count: int) -> dict[str, float]:
    """The numbers of a step, and which run it is of if there are several."""
    return step.losses() | ({"run": number} if count > 1 else {})


def _decoded(at: _Series, size: int) -> Generator[Step, None, LearningSet]:
    """The set for networks of ``size`` px. Where it is decoded again, the progress stands still."""
    if at.data is not None and at.data.size == size:
        return at.data
    again = at.shown > 0
    trained = sum(member.part == "train" for member in at.members)
    steps = count_runs(at.params) * steps_of_run(at.params, len(at.members), trained)
    decoding = decode_set(at.members, size, at.damage, at.compute.device)
    while True:
        try:
            done = next(decoding)
        except StopIteration as stop:
            data: LearningSet = stop.value
            at.data = data
            return data
        at.shown = at.shown if again else done
        total = max(at.shown, decoding_steps(len(at.members)) + steps) + 1
        yield Step(
            at.shown, total, losses=dict, image=None, state=partial(_state, at, None), finish=at.finish
        )


def _next_run(params: Resolved, finished: Sequence[Finished]) -> Run | None:
    """The run that follows those that have ended; None: there is none."""
    first = [
        run
        for variant in variants(params)
        for run in (fold_runs(variant) if params.folds else restarts(variant))
    ]
    if len(finished) < len(first):
        return first[len(finished)]
    if not params.folds:
        return None
    place = len(finished) - len(first)
    again = restarts(variants(params)[best_variant(finished)])
    return again[place] if place < len(again) else None


def best_variant(finished: Sequence[Finished]) -> int:
    """The variant with the best mean over its folds; the first of equals."""
    folds = [each for each in finished if each.fold is not None]

    def quality(variant: int) -> tuple[float, float]:
        own = [each.quality for each in folds if each.variant == variant]
        return fmean(metric for metric, _ in own), fmean(loss for _, loss in own)

    return max(sorted({each.variant for each in folds}), key=quality)


def _finished(run: Run, fitted: Fitted) -> Finished:
    measures = fitted.measures
    if measures:
        metric = -measures["loss"] if run.params.metric == "loss" else measures[run.params.metric]
        quality = metric, -measures["loss"]
    else:
        quality = (-fitted.history[-1].loss if fitted.history else 0.0), 0.0
    return Finished(
        run.variant, run.values, run.fold, measures, len(fitted.history), fitted.best_epoch, quality
    )


def _keep(at: _Series, new: Kept) -> None:
    """Keep a network if it is among the best. Those of folds are only kept until there is another."""
    if new.fold is None:
        at.kept = [each for each in at.kept if each.fold is None]
    most = 1 if new.fold is not None else at.params.ensemble or 1
    at.kept = sorted([*at.kept, new], key=lambda each: each.quality, reverse=True)[:most]


def _state(at: _Series, step: Step | None) -> StepState:
    """The state of the series after a step of the run that is going on; None: it has not begun."""
    inner = at.inner if step is None else step.state()
    tensors = {
        f"kept.{number}.{name}": weight.contiguous().clone()
        for number, each in enumerate(at.kept)
        for name, weight in each.fitted.weights.items()
    }
    if inner is not None:
        tensors |= {f"run.{name}": tensor for name, tensor in inner.tensors.items()}
    values = {
        "shown": at.shown,
        "done": at.done,
        "finished": [asdict(each) for each in at.finished],
        "kept": [_without_weights(each) for each in at.kept],
        "run": None if inner is None else inner.values,
    }
    parts = at.parts if inner is None else inner.parts
    return StepState(tensors, values, parts)


def _without_weights(kept: Kept) -> dict[str, Any]:
    fitted = replace(kept.fitted, weights={}, parts={})
    return asdict(replace(kept, fitted=fitted))


def _restore(at: _Series, state: StepState) -> None:
    values = state.values
    at.shown, at.done = values["shown"], values["done"]
    at.finished = [
        Finished(**{**row, "quality": (row["quality"][0], row["quality"][1])}) for row in values["finished"]
    ]
    tensors: dict[str, dict[str, Tensor]] = {}
    for place, tensor in state.tensors.items():
        owner, _, name = place.partition(".")
        if owner == "kept":
            number, _, name = name.partition(".")
            owner = f"kept.{number}"
        tensors.setdefault(owner, {})[name] = tensor
    at.kept = [_kept(row, tensors.get(f"kept.{number}", {})) for number, row in enumerate(values["kept"])]
    at.parts = state.parts
    if values["run"] is not None:
        at.inner = StepState(tensors.get("run", {}), values["run"], state.parts)


def _kept(row: dict[str, Any], weights: dict[str, Tensor]) -> Kept:
    given = row["fitted"]
    blueprint = given["blueprint"]
    fitted = Fitted(
        blueprint=Blueprint(
            **{**blueprint, "mean": tuple(blueprint["mean"]), "std": tuple(blueprint["std"])}
        ),
        weights=weights,
        measures=given["measures"],
        history=[Epoch(**epoch) for epoch in given["history"]],
        best_epoch=given["best_epoch"],
        more=given["more"],
    )
    return Kept(row["place"], row["fold"], (row["quality"][0], row["quality"][1]), fitted)
