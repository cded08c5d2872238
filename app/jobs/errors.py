"""Errors of jobs."""

from collections.abc import Sequence
from http import HTTPStatus

from app.errors import FieldError, ServiceError

_JOB_ID = "0198c0de-0000-7000-8000-000000000000"


class UnknownJob(ServiceError):
    """There is no job of that id."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_job"
    example = (_JOB_ID,)

    def __init__(self, job_id: str) -> None:
        super().__init__(f"There is no job {job_id}.")


class UnknownArtifact(ServiceError):
    """The job has no artifact of that name."""

    status, type = HTTPStatus.NOT_FOUND, "unknown_artifact"
    example = (_JOB_ID, "running", "image", ["preview"])

    def __init__(self, job_id: str, state: str, name: str, existing: Sequence[str]) -> None:
        super().__init__(
            f"Job {job_id} ({state}) has no artifact {name!r}. Artifacts: {', '.join(existing) or 'none'}."
        )


class JobNotEnded(ServiceError):
    """A job must have ended before it can be deleted or retried."""

    status, type = HTTPStatus.CONFLICT, "job_not_ended"
    example = (_JOB_ID,)

    def __init__(self, job_id: str) -> None:
        super().__init__(f"Job {job_id} has not ended: cancel it first, or wait.")


class JobEnded(ServiceError):
    """A job that has ended can neither be paused nor resumed."""

    status, type = HTTPStatus.CONFLICT, "job_ended"
    example = (_JOB_ID, "succeeded")

    def __init__(self, job_id: str, state: str) -> None:
        super().__init__(f"Job {job_id} has ended as {state}: there is nothing to pause or resume.")


class CannotFinish(ServiceError):
    """The job cannot be asked to end early: it has not begun, it has ended, or jobs of its kind cannot."""

    status, type = HTTPStatus.CONFLICT, "cannot_finish"
    example = (_JOB_ID, "it has not begun: cancel it, or wait")

    def __init__(self, job_id: str, reason: str) -> None:
        super().__init__(f"Job {job_id} cannot be finished early: {reason}.")


class JobInUse(ServiceError):
    """Jobs that have not ended need a picture that this job made."""

    status, type = HTTPStatus.CONFLICT, "job_in_use"
    example = (["0198c0de-0000-7000-8000-000000000001"],)

    def __init__(self, job_ids: Sequence[str]) -> None:
        super().__init__(
            f"Jobs that have not ended need a picture of this one: {', '.join(job_ids[:5])}. "
            "Cancel them, or wait."
        )


class NeedsGone(Exception):
    """Pictures or sets that a job needs were deleted between its check and its row; ``references`` names
    them."""

    def __init__(self, references: Sequence[str]) -> None:
        super().__init__(f"deleted meanwhile: {', '.join(references[:5])}")
        self.references = references


class ParamsError(ServiceError):
    """Params that the kind refuses; at least one field is wrong."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_params"
    example = ([FieldError("style_weights", "3 weights for 2 style pictures: give one for each, or none.")],)

    def __init__(self, errors: Sequence[FieldError]) -> None:
        super().__init__(" ".join(f"{e.field}: {e.detail}" for e in errors), errors=errors)


class InvalidParam(ServiceError):
    """A field of the request itself is wrong: the kind, or a file."""

    status, type = HTTPStatus.UNPROCESSABLE_ENTITY, "invalid_params"
    example = ("kind", "There is no kind 'sculpture'. Kinds: deep_dream, style_transfer.")

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail, field=field)
