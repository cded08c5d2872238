"""The one task: run a job. Everything heavy is imported in the child process alone."""

import contextlib
import logging
import os
import signal
import threading
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from celery.signals import worker_process_init, worker_process_shutdown
from sqlalchemy.exc import OperationalError

from app.jobs.dispatch.celery_settings import TASK
from app.settings import get_settings
from app.supervision.logs import configure_logging
from worker.runtime.celery_app import celery, lane, worker_id

if TYPE_CHECKING:
    from worker.runtime.context import WorkerContext

log = logging.getLogger("worker.runtime.celery_tasks")


class Child:
    """What the child process has: its context, and the word to stop."""

    context: "WorkerContext"
    registration: AbstractContextManager[None]
    stop = threading.Event()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def open_context(**_: Any) -> None:
    """Get ready to run jobs, in the child."""
    from worker.runtime.context import make_context
    from worker.runtime.registration import registered
    from worker.runtime.warm_up import warm_up

    settings = get_settings()
    configure_logging(settings.log_level)
    signal.signal(signal.SIGUSR2, lambda *_: Child.stop.set())
    Child.context = make_context(settings, f"{worker_id()}:{os.getpid()}", settings.device)
    warm_up(Child.context.compute)
    Child.registration = registered(Child.context, lane())
    Child.registration.__enter__()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def close_context(**_: Any) -> None:
    """Sign off, in the child."""
    with contextlib.suppress(AttributeError):  # it may have ended before it was ready
        Child.registration.__exit__(None, None, None)
        Child.context.dispatcher.close()


@celery.task(name=TASK, max_retries=2, default_retry_delay=5)  # type: ignore[untyped-decorator]
def run(job_id: str) -> None:
    """Claim a job and run it. One that is not there to be claimed is somebody else's: drop the message."""
    from worker.runtime.run_job import run_job

    if Child.stop.is_set():
        # The row is the truth: the hint is sent again, to a worker that stays.
        return
    try:
        if not run_job(Child.context, job_id, Child.stop):
            log.info("job %s is not there to be claimed", job_id)
    except OperationalError as error:
        # The lease runs out, or the hint is sent again, once the database is back.
        log.warning("job %s: the database is away: %s", job_id, error.orig)
