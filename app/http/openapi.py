"""The OpenAPI description: what FastAPI derives, and the schemas that only our own routes name."""

from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.batches.schemas import ErrorLine, Matrix, ResultLine
from app.database.ids import ID_PATTERN
from app.datasets.dataset import REFERENCE_PATTERN
from app.http.errors import CrossOrigin, DatabaseUnavailable, JsonTooLarge
from app.http.openapi_forms import REF, form_schemas, schema_name
from app.http.openapi_links import add_links
from app.http.problems import Problem, documented
from app.kinds import KINDS, KindSpec, Params
from app.kinds.exact import NOT_NULL
from app.storage import StorageFull

# What any write may be answered with; and any operation but those that ask no database.
OF_WRITES = documented(CrossOrigin, JsonTooLarge, StorageFull)
OF_DATABASE = documented(DatabaseUnavailable)
WITHOUT_DATABASE = ("/healthz", "/v1/kinds")


def install(app: FastAPI) -> None:
    """Complete the description of an app whose routes are all there."""
    derive = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = derive()
            _remove_validation_errors(described["paths"])
            schemas = described["components"]["schemas"]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            models: list[type[BaseModel]] = [
                Problem,
                Matrix,
                ResultLine,
                ErrorLine,
                *(spec.params for spec in KINDS.values()),
                *(spec.result for spec in KINDS.values()),
            ]
            for model in models:
                schema = model.model_json_schema(ref_template=REF)
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
            for name in ("NewJobBody", "Matrix"):
                schemas[name]["properties"]["kind"]["enum"] = sorted(KINDS)
            for spec in KINDS.values():
                _name_references(schemas[spec.params.__name__]["properties"], spec.params)
                _allow_what_is_continued(schemas[spec.params.__name__], spec.params)
            for spec in KINDS.values():
                schemas[schema_name(spec, "Job")] = _job(spec)
                schemas.update(form_schemas(spec, schemas[spec.params.__name__]))
            for path, operations in described["paths"].items():
                for method, operation in operations.items():
                    _complete(path, method, operation)
        return app.openapi_schema or derive()

    app.openapi = describe  # type: ignore[method-assign]


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Say of an operation what its route does not know."""
    for parameter in operation.get("parameters", ()):
        _require_value(parameter)
    if method != "get":
        _merge(operation["responses"], OF_WRITES)
    if path not in WITHOUT_DATABASE:
        _merge(operation["responses"], OF_DATABASE)
    prefix, _, name = operation.get("operationId", "").partition("_")
    kind = KINDS.get(name) if prefix == "create" else None
    if kind is not None:
        _name_results(operation, kind)
    add_links(operation, of_kind=kind is not None)


def _require_value(parameter: dict[str, Any]) -> None:
    """Take null from the values of a parameter: one that is not given is not there."""
    schema = parameter["schema"]
    values = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(values) == 1:
        del schema["anyOf"]
        schema.update(values[0])


def _merge(responses: dict[str, Any], further: Mapping[int | str, Mapping[str, Any]]) -> None:
    """Add problems to those that an operation is answered with."""
    for status, response in further.items():
        own = responses.setdefault(str(status), {"description": response["description"]})
        for media_type, content in response["content"].items():
            there = own.setdefault("content", {}).setdefault(media_type, {"schema": content["schema"]})
            examples = {
                name: {**example, "value": _without_none(example["value"])}
                for name, example in content["examples"].items()
            }
            there["examples"] = {**examples, **there.get("examples", {})}


def _without_none(value: Mapping[str, Any]) -> dict[str, Any]:
    """As the framework writes the examples of routes."""
    return {name: each for name, each in value.items() if each is not None}


def _remove_validation_errors(paths: dict[str, Any]) -> None:
    """Remove the 422 that FastAPI adds by itself: routes document InvalidRequest where it can occur."""
    for operations in paths.values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]


def _name_references(properties: dict[str, Any], params: type[Params]) -> None:
    """Say of what form the references of params are.

    Here alone: the form of the page, which is made from the params too, offers what there is.
    """
    for fields, pattern in (
        (params.picture_fields(), f"^{ID_PATTERN}(/[A-Za-z0-9._-]{{1,64}})?$"),
        (params.dataset_fields(), f"^{REFERENCE_PATTERN}$"),
    ):
        for name in fields:
            for text in _texts(properties[name]):
                text["pattern"] = pattern


def _texts(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The texts of which a value of a schema is one, or a list."""
    if schema.get("type") == "string":
        yield schema
    for inner in (*schema.get("anyOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from _texts(inner)


def _allow_what_is_continued(schema: dict[str, Any], params: type[Params]) -> None:
    """Let requests that go on from a job leave out what is required: it is as it was there."""
    continued = [name for name, mark in params.picture_fields().items() if mark.states]
    required = schema.get("required")
    if continued and required:
        del schema["required"]
        schema["anyOf"] = [
            {"required": required},
            *({"required": [name], "properties": {name: NOT_NULL}} for name in continued),
        ]


def _job(spec: KindSpec[Params]) -> dict[str, Any]:
    """A job of one kind. Its answers are plain jobs: whatever is stored is shown."""
    result = {"anyOf": [{"$ref": REF.format(model=spec.result.__name__)}, {"type": "null"}]}
    return {
        "title": schema_name(spec, "Job"),
        "description": f"A job of kind {spec.name}.",
        "allOf": [
            {"$ref": REF.format(model="JobView")},
            {"type": "object", "properties": {"kind": {"const": spec.name}, "result": result}},
        ],
    }


def _name_results(operation: Mapping[str, Any], kind: KindSpec[Params]) -> None:
    """Let the endpoint of a kind answer with jobs of that kind."""
    for answer in operation["responses"].values():
        content = answer.get("content", {}).get("application/json", {})
        if content.get("schema") == {"$ref": REF.format(model="JobView")}:
            content["schema"] = {"$ref": REF.format(model=schema_name(kind, "Job"))}
