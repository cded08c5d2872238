"""The base of all errors that are reported to a client, and the two that computations raise.

A class states the HTTP status and the type of its problem (RFC 9457) and an example for OpenAPI. Free of
FastAPI and torch, so that services, repositories and the worker can raise them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, ClassVar

# Wrong fields that one answer reports.
MAX_ERRORS = 50


@dataclass(frozen=True)
class FieldError:
    """One field that is wrong: its dotted name, and what would be right."""

    field: str
    detail: str


def field_of(name: str, place: int, count: int) -> str:
    """How an error names one of the pictures of a param: ``images.3`` where there are several."""
    return name if count == 1 else f"{name}.{place}"


class ServiceError(Exception):
    """An error that is reported to a client: over HTTP as a problem, or as the error of a failed job.

    ``detail`` is one or two sentences that say what is wrong and what would be right; ``errors`` are
    the fields at fault, if any, and ``field`` is the first of them; ``headers`` are sent with the response.
    """

    status: HTTPStatus
    type: str
    # Empty: the phrase of the status.
    title: str = ""
    # Arguments of the constructor, for the example in OpenAPI.
    example: ClassVar[tuple[Any, ...]]

    def __init__(
        self,
        detail: str,
        *,
        field: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{field}: {detail}" if field else detail)
        self.detail = detail
        self.errors = list(errors) or ([FieldError(field, detail)] if field else [])
        self.field = self.errors[0].field if self.errors else None
        self.headers = headers

    @property
    def members(self) -> Mapping[str, Any]:
        """Further members of its problem (RFC 9457, section 3.2), or other values of those it has."""
        return {}

    @classmethod
    def examples(cls) -> "list[ServiceError]":
        """The errors that OpenAPI shows: several if the status depends on the instance."""
        return [cls(*cls.example)]


class InputError(ServiceError, ValueError):
    """A param of a job is wrong, or the picture that it names."""

    status, type, title = HTTPStatus.UNPROCESSABLE_ENTITY, "input", "The input is wrong"
    field: str
    example = ("size", "The picture is too small for layer relu5_1. The smallest size that works is 112.")

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, field=field)


class OutOfMemory(ServiceError):
    """The computation of a job found too little memory, though it was tried with less and less."""

    status, type, title = HTTPStatus.INTERNAL_SERVER_ERROR, "out_of_memory", "Not enough memory"
    field: str
    example = ("size", "There was too little memory for size 4096: the largest size that fits is 3100.")

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, field=field)


class ComputationError(ServiceError):
    """The computation of a job failed for good, for example because its loss stays non-finite."""

    status, type, title = HTTPStatus.INTERNAL_SERVER_ERROR, "computation", "The computation failed"
    example = ("The loss is not finite at step 12: choose a smaller learning rate.",)
