"""A truth value is no number, and a number no truth value, as the JSON Schema of the params says."""

from typing import Any

import pytest
from pydantic import ValidationError

from app.errors import FieldError
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED

# What JSON Schema calls the types of values that pydantic takes for each other.
WRONG: dict[str, Any] = {"integer": True, "number": False, "boolean": 1}


def types_of(schema: dict[str, Any]) -> set[str]:
    """The types that a param may have, but for those of members of lists."""
    return (
        {schema["type"]}
        if "type" in schema
        else {t for each in schema.get("anyOf", []) for t in types_of(each)}
    )


def fields() -> list[tuple[str, str, Any]]:
    """Of every kind the params that are numbers alone, or truth values alone, each with a wrong value."""
    found = []
    for kind, spec in KINDS.items():
        for name, schema in spec.params.model_json_schema()["properties"].items():
            types = types_of(schema) - {"null"}
            if types and (types <= {"integer", "number"} or types == {"boolean"}):
                found.append((kind, name, WRONG[min(types)]))
            items = [each["items"] for each in [schema, *schema.get("anyOf", [])] if "items" in each]
            if types == {"array"} and any(types_of(each) <= {"integer", "number"} != set() for each in items):
                found.append((kind, name, [True]))
    return found


@pytest.mark.parametrize(("kind", "name", "wrong"), fields())
def test_neither_passes_for_the_other(kind: str, name: str, wrong: Any) -> None:
    with pytest.raises(ValidationError) as caught:
        KINDS[kind].params.model_validate({name: wrong})
    assert {"number_needed", "truth_value_needed"} & {
        error["type"] for error in caught.value.errors() if error["loc"][0] == name
    }


def test_there_are_some_of_each() -> None:
    wrong = [value for _, _, value in fields()]
    assert len(wrong) > 150 and all(wrong.count(value) > 5 for value in (False, 1)) and [True] in wrong


@pytest.mark.parametrize(
    ("layers", "told"),
    [
        ([{"type": "fc", "units": 1, "bias": 0}], "true or false is needed"),
        ([{"type": "fc", "units": True}], "A number is needed"),
        ([{"type": "fc", "units": 1, "bias": False}], None),
    ],
)
def test_layers_of_a_list(layers: list[dict[str, Any]], told: str | None) -> None:
    if told is None:
        parse_params("architecture", {"layers": layers}, SHIPPED)
        return
    with pytest.raises(ParamsError, match=told):
        parse_params("architecture", {"layers": layers}, SHIPPED)


def test_text_says_either_and_the_error_names_what_was_given() -> None:
    parse_params("filters", {"network": "palette", "layer": "conv1_1", "limit": "8"}, SHIPPED)
    with pytest.raises(ParamsError) as caught:
        parse_params("filters", {"network": "palette", "layer": "conv1_1", "limit": True}, SHIPPED)
    assert caught.value.errors == [FieldError("limit", "A number is needed, not true or false. Given: True.")]
