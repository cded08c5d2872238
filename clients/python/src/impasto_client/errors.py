"""Errors of the client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from impasto_client._generated.models import JobError, JobView


class ImpastoError(Exception):
    """Base of all errors that this package defines."""


class NoAnswer(ImpastoError):
    """No answer came: nothing listens there, or the connection broke or was silent.

    ``sent``: whether the service may have got the request, or a part of it.
    """

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UnexpectedAnswer(ImpastoError):
    """An answer that this client does not understand: it is not of Impasto, or of another version."""


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong, and what would be right; of a batch, in which line."""

    field: str
    detail: str
    line: int | None = None
    custom_id: str | None = None


class ApiError(ImpastoError):
    """The service refused a request with a problem (RFC 9457).

    ``type`` is the short name of the kind of problem, such as ``invalid_params``; ``errors`` are all fields
    that are wrong; ``problem`` is the whole answer; ``retry_after`` is in seconds; ``request_id`` is
    the request's name in the log of the service.
    """

    def __init__(self, status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> None:
        self.status = status
        self.problem = dict(problem)
        self.type = str(problem.get("type", "http_error"))
        self.title = str(problem.get("title", ""))
        self.detail = str(problem.get("detail", ""))
        self.field: str | None = problem.get("field")
        self.errors = [_field_error(each) for each in problem.get("errors") or ()]
        self.retry_after = retry_after
        self.request_id: str | None = problem.get("request_id")
        super().__init__(f"{status} {self.type}: {self.detail or self.title}")


class InvalidRequest(ApiError):
    """The request is wrong: its params, a picture, its size or its form. Status 400, 413, 415 or 422."""


class InvalidBatch(InvalidRequest):
    """Lines of a batch are wrong, and nothing was stored; ``errors`` are the first of them."""

    @property
    def wrong(self) -> int:
        """How many lines are wrong."""
        return int(self.problem.get("wrong", len(self.errors)))


class NotFound(ApiError):
    """There is no such thing. Status 404."""


class Conflict(ApiError):
    """The state of things does not allow it, such as to delete a running job. Status 409."""


class TooManyRequests(ApiError):
    """The service wants fewer requests. Status 429."""


class ServiceError(ApiError):
    """The service, or something before it, failed. Status 500 and above."""


class WaitTimeout(ImpastoError, TimeoutError):
    """What was waited for has not ended in time. It goes on; wait again, or cancel it."""


class JobEnded(ImpastoError):
    """Base of the ends of a job that leave nothing to save. ``view`` is the job."""

    def __init__(self, message: str, view: JobView) -> None:
        super().__init__(message)
        self.view = view


class JobFailed(JobEnded):
    """The job failed. ``error`` says why."""

    def __init__(self, view: JobView) -> None:
        self.error: JobError | None = view.error
        detail = view.error.detail if view.error else "no reason was given"
        super().__init__(f"{view.kind} {view.id} failed: {detail}", view)


class JobCancelled(JobEnded):
    """The job was cancelled."""

    def __init__(self, view: JobView) -> None:
        super().__init__(f"{view.kind} {view.id} was cancelled", view)


def _field_error(given: Mapping[str, Any]) -> FieldError:
    return FieldError(
        str(given.get("field", "")), str(given.get("detail", "")), given.get("line"), given.get("custom_id")
    )


def api_error(status: int, problem: Mapping[str, Any], retry_after: float | None = None) -> ApiError:
    """The error of an answer."""
    cls: type[ApiError] = InvalidRequest
    if problem.get("type") == "batch_invalid":
        cls = InvalidBatch
    elif status >= 500:
        cls = ServiceError
    else:
        cls = {404: NotFound, 409: Conflict, 429: TooManyRequests}.get(status, InvalidRequest)
    return cls(status, problem, retry_after)
