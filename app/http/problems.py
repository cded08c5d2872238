"""Problems as RFC 9457 has them: every error a person sees says which field is wrong and what is right."""

import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from app.errors import InputError
from app.jobs.removal import JobInUse
from app.jobs.repository import JobNotEnded, KeyReused, UnknownJob
from app.jobs.submit import FieldError, ParamsError
from app.media import PictureError
from app.networks.errors import NetworkError
from app.storage import StorageFull

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
RETRY_SECONDS = 2


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


class ProblemError(Exception):
    """An error that is shown as a problem."""

    def __init__(
        self,
        status: HTTPStatus,
        kind: str,
        detail: str,
        *,
        field: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        errors = [FieldError(field, detail)] if field else []
        self.problem = make_problem(status, kind, detail, errors)
        self.headers = headers


def make_problem(status: HTTPStatus, kind: str, detail: str, errors: Sequence[FieldError] = ()) -> Problem:
    """A problem with the title that its status has."""
    return Problem(
        type=kind,
        title=status.phrase,
        status=status.value,
        detail=detail,
        field=errors[0].field if errors else None,
        errors=[ProblemField(field=e.field, detail=e.detail) for e in errors],
    )


def respond(problem: Problem, headers: dict[str, str] | None = None) -> JSONResponse:
    """A problem as a response."""
    return JSONResponse(problem.model_dump(), problem.status, media_type=MEDIA_TYPE, headers=headers)


EXAMPLES: dict[HTTPStatus, tuple[str, str, str | None]] = {
    HTTPStatus.BAD_REQUEST: ("invalid_json", "This is no JSON: Expecting value: line 1 column 1.", "params"),
    HTTPStatus.NOT_FOUND: ("unknown_job", "There is no job 0198c0de-0000-7000-8000-000000000000.", None),
    HTTPStatus.CONFLICT: ("job_not_ended", "Job 0198c0de has not ended: cancel it first, or wait.", None),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (
        "request_too_large",
        "A request may have 100,000,000 bytes: send smaller or fewer files.",
        None,
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: (
        "picture_unsupported_format",
        "This is a HEIC picture: convert it to JPEG or PNG.",
        "content",
    ),
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: (
        "range_not_satisfiable",
        "The file has 1000 bytes; the range asked for is 'bytes=2000-'.",
        None,
    ),
    HTTPStatus.UNPROCESSABLE_ENTITY: (
        "invalid_params",
        "3 weights for 2 style pictures: give one for each, or none.",
        "style_weights",
    ),
    HTTPStatus.SERVICE_UNAVAILABLE: (
        "database_unavailable",
        "The database does not answer at the moment. Nothing was lost; try again soon.",
        None,
    ),
    HTTPStatus.INSUFFICIENT_STORAGE: (
        "storage_full",
        "The disk of the service is full. Delete old jobs and pictures.",
        None,
    ),
}


def documented(*statuses: HTTPStatus) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that may answer with these problems, each with an example."""
    described: dict[int | str, dict[str, Any]] = {}
    for status in statuses:
        kind, detail, field = EXAMPLES[status]
        errors = [FieldError(field, detail)] if field else []
        example = make_problem(status, kind, detail, errors).model_dump()
        schema = {"$ref": "#/components/schemas/Problem"}
        described[status.value] = {
            "description": status.phrase,
            "content": {MEDIA_TYPE: {"schema": schema, "example": example}},
        }
    return described


def _params(_: Request, error: ParamsError) -> Response:
    detail = " ".join(f"{e.field}: {e.detail}" for e in error.errors)
    return respond(make_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_params", detail, error.errors))


def _input(_: Request, error: InputError) -> Response:
    errors = [FieldError(error.field, error.detail)]
    return respond(make_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_params", error.detail, errors))


def _request(_: Request, error: RequestValidationError) -> Response:
    errors = [
        FieldError(".".join(str(part) for part in e["loc"][1:]) or str(e["loc"][0]), e["msg"])
        for e in error.errors()
    ]
    detail = " ".join(f"{e.field}: {e.detail}." for e in errors)
    return respond(make_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_request", detail, errors))


def _problem(_: Request, error: ProblemError) -> Response:
    return respond(error.problem, error.headers)


def _unknown_job(_: Request, error: UnknownJob) -> Response:
    return respond(make_problem(HTTPStatus.NOT_FOUND, "unknown_job", f"There is no job {error}."))


def _not_ended(_: Request, error: JobNotEnded) -> Response:
    detail = f"Job {error} has not ended: cancel it first, or wait."
    return respond(make_problem(HTTPStatus.CONFLICT, "job_not_ended", detail))


def _in_use(_: Request, error: JobInUse) -> Response:
    users = ", ".join(error.users[:5])
    detail = f"Jobs that have not ended need a picture of this one: {users}. Cancel them, or wait."
    return respond(make_problem(HTTPStatus.CONFLICT, "job_in_use", detail))


def _key_reused(_: Request, error: KeyReused) -> Response:
    detail = f"The Idempotency-Key {str(error)!r} was used for another request: take a new one."
    errors = [FieldError("Idempotency-Key", detail)]
    return respond(make_problem(HTTPStatus.UNPROCESSABLE_ENTITY, "idempotency_key_reused", detail, errors))


def picture_problem(error: PictureError, field: str) -> ProblemError:
    """What is wrong with an uploaded picture, under the name of its field."""
    match error.reason:
        case _ if error.too_large:
            status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        case "unsupported_format" | "not_a_picture":
            status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
        case _:
            status = HTTPStatus.UNPROCESSABLE_ENTITY
    return ProblemError(status, f"picture_{error.reason}", error.detail, field=field)


def _network(_: Request, error: NetworkError) -> Response:
    errors = [FieldError(error.field, error.detail)] if error.field else []
    return respond(make_problem(error.status, error.type, error.detail, errors))


def _storage_full(_: Request, error: StorageFull) -> Response:
    detail = f"The disk of the service is full ({error}). Delete old jobs and pictures."
    return respond(make_problem(HTTPStatus.INSUFFICIENT_STORAGE, "storage_full", detail))


def _database(_: Request, error: OperationalError) -> Response:
    log.warning("the database is away: %s", error.orig)
    detail = "The database does not answer at the moment. Nothing was lost; try again soon."
    return respond(
        make_problem(HTTPStatus.SERVICE_UNAVAILABLE, "database_unavailable", detail),
        {"Retry-After": str(RETRY_SECONDS)},
    )


# Python 3.13 renamed some statuses; a problem's type should not depend on that.
HTTP_TYPES = {
    400: "bad_request",
    404: "not_found",
    405: "method_not_allowed",
    413: "request_too_large",
    415: "unsupported_media_type",
}


def http_problem(error: HTTPException) -> Response:
    """An HTTPException as a problem."""
    kind = HTTP_TYPES.get(error.status_code, "http_error")
    headers = dict(error.headers) if error.headers else None
    return respond(make_problem(HTTPStatus(error.status_code), kind, str(error.detail)), headers)


def _http(_: Request, error: HTTPException) -> Response:
    return http_problem(error)


def _unexpected(request: Request, error: Exception) -> Response:
    # Starlette logs the traceback itself when it raises the error again after this answer.
    log.error("%s %s: %s", request.method, request.url.path, type(error).__name__)
    detail = "The service met an error of its own; its log says more."
    return respond(make_problem(HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail))


def install(app: FastAPI) -> None:
    """Answer every error with a problem."""
    handlers: dict[type[Exception], Any] = {
        ParamsError: _params,
        InputError: _input,
        RequestValidationError: _request,
        ProblemError: _problem,
        UnknownJob: _unknown_job,
        JobNotEnded: _not_ended,
        JobInUse: _in_use,
        KeyReused: _key_reused,
        NetworkError: _network,
        StorageFull: _storage_full,
        OperationalError: _database,
        HTTPException: _http,
        Exception: _unexpected,
    }
    for error, handler in handlers.items():
        app.add_exception_handler(error, handler)
