"""What a job that failed shows as its error."""

import logging

import torch

from app.errors import ComputationError, InputError
from app.jobs.job import Json
from app.networks.download import DownloadError
from app.storage import StorageFull

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
        case InputError():
            kind, title, detail, field = "input", "The input is wrong", error.detail, error.field
        case ComputationError():
            kind, title, detail = "computation", "The computation failed", error.detail
        case DownloadError():
            kind, title, detail = "download", "The download failed", error.detail
        case StorageFull():
            kind, title, detail = "storage_full", "The disk is full", str(error)
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
