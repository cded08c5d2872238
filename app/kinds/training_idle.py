"""Params of a training that do nothing beside the other ones."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from app.kinds.optimizing import WITH_MARGIN, WITH_MOMENTUM

# Architectures whose layers have no convolutions, behind which norms would be.
WITHOUT_CONVOLUTIONS = ("linear", "mlp")


def without_effect(values: Mapping[str, Any]) -> dict[str, str]:
    """The params without effect, each with why, and what to do about it.

    ``values`` are those of resolved params, or what is known of them. A param is of use if it is in one of
    the trainings of a search.
    """
    found = dict[str, str]()

    def unless(deciding: str, wanted: Collection[object], names: Iterable[str], remedy: str) -> None:
        """Note params that need another value of the ``deciding`` one, if that is known."""
        if deciding in values and not any(each in wanted for each in _possible(values, deciding)):
            found.update(dict.fromkeys(names, f"{_said(deciding, values[deciding])}: {remedy}"))

    unless("objective", WITH_MARGIN, ["margin"], _or_set("objective", WITH_MARGIN))
    unless("objective", ["triplet"], ["embedding"], _or_set("objective", ["triplet"]))
    unless("optimizer", WITH_MOMENTUM, ["momentum"], _or_set("optimizer", WITH_MOMENTUM))
    unless("initialization", ["constant"], ["initial_std"], _or_set("initialization", ["constant"]))
    unless("schedule", ["step"], ["step_epochs"], _or_set("schedule", ["step"]))
    unless("schedule", ["step", "plateau"], ["rate_factor"], _or_set("schedule", ["step", "plateau"]))
    unless("schedule", ["plateau"], ["plateau_patience"], _or_set("schedule", ["plateau"]))
    if {"patience", "schedule"} <= values.keys() and not (
        any(_possible(values, "patience")) or "plateau" in _possible(values, "schedule")
    ):
        found["min_delta"] = "Nothing waits for progress: leave this out, or set patience."
    if "architecture" in values:
        architectures = _possible(values, "architecture")
        if all(each in WITHOUT_CONVOLUTIONS for each in architectures):
            remedy = "leave this out, or choose another architecture."
            found["batch_norm"] = f"{' and '.join(map(str, architectures))} have no convolutions: {remedy}"
    return found


def _possible(values: Mapping[str, Any], name: str) -> list[object]:
    """The values that a param has in the trainings of a job."""
    searched = (values.get("search") or {}).get(name)
    return searched if isinstance(searched, list) else [values[name]]


def _said(name: str, value: object) -> str:
    return f"There is no {name} here" if value is None else f"{name} is {value}"


def _or_set(name: str, wanted: Iterable[str]) -> str:
    return f"leave this out, or set {name} to {' or '.join(wanted)}."
