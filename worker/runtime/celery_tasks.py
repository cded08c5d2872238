"""The one Celery task: run the next job of a lane. Heavy modules are imported only in the child process."""

import contextlib
import logging
import os
import signal
import threading
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from celery.signals import worker_process_init, worker_process_shutdown

from app.jobs.dispatch.celery_settings import TASK
from app.settings import get_settings
from worker.runtime.celery_app import WRONG_SETTINGS, celery, lane, parent, sharing, worker_id

if TYPE_CHECKING:
    from worker.runtime.context import WorkerContext

log = logging.getLogger("worker.runtime.celery_tasks")


# How long a child that cannot be prepared waits before it ends.
RESTART_SECONDS = 5.0
# How long one waits that cannot begin a job, so that it does not drop every token in the meantime.
UNAVAILABLE_SECONDS = 5.0


class WrongSettings(Exception):
    """The settings name what is not here."""


class Child:
    """The state of the child process. ``stop`` is set when it must release its job."""

    context: "WorkerContext"
    registration: AbstractContextManager[None]
    stop = threading.Event()


@worker_process_init.connect  # type: ignore[untyped-decorator]
def open_context(**_: Any) -> None:
    """Prepare the child to run jobs. One that cannot be prepared ends, and Celery starts another."""
    signal.signal(signal.SIGUSR2, lambda *_: Child.stop.set())
    try:
        _open_context()
    except WrongSettings as error:
        # The parent ends, unless an earlier child had no such trouble: a device may be lost for a while.
        log.error("this worker cannot start: %s", error)
        if os.getppid() == parent():
            os.kill(parent(), WRONG_SETTINGS)
        time.sleep(RESTART_SECONDS)
        os._exit(os.EX_CONFIG)
    except Exception:
        # Celery would go on, and acknowledge every message of a child that can run no job.
        log.exception("this worker cannot start, trying again in %g s", RESTART_SECONDS)
        time.sleep(RESTART_SECONDS)
        os._exit(os.EX_UNAVAILABLE)


def _open_context() -> None:
    from worker.runtime.context import make_context
    from worker.runtime.recycling import warn_if_always_due
    from worker.runtime.registration import registered
    from worker.runtime.stalls import show_stacks_at_abort, watch_start
    from worker.runtime.stopping import stop_on
    from worker.runtime.warm_up import warm_up

    show_stacks_at_abort()
    settings = get_settings()
    name = f"{worker_id()}:{os.getpid()}"
    with watch_start(settings):
        try:
            Child.context = make_context(settings, name, settings.device, lane=lane(), sharing=sharing())
        except ValueError as error:
            raise WrongSettings(str(error)) from error
        stop_on(signal.SIGUSR2, Child.stop, Child.context.hurry, settings.shutdown_seconds)
        warm_up(Child.context.networks, Child.context.compute, lane())
    warn_if_always_due(settings)
    Child.registration = registered(Child.context, lane())
    Child.registration.__enter__()


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def close_context(**_: Any) -> None:
    """Take the child off the register."""
    with contextlib.suppress(AttributeError):  # it may have ended before it was ready
        Child.registration.__exit__(None, None, None)
        Child.context.dispatcher.close()


@celery.task(name=TASK)  # type: ignore[untyped-decorator]
def run(_token: str) -> None:
    """Claim the next job of this worker's lane and run it. If none waits, the token is dropped.

    A token is the name of the lane; those of earlier versions are the id of a job, and count the same.
    """
    from worker.runtime.failures import DeviceBroken
    from worker.runtime.patience import SAVING_FAILED
    from worker.runtime.run_job import run_next

    if Child.stop.is_set():
        # The reaper makes up for this token.
        return
    try:
        run_next(Child.context, [lane()], Child.stop)
    except DeviceBroken as error:
        # The parent takes the job back as soon as this process has ended.
        log.critical("this worker ends: %s", error)
        os._exit(os.EX_UNAVAILABLE)
    except SAVING_FAILED as error:
        # Once database and storage are back, the lease runs out, or the reaper makes up for this token.
        log.warning("no job is begun: %s", error)
        Child.stop.wait(UNAVAILABLE_SECONDS)
