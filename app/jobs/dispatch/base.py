"""How those who run jobs and those who wait for them are told that there is something to see.

The row in the database is the truth. A hint or a wake-up that is lost loses nothing: the reaper sends hints
again, and whoever waits also looks by himself now and then.
"""

from pathlib import Path
from typing import Protocol

from sqlalchemy import Engine

from app.jobs.dispatch.wakeups import post, run_dir
from app.jobs.job import Job
from app.settings import Settings

CHANGES = "changes"


def lane_channel(lane: str) -> str:
    """The channel that the workers of a lane listen to."""
    return f"lane-{lane}"


class Dispatcher(Protocol):
    """Sends hints to workers, and wake-ups to those who wait. Never raises, never blocks for long."""

    def hint(self, job: Job) -> None:
        """Tell the workers that a job waits."""

    def changed(self, job_id: str) -> None:
        """Tell those who wait for a job that it changed."""

    def send_lost_hints(self, engine: Engine) -> None:
        """Send hints again for jobs that wait although their hint seems to be lost."""

    def close(self) -> None:
        """Send what is still to be sent, and let go of connections."""


class LocalDispatcher:
    """Wakes the processes of this machine over sockets."""

    def __init__(self, data_dir: Path) -> None:
        self._folder = run_dir(data_dir)

    def hint(self, job: Job) -> None:
        """Wake the workers of the job's lane."""
        post(self._folder, lane_channel(job.lane), job.id)

    def changed(self, job_id: str) -> None:
        """Wake every API process."""
        post(self._folder, CHANGES, job_id)

    def send_lost_hints(self, engine: Engine) -> None:
        """Nothing to do: a local worker looks for waiting jobs by itself every second."""

    def close(self) -> None:
        """Nothing is held open."""


def make_dispatcher(settings: Settings) -> Dispatcher:
    """Celery over Redis if ``IMPASTO_REDIS_URL`` is set, sockets of this machine otherwise."""
    if settings.redis_url is None:
        return LocalDispatcher(settings.data_dir)
    # Kombu takes a third of a second to import, which the embedded service need not pay.
    from app.jobs.dispatch.celery import CeleryDispatcher

    return CeleryDispatcher(settings.redis_url)
