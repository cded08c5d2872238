"""Hints to workers that a job waits, and wake-ups of API processes when a job or a batch changes.

A hint names a lane and no job: the worker that gets it claims the next one in the database's order. The rows
are the truth, so a lost message loses nothing: the reaper sends hints again, and everything that waits for
one also polls.
"""

import logging
from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from app.jobs.dispatch.wakeups import run_dir, send_wakeup
from app.settings import Settings

log = logging.getLogger(__name__)

CHANGES = "changes"


def lane_channel(lane: str) -> str:
    """The channel of the workers of a lane."""
    return f"lane-{lane}"


class Dispatcher(Protocol):
    """Sends hints and wake-ups. Never raises, never blocks for long."""

    def hint(self, lane: str) -> None:
        """Tell the workers of a lane that a job waits."""

    def pass_on(self, lane: str) -> None:
        """A worker that was told so has claimed a job: tell the next one."""

    def changed(self, changed_id: str) -> None:
        """Wake every API process: the job or the batch of this id changed."""

    def top_up(self, engine: Engine) -> None:
        """Make up for lost hints."""

    def close(self) -> None:
        """Send what is queued, and close connections."""


class LocalDispatcher:
    """Wakes the processes of this machine over sockets."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = run_dir(data_dir)

    def hint(self, lane: str) -> None:
        """Wake the workers of a lane."""
        self._send(lane_channel(lane), lane)

    def pass_on(self, lane: str) -> None:
        """Nothing to do: the hint woke them all."""

    def changed(self, changed_id: str) -> None:
        """Wake every API process."""
        self._send(CHANGES, changed_id)

    def _send(self, channel: str, message: str) -> None:
        try:
            send_wakeup(self._folder, channel, message)
        except OSError as error:
            # Too many open files, say. The row is there, and those who wait for it poll.
            log.warning("no wake-up of %s: %s", channel, error)

    def top_up(self, engine: Engine) -> None:
        """Nothing to do: a local worker polls for waiting jobs every second."""

    def close(self) -> None:
        """Nothing to close."""


def make_dispatcher(settings: Settings) -> Dispatcher:
    """Celery over Redis if ``IMPASTO_REDIS_URL`` is set, sockets of this machine otherwise."""
    if settings.redis_url is None:
        return LocalDispatcher(settings.data_dir)
    # Kombu takes a third of a second to import, which the embedded service need not pay.
    from app.jobs.dispatch.celery import CeleryDispatcher

    return CeleryDispatcher(settings.redis_url)
