"""The OpenAPI description: what FastAPI derives, and the schemas that only our own routes name."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.batches.schemas import ErrorLine, Matrix, ResultLine
from app.http.problems import Problem
from app.kinds import KINDS, KindSpec, Params

REF = "#/components/schemas/{model}"


def job_schema(kind: str) -> str:
    """The name of the schema of a job of a kind: StyleTransferJob."""
    return "".join(part.capitalize() for part in kind.split("_")) + "Job"


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
            for spec in KINDS.values():
                schemas[job_schema(spec.name)] = _job(spec)
            for path in described["paths"].values():
                _name_results(path.get("post", {}))
        return app.openapi_schema or derive()

    app.openapi = describe  # type: ignore[method-assign]


def _remove_validation_errors(paths: dict[str, Any]) -> None:
    """Remove the 422 that FastAPI adds by itself: routes document InvalidRequest where it can occur."""
    for operations in paths.values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]


def _job(spec: KindSpec[Params]) -> dict[str, Any]:
    """A job of one kind. Its answers are plain jobs: whatever is stored is shown."""
    result = {"anyOf": [{"$ref": REF.format(model=spec.result.__name__)}, {"type": "null"}]}
    return {
        "title": job_schema(spec.name),
        "description": f"A job of kind {spec.name}.",
        "allOf": [
            {"$ref": REF.format(model="JobView")},
            {"type": "object", "properties": {"kind": {"const": spec.name}, "result": result}},
        ],
    }


def _name_results(operation: Mapping[str, Any]) -> None:
    """Let the endpoint of a kind answer with jobs of that kind."""
    kind = operation.get("operationId", "").removeprefix("create_")
    if kind not in KINDS:
        return
    for answer in operation["responses"].values():
        content = answer.get("content", {}).get("application/json", {})
        if content.get("schema") == {"$ref": REF.format(model="JobView")}:
            content["schema"] = {"$ref": REF.format(model=job_schema(kind))}
