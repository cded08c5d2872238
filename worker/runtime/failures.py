"""What a job that failed shows as its error."""

import logging

import torch

from app.errors import ServiceError
from app.jobs.job import Json

log = logging.getLogger(__name__)

_OUT_OF_MEMORY = (
    "out_of_memory",
    "Not enough memory",
    "The device has too little memory for a picture of this size: choose a smaller one.",
    "size",
)


def describe_failure(error: Exception, job_id: str) -> Json:
    """An exception as the ``error`` of a job: what happened and what to do, never a traceback."""
    field = None
    match error:
        case ServiceError():
            kind, title, detail, field = error.type, error.title, error.detail, error.field
        case MemoryError() | torch.OutOfMemoryError():
            kind, title, detail, field = _OUT_OF_MEMORY
        case RuntimeError() if "not enough memory" in str(error):
            # What torch raises on the CPU, which has no class of its own.
            kind, title, detail, field = _OUT_OF_MEMORY
        case _:
            log.exception("job %s failed", job_id)
            kind, title = "internal", "Something went wrong here"
            detail = f"{type(error).__name__}; the worker's log says more under job {job_id}."
    return {"type": kind, "title": title, "detail": detail, "field": field}
