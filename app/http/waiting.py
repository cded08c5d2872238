"""Answers to requests that have made something: whatever goes wrong from then on, they say what was made."""

import logging
from collections.abc import Callable
from typing import TypeVar

from fastapi import Response
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app.errors import ServiceError
from app.http.services import Services

log = logging.getLogger(__name__)
V = TypeVar("V")

# The database is away, or what was made has been deleted meanwhile.
_FAILURES = (SQLAlchemyError, ServiceError)


async def wait_for_end(services: Services, job_id: str, seconds: float | None, response: Response) -> None:
    """Wait for the end of a job, for so many seconds at most, or until the service stops. Never raises."""
    if not seconds:
        return
    response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
    try:
        await services.notifier.wait_for_end(job_id, seconds)
    except _FAILURES as error:
        log.warning("a request does not wait for job %s any longer: %s", job_id, error)


def view_made(look: Callable[[], V], as_made: Callable[[], V]) -> V:
    """The view of what a request has made, as it is now; if that cannot be told, as it was made."""
    try:
        return look()
    except _FAILURES as error:
        log.warning("what a request made is shown as it was made: %s", error)
        return as_made()


async def view_made_in_thread(look: Callable[[], V], as_made: Callable[[], V]) -> V:
    """The same in another thread."""
    return await run_in_threadpool(view_made, look, as_made)
