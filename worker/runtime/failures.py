"""What a job that failed shows as its error, unless it is the device that failed."""

import logging

import torch

from app.errors import ServiceError
from app.jobs.job import Json
from worker.optim.ladder import is_out_of_memory

log = logging.getLogger(__name__)


class DeviceBroken(RuntimeError):
    """The device does not compute any more. This process must end, and leave its job to the next."""


def describe_failure(error: Exception, job_id: str, device: torch.device, params: Json) -> Json:
    """An exception as the ``error`` of a job: what happened and what to do, never a traceback.

    ``params`` are those of the job.
    Raises DeviceBroken if it has no known cause, and the device fails at something simple, too.
    """
    field = None
    match error:
        case ServiceError():
            kind, title = error.type, error.title or error.status.phrase
            detail, field = error.detail, error.field
        case error if is_out_of_memory(error):
            kind, title = "out_of_memory", "Not enough memory"
            if (count := params.get("batch_size")) is not None:
                field = "batch_size"
                detail = (
                    f"The device has too little memory for this network and {count:,} pictures at a time: "
                    "choose a smaller batch_size, or a smaller size."
                )
            else:
                field = "size"
                detail = "The device has too little memory for a picture of this size: choose a smaller one."
        case _:
            log.exception("job %s failed", job_id)
            require_working(device)
            kind, title = "internal", "Something went wrong here"
            detail = f"{type(error).__name__}; the worker's log says more under job {job_id}."
    return {"type": kind, "title": title, "detail": detail, "field": field}


def require_working(device: torch.device) -> None:
    """Compute a small product on the device, and read it; DeviceBroken if that fails or is wrong.

    After an error on a GPU that its driver cannot mend every call fails, in this process for ever.
    """
    try:
        ones = torch.ones(64, 64, device=device)
        total = float((ones @ ones).sum())
    except Exception as error:
        raise DeviceBroken(f"{device} does not compute any more: {error}") from error
    if total != 64**3:
        raise DeviceBroken(f"{device} computes {total} for {64**3}")
