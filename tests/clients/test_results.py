"""Results as classes: what a newer service adds does no harm, and what is missing is said."""

from typing import Any

import pytest

from impasto_client import UnexpectedAnswer
from impasto_client._core.results import typed_result
from impasto_client.types import LearningRateRangeResult

RECIPE: dict[str, Any] = {
    "kind": "learning_rate_range",
    "params": {"size": 8},
    "inputs": {"dataset": ["0"]},
    "network": None,
    "further_networks": [],
    "seed": 0,
    "device": "cpu",
    "processor": "AVX512",
    "dtype": "float32",
    "threads": 1,
    "stack_size": 1,
    "float32": None,
    "impasto": "0.1.0",
    "torch": "2",
    "pillow": "12",
}
RESULT: dict[str, Any] = {
    "suggestion": {"learning_rate": 0.1, "tenth_of_lowest": 0.2, "diverged_at": None},
    "points": [{"rate": 1, "loss": 2.5, "smoothed": 2.5}],
    "damaged": {"count": 0, "pictures": []},
    "compute_seconds": 0.5,
    "recipe": RECIPE,
}


def test_entries_have_types() -> None:
    read = typed_result("learning_rate_range", RESULT)
    assert isinstance(read, LearningRateRangeResult)
    assert (read.suggestion.learning_rate, read.points[0].loss) == (0.1, 2.5)
    assert read.recipe.params == {"size": 8}


def test_what_a_newer_service_adds_is_there() -> None:
    point = {**RESULT["points"][0], "slope": 3}
    read = typed_result("learning_rate_range", {**RESULT, "points": [point], "more": {"a": [1]}})
    assert (read.points[0].slope, read.more) == (3, {"a": [1]})


def test_names_that_python_keeps_have_an_underscore() -> None:
    rows = [{"class": "tabby", "index": 1, "probability": 0.5, "kin": "lynx"}]
    result = {"compute_seconds": 0.5, "recipe": RECIPE, "name": "a", "top": rows, "table": [{"1": "tabby"}]}
    read = typed_result("classify", result)
    assert (read.top[0].class_, read.top[0].kin, read.table) == ("tabby", "lynx", [{"1": "tabby"}])


def test_what_lacks_something_is_of_another_version() -> None:
    with pytest.raises(UnexpectedAnswer, match=r"(?s)learning_rate_range.*view\.result.*damaged"):
        typed_result("learning_rate_range", {key: value for key, value in RESULT.items() if key != "damaged"})


def test_one_of_an_unknown_kind_is_as_it_is() -> None:
    assert typed_result("of_tomorrow", {"n": 1}) == {"n": 1}
