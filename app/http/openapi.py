"""The OpenAPI description: what FastAPI derives, and the schemas that only our own routes name."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.http.problems import Problem, documented
from app.kinds import KINDS

UNPROCESSABLE = HTTPStatus.UNPROCESSABLE_ENTITY
REF = "#/components/schemas/{model}"


def install(app: FastAPI) -> None:
    """Complete the description of an app whose routes are all there."""
    derive = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            described = derive()
            _name_problems(described["paths"])
            schemas = described["components"]["schemas"]
            for unused in ("HTTPValidationError", "ValidationError"):
                schemas.pop(unused, None)
            models: list[type[BaseModel]] = [Problem, *(spec.params for spec in KINDS.values())]
            for model in models:
                schema = model.model_json_schema(ref_template=REF)
                schemas.update(schema.pop("$defs", {}))
                schemas[model.__name__] = schema
        return app.openapi_schema or derive()

    app.openapi = describe  # type: ignore[method-assign]


def _name_problems(paths: dict[str, Any]) -> None:
    """FastAPI says that what does not validate is answered in a shape of its own; here it is a problem."""
    problem = documented(UNPROCESSABLE)[UNPROCESSABLE.value]
    for operations in paths.values():
        for operation in operations.values():
            if "422" in operation["responses"]:
                operation["responses"]["422"] = problem
