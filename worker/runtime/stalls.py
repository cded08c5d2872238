"""Ends a worker whose computation stands still: its heartbeat goes on in a thread of its own."""

import faulthandler
import logging
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from sqlalchemy.exc import SQLAlchemyError

from app.jobs.claims import Claim
from app.jobs.reaper import expire_claims, finish_takeback, stalled_error
from app.kinds import KINDS
from app.kinds.spec import STALL_SECONDS
from app.log_context import logged_with
from app.settings import Settings
from worker.runtime.context import WorkerContext

log = logging.getLogger(__name__)

# What a process exits with that has ended itself.
EXIT_CODE = os.EX_SOFTWARE
TICK_SECONDS = 1.0


class StallWatch:
    """Calls ``on_stall``, in a thread, if :meth:`alive` is not called for ``seconds``; None: never.

    A context manager. Seconds are counted as ticks of this thread, so that none pass while the machine
    sleeps, or while this process is frozen or swapped out.
    """

    def __init__(self, seconds: float | None, on_stall: Callable[[], None]) -> None:
        self.seconds = seconds
        self._on_stall = on_stall
        self._heard = False
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stall-watch", daemon=True)

    def __enter__(self) -> "StallWatch":
        if self.seconds is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self.seconds is not None:
            self._thread.join()

    def alive(self) -> None:
        """Note that the computation goes on. May be called from any thread."""
        self._heard = True

    def _run(self) -> None:
        limit = self.seconds or 0.0
        tick = min(TICK_SECONDS, limit / 4)
        silent = 0.0
        while not self._ended.wait(tick):
            silent = 0.0 if self._heard else silent + tick
            self._heard = False
            if silent > limit:
                self._on_stall()
                return


def watch_jobs(context: WorkerContext, held: Sequence[Claim]) -> StallWatch:
    """A watch that ends this process if its jobs stand still for longer than their kind may.

    Each job is then given back as a lost attempt.
    """
    of_kinds = [KINDS[claim.job.kind].stall_seconds for claim in held if claim.job.kind in KINDS]
    seconds = max(of_kinds, default=STALL_SECONDS) * context.settings.stall_factor
    return StallWatch(seconds or None, partial(_end_jobs, context, held, seconds))


@contextmanager
def watch_start(settings: Settings) -> Iterator[None]:
    """End this process if it does not get ready, in the context, in the time that most kinds have.

    Or in twice that time if one thread lets no other run: nobody else looks yet whether it is alive.
    """
    seconds = STALL_SECONDS * settings.stall_factor

    def end() -> None:
        _show_stacks("this worker did not get ready", seconds)
        os._exit(EXIT_CODE)

    if seconds and sys.__stderr__ is not None:
        # Its thread needs no lock of Python. It counts the time in which this process is frozen, too, but
        # there is no job to be lost.
        faulthandler.dump_traceback_later(2 * seconds, exit=True, file=sys.__stderr__)
    try:
        with StallWatch(seconds or None, end):
            yield
    finally:
        faulthandler.cancel_dump_traceback_later()


def show_stacks_at_abort() -> None:
    """Have this process show the stacks of its threads when it is aborted, or a library of C crashes.

    Its supervisor aborts it where no thread but one gets to run, which no watch in here could notice.
    """
    if sys.__stderr__ is not None:
        faulthandler.enable(sys.__stderr__, all_threads=True)


def _end_jobs(context: WorkerContext, held: Sequence[Claim], seconds: float) -> None:
    for claim in held:
        with logged_with(**claim.job.log_fields):
            log.critical("job %s: no part of a step was done in %g s", claim.job.id, seconds)
    _show_stacks("this worker's computation hung", seconds)
    try:
        lost = expire_claims(context.engine, held, context.settings.max_attempts, stalled_error(seconds))
        finish_takeback(lost, context.dispatcher, context.storage)
        context.dispatcher.close()
    except (SQLAlchemyError, OSError) as error:
        log.warning("the jobs are left to the supervisor: %s", error)
    finally:
        # The thread that stands still cannot be ended otherwise.
        os._exit(EXIT_CODE)


def _show_stacks(what: str, seconds: float) -> None:
    log.critical("%s in %g s: this process ends. The stacks of its threads:", what, seconds)
    if sys.__stderr__ is not None:
        faulthandler.dump_traceback(sys.__stderr__, all_threads=True)
