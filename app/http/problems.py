"""Answers every error with a problem (RFC 9457), and describes the problems of a route in OpenAPI."""

import inspect
import logging
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import DataError, DBAPIError, SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.routing import BaseRoute, Match

from app.database.engine import UNAVAILABLE, is_disk_full, reason_of
from app.errors import ServiceError
from app.http.errors import (
    DatabaseUnavailable,
    FilesUnavailable,
    HttpError,
    IncompleteBody,
    InternalError,
    InvalidRequest,
    NulCharacter,
)
from app.log_context import current_request_id
from app.storage import StorageFull

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
METHODS = ("GET", "HEAD", "POST", "PATCH", "PUT", "DELETE", "OPTIONS")
# Characters of a text, which may quote what was sent.
MAX_TEXT = 4000


class ProblemField(BaseModel):
    """One field that is wrong."""

    field: str = Field(examples=["style_weights"])
    detail: str = Field(examples=["3 weights for 2 style pictures: give one for each, or none."])


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    type: str = Field(examples=["invalid_params"], description="Name of the kind of problem.")
    title: str = Field(description="The kind of problem in a few words.")
    status: int = Field(description="The HTTP status.")
    detail: str = Field(description="What is wrong here, and what would be right.")
    field: str | None = Field(None, description="The field that is wrong, if it is one.")
    errors: list[ProblemField] = Field(default=[], description="All fields that are wrong.")
    request_id: str | None = Field(
        None, description="The request, as in the log of the service: its header X-Request-ID."
    )

    @classmethod
    def of(cls, error: ServiceError) -> "Problem":
        """The problem of an error."""
        return cls(
            type=error.type,
            title=error.title or error.status.phrase,
            status=error.status,
            detail=_shorten(error.detail),
            field=error.field and _shorten(error.field),
            errors=[ProblemField(field=_shorten(e.field), detail=_shorten(e.detail)) for e in error.errors],
        )


def _shorten(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}…"


def documented(*errors: type[ServiceError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these errors, each with its example."""
    described: dict[int | str, dict[str, Any]] = {}
    for error in errors:
        summary = inspect.getdoc(error) or ""
        for example in error.examples():
            content = {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
            response = described.setdefault(
                example.status.value,
                {"description": example.status.phrase, "content": {MEDIA_TYPE: content}},
            )
            response["content"][MEDIA_TYPE]["examples"][error.__name__] = {
                "summary": summary.partition("\n")[0],
                "value": _content(example),
            }
    return described


def problem_response(error: ServiceError) -> Response:
    """The response that reports an error."""
    request_id = current_request_id()
    content, headers = _content(error), dict(error.headers or {})
    if request_id is not None:
        content["request_id"] = request_id
        # An error that is answered outside of all middleware passes none that would add it.
        headers["X-Request-ID"] = request_id
    return JSONResponse(content, error.status, headers=headers, media_type=MEDIA_TYPE)


def _content(error: ServiceError) -> dict[str, Any]:
    return {**Problem.of(error).model_dump(exclude={"request_id"}), **error.members}


def install(app: FastAPI) -> None:
    """Answer every error with a problem."""
    for error in (
        ServiceError,
        RequestValidationError,
        HTTPException,
        ClientDisconnect,
        *UNAVAILABLE,
        DataError,
        OSError,
        Exception,
    ):
        app.add_exception_handler(error, _answer)


async def _answer(request: Request, error: Exception) -> Response:
    return problem_response(_service_error(request, error))


def _allowed_methods(request: Request) -> list[str]:
    """The methods of all routes of a path: the framework names those of the first alone."""
    return [
        method
        for method in METHODS
        if any(
            each.matches({**request.scope, "method": method})[0] is Match.FULL
            for each in request.app.routes
            if isinstance(each, BaseRoute)
        )
    ]


def _service_error(request: Request, error: Exception) -> ServiceError:
    """The error itself, or what stands for an error of the framework, the database or the service's own."""
    match error:
        case ServiceError():
            return error
        case RequestValidationError():
            return InvalidRequest.of(error)
        case HTTPException(status_code=HTTPStatus.METHOD_NOT_ALLOWED):
            return HttpError(error, {"Allow": ", ".join(_allowed_methods(request))})
        case HTTPException():
            return HttpError(error)
        case ClientDisconnect():
            # Nobody reads it, but it is what the log of requests tells.
            return IncompleteBody()
        case DBAPIError() if is_disk_full(error):
            log.warning("the disk of the database is full: %s", reason_of(error))
            return StorageFull("no space left for the database")
        case SQLAlchemyError() if isinstance(error, UNAVAILABLE):
            log.warning("the database is unavailable: %s", reason_of(error))
            return DatabaseUnavailable()
        case DataError() if "NUL" in str(error.orig):
            # SQLite stores and finds it; PostgreSQL takes it in no text.
            return NulCharacter()
        case OSError() if error.strerror:
            # Of a file: network errors of a request end its connection, and none of them comes here.
            log.error("%s %s: %s", request.method, request.url.path, error)
            return FilesUnavailable(error.strerror)
        case _:
            # Starlette logs the traceback itself when it raises the error again after this answer.
            log.error("%s %s: %s", request.method, request.url.path, type(error).__name__)
            return InternalError()
