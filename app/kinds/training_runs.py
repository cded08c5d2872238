"""The trainings of one job: restarts, folds, and combinations of searched values."""

from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import JsonValue, ValidationError

from app.errors import InputError
from app.kinds.architectures import OF_IT
from app.kinds.fields import following_seeds
from app.kinds.optimizing import USUAL_RATES
from app.kinds.train import MOST_RUNS, ResolvedFrozen, ResolvedTraining, TrainParams
from app.networks.catalogue import Catalogue

Resolved = ResolvedTraining | ResolvedFrozen

# What is the same for all trainings of a job.
NOT_SEARCHED = (
    "dataset",
    "preset",
    "name",
    "base",
    "transfer",
    "compare_layers",
    "find_learning_rate",
    "restarts",
    "folds",
    "search",
    "ensemble",
    "seed",
)


# What makes networks that are not built alike.
OF_ARCHITECTURE = ("architecture", "architecture_params", "size", "feature_layer")


@dataclass(frozen=True)
class Run:
    """One training: its params, with the searched ``values`` in their places.

    ``fold`` is the one that it is measured on in cross-validation; None: it is judged on the validation part.
    """

    params: Resolved
    variant: int
    values: dict[str, JsonValue]
    fold: int | None = None


def variants(params: Resolved) -> list[Run]:
    """One training of each combination of the searched values, in order. Raises InputError on ``search``."""
    search = params.search or {}
    combinations = [dict(zip(search, values, strict=True)) for values in product(*search.values())]
    return [Run(_with_values(params, each), place, each) for place, each in enumerate(combinations)]


def restarts(run: Run) -> list[Run]:
    """A training from each seed."""
    seeds = following_seeds(run.params.seed, run.params.restarts)
    return [
        Run(run.params.model_copy(update={"seed": seed}), run.variant, {**run.values, "seed": seed})
        if len(seeds) > 1
        else run
        for seed in seeds
    ]


def fold_runs(run: Run) -> list[Run]:
    """A training for each fold of the cross-validation."""
    return [Run(run.params, run.variant, run.values, fold) for fold in range(run.params.folds or 0)]


def count_runs(params: Resolved) -> int:
    """Trainings in all: with folds, those of the folds and then those of the best variant."""
    count = 1
    for values in (params.search or {}).values():
        count *= len(values)
    return count * params.folds + params.restarts if params.folds else count * params.restarts


def require_runs(params: Resolved, catalogue: Catalogue) -> None:
    """Check what is asked of several trainings. Raises InputError that names the param."""
    for name, values in (params.search or {}).items():
        _require_searchable(name, values)
    for name, detail in params.without_effect(dict(params)).items():
        if name in (params.search or {}):
            raise InputError("search", f"{name}: {detail}")
    count = count_runs(params)
    if count > MOST_RUNS:
        field = "search" if params.search else "folds" if params.folds else "restarts"
        raise InputError(field, f"These are {count} trainings, and one job has {MOST_RUNS} at most.")
    if params.ensemble is not None:
        for name in OF_ARCHITECTURE:
            if any(each.partition(".")[0] == name for each in params.search or {}):
                raise InputError(
                    "ensemble",
                    f"The networks of an ensemble are built alike: do not search {name}, or keep one.",
                )
        candidates = params.restarts if params.folds else count
        if params.ensemble > candidates:
            raise InputError(
                "ensemble",
                f"An ensemble of {params.ensemble} needs as many trainings, and there are {candidates}: set "
                f"restarts to {params.ensemble}, say.",
            )
    for run in variants(params) if params.search else ():
        try:
            alone = {"search": None, "folds": None, "ensemble": None, "restarts": 1}
            run.params.model_copy(update=alone).resolve(catalogue)
        except InputError as error:
            shown = ", ".join(f"{name} {value}" for name, value in run.values.items())
            raise InputError("search", f"With {shown}: {error.field}: {error.detail}") from error


def _require_searchable(name: str, values: list[JsonValue]) -> None:
    if name.startswith(f"{OF_IT}."):
        name = OF_IT
    known = [each for each in ResolvedTraining.model_fields if each not in NOT_SEARCHED]
    if name not in known:
        raise InputError("search", f"{name!r} cannot be searched. Params: {', '.join(known)}.")
    if not values:
        raise InputError("search", f"{name} has no values to try.")


def _with_values(params: Resolved, values: dict[str, JsonValue]) -> Resolved:
    """The params with some values in their places; an optimizer has its usual rate if none is searched.

    Raises InputError on ``search``.
    """
    changed: dict[str, Any] = dict(params)
    for name, value in values.items():
        _, of_it, own = name.partition(f"{OF_IT}.")
        if of_it:
            changed[OF_IT] = {**(changed[OF_IT] or {}), own: value}
        else:
            changed[name] = value
    if "optimizer" in values and "learning_rate" not in values:
        changed["learning_rate"] = USUAL_RATES.get(str(values["optimizer"]), 1e-3)
    # What only other combinations have a use for.
    changed = params.with_defaults(changed, params.without_effect({**changed, "search": None}))
    try:
        # Resolved params are of these, and not checked again for what these allow.
        TrainParams.model_validate(changed)
        return type(params).model_validate(changed)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(map(str, first["loc"]))
        raise InputError("search", f"{name} {first.get('input')!r}: {first['msg']}.") from None
