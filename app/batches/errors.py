"""Errors of batches."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from app.errors import FieldError, ServiceError

_BATCH_ID = "0198c0de-0000-7000-8000-000000000000"
_JOB_ID = "0198c0de-0000-7000-8000-000000000001"
# Wrong lines that one answer reports.
MAX_PROBLEMS = 100


@dataclass(frozen=True)
class WrongLine:
    """A line that is wrong, with the name that its client gave it if it has one."""

    line: int
    custom_id: str | None
    problem: FieldError


class UnknownBatch(ServiceError):
    """There is no batch of that id."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_batch"
    example = (_BATCH_ID,)

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"There is no batch {batch_id}: `GET /v1/batches` lists those that there are.")


class NamedByBatch(ServiceError):
    """A line of a batch names it that is no job yet. Only what deletes by age meets this."""

    status, type = HTTPStatus.CONFLICT, "named_by_batch"
    example = (_JOB_ID,)

    def __init__(self, reference: str) -> None:
        super().__init__(f"A batch with lines that are no jobs yet may name {reference}.")


class PicturesDeleted(ServiceError):
    """Pictures that lines name were deleted while the batch was checked. Nothing was stored."""

    status, type = HTTPStatus.CONFLICT, "pictures_deleted"
    example = ([_JOB_ID],)

    def __init__(self, references: Sequence[str]) -> None:
        super().__init__(
            f"Pictures were deleted while the batch was checked: {', '.join(references[:5])}. "
            "Upload them again, or take their lines out."
        )


class BatchInvalid(ServiceError):
    """Lines of the batch are wrong. Nothing was stored, and nothing runs."""

    status, type, title = HTTPStatus.UNPROCESSABLE_ENTITY, "batch_invalid", "Lines are wrong"
    example = ([WrongLine(7, "bridge", FieldError("kind", "There is no kind 'sculpture'."))], 1)

    def __init__(self, wrong: Sequence[WrongLine], count: int) -> None:
        """The first ``wrong`` lines of ``count``."""
        first = wrong[0]
        more = "" if count == 1 else f" {count - 1:,} more {'line is' if count == 2 else 'lines are'} wrong."
        super().__init__(
            f"Line {first.line}: {first.problem.field}: {first.problem.detail}{more} "
            "Correct them, or send `errors=skip` to leave them out.",
            errors=[each.problem for each in wrong],
        )
        self._wrong = wrong
        self._count = count

    @property
    def members(self) -> Mapping[str, Any]:
        """The wrong lines, and how many there are in all."""
        errors = [
            {"line": w.line, "custom_id": w.custom_id, "field": w.problem.field, "detail": w.problem.detail}
            for w in self._wrong
        ]
        return {"errors": errors, "wrong": self._count}


class BatchEmpty(ServiceError):
    """The batch has no lines."""

    status, type, title = HTTPStatus.UNPROCESSABLE_ENTITY, "batch_empty", "The batch is empty"
    example = ("The body has no lines: send one line of JSON for each job.",)


class BatchTooLarge(ServiceError):
    """The batch has more lines, or more bytes, than one may have."""

    status, type, title = HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "batch_too_large", "The batch is too large"
    example = ("A batch may have 50,000 lines (IMPASTO_MAX_BATCH_LINES): send several batches.",)

    def __init__(self, detail: str) -> None:
        # What is left of the body is not read.
        super().__init__(detail, headers={"Connection": "close"})

    @classmethod
    def for_lines(cls, most: int, count: int | None = None) -> "BatchTooLarge":
        """The error of one with more lines than ``most``: ``count`` if that is known."""
        found = "" if count is None else f", and this one has {count:,}"
        return cls(f"A batch may have {most:,} lines (IMPASTO_MAX_BATCH_LINES){found}: send several batches.")

    @classmethod
    def for_bytes(cls, most: int) -> "BatchTooLarge":
        """The error of one with more bytes than ``most``."""
        return cls(f"A batch may have {most:,} bytes (IMPASTO_MAX_BATCH_BYTES): send several batches.")


class InvalidMatrix(ServiceError):
    """A field of the matrix is wrong."""

    status, type, title = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_matrix", "The matrix is wrong"
    example = ("over.style", "There is no set 'paintings'.")

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, field=field)


class BatchNotEnded(ServiceError):
    """A batch must have ended before it can be deleted, and before one that is being cancelled is retried."""

    status, type = HTTPStatus.CONFLICT, "batch_not_ended"
    example = (_BATCH_ID,)

    def __init__(self, batch_id: str) -> None:
        super().__init__(f"Batch {batch_id} has not ended: cancel it, or wait.")


class BatchEnded(ServiceError):
    """A batch that has ended can neither be paused nor resumed."""

    status, type = HTTPStatus.CONFLICT, "batch_ended"
    example = (_BATCH_ID, "succeeded")

    def __init__(self, batch_id: str, state: str) -> None:
        if state == "running":
            super().__init__(f"Batch {batch_id} was cancelled: pause or resume its jobs one by one.")
        else:
            super().__init__(f"Batch {batch_id} has ended as {state}: there is nothing to pause or resume.")


class JobOfBatch(ServiceError):
    """A job of a batch is not deleted alone."""

    status, type = HTTPStatus.CONFLICT, "job_of_batch"
    example = (_JOB_ID, _BATCH_ID)

    def __init__(self, job_id: str, batch_id: str) -> None:
        super().__init__(
            f"Job {job_id} is one of batch {batch_id}, and is deleted with it: "
            f"`DELETE /v1/batches/{batch_id}`."
        )


class EntryRetried(ServiceError):
    """Another job has taken the place of this one in its batch."""

    status, type = HTTPStatus.CONFLICT, "entry_retried"
    example = (_JOB_ID,)

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} was retried before: retry the job that has its place in the batch.")
