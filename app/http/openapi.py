"""The OpenAPI description: what FastAPI derives, and the schemas that only our own routes name."""

from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.batches.schemas import ErrorLine, Matrix, ResultLine
from app.http.problems import Problem
from app.kinds import KINDS

REF = "#/components/schemas/{model}"


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
            ]
            for model in models:
                schema = model.model_json_schema(ref_template=REF)
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
        return app.openapi_schema or derive()

    app.openapi = describe  # type: ignore[method-assign]


def _remove_validation_errors(paths: dict[str, Any]) -> None:
    """Remove the 422 that FastAPI adds by itself: routes document InvalidRequest where it can occur."""
    for operations in paths.values():
        for operation in operations.values():
            if "application/json" in operation["responses"].get("422", {}).get("content", {}):
                del operation["responses"]["422"]
