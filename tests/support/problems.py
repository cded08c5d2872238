"""Problems (RFC 9457) as OpenAPI documents them."""

import re
from collections.abc import Iterator
from typing import Any

from fastapi import FastAPI
from httpx import Response

from app.errors import ServiceError

# What any route may answer with, and none documents.
GENERAL = {
    "not_found",
    "method_not_allowed",
    "cross_origin",
    "request_too_large",
    "bad_request",
    "internal",
    "storage_unavailable",
    "database_unavailable",
}


def error_classes(base: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Every class of error."""
    for cls in base.__subclasses__():
        yield cls
        yield from error_classes(cls)


def examples(operation: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The documented problems of an operation, as "status class"."""
    return {
        f"{status} {name}": example["value"]
        for status, response in operation["responses"].items()
        if int(status) >= 400
        for name, example in response["content"]["application/problem+json"]["examples"].items()
    }


def check_documented(app: FastAPI, response: Response) -> None:
    """Check that the problem in a response, if it is one, is documented for its route."""
    if response.headers.get("content-type") != "application/problem+json":
        return
    response.read()
    problem = response.json()
    if problem["type"] in GENERAL:
        return
    method = response.request.method.lower().replace("head", "get")
    (operation,) = [
        operations[method]
        for template, operations in app.openapi()["paths"].items()
        if re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), response.request.url.path)
        and method in operations
    ]
    documented = {(p["status"], _kind(p["type"])) for p in examples(operation).values()}
    assert (problem["status"], _kind(problem["type"])) in documented, (response.request.url, problem)


def _kind(problem_type: str) -> str:
    """A picture has a dozen reasons to be refused; a status has one example."""
    return "picture" if problem_type.startswith("picture_") else problem_type
