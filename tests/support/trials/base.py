"""Tries of a param: two jobs that differ in it alone, and what should come out otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Trial:
    """Another value of a param, and the params that it needs ``beside`` it in both jobs.

    Of these one that is None is left out, and one of its own name is the first of the two values. The other
    one may be ``refused`` when it is run.
    """

    other: Any
    beside: Json = field(default_factory=dict)
    refused: bool = False


@dataclass(frozen=True)
class Kind:
    """The params of a small job of a kind, a trial of each param, and why others have none."""

    params: Json
    trials: Mapping[str, Trial]
    untried: Mapping[str, str] = field(default_factory=dict)

    def jobs(self, name: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The params of the two jobs that differ in one param."""
        trial = self.trials[name]
        first = without_none({**self.params, **trial.beside})
        return first, without_none({**first, name: trial.other})


def without_none(values: Json) -> dict[str, Any]:
    """The values that are not None."""
    return {name: value for name, value in values.items() if value is not None}


def tries(**others: Any) -> dict[str, Trial]:
    """Trials of params that need no other beside them, or as they are."""
    return {name: each if isinstance(each, Trial) else Trial(each) for name, each in others.items()}
