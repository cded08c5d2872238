"""Hints to workers that a job waits, and wake-ups of API processes when a job changes.

The row in the database is the truth, so a lost message loses nothing: the reaper sends hints again, and
everything that waits for one also polls.
"""

from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from app.jobs.dispatch.wakeups import run_dir, send_wakeup
from app.jobs.job import Job
from app.settings import Settings

CHANGES = "changes"


def lane_channel(lane: str) -> str:
    """The channel of the workers of a lane."""
    return f"lane-{lane}"


class Dispatcher(Protocol):
    """Sends hints and wake-ups. Never raises, never blocks for long."""

    def hint(self, job: Job) -> None:
        """Send a hint to the workers of the job's lane."""

    def changed(self, job_id: str) -> None:
        """Wake every API process: a job changed."""

    def send_lost_hints(self, engine: Engine) -> None:
        """Send hints again for waiting jobs whose hint seems to be lost."""

    def close(self) -> None:
        """Send what is queued, and close connections."""


class LocalDispatcher:
    """Wakes the processes of this machine over sockets."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = run_dir(data_dir)

    def hint(self, job: Job) -> None:
        """Wake the workers of the job's lane."""
        send_wakeup(self._folder, lane_channel(job.lane), job.id)

    def changed(self, job_id: str) -> None:
        """Wake every API process."""
        send_wakeup(self._folder, CHANGES, job_id)

    def send_lost_hints(self, engine: Engine) -> None:
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
