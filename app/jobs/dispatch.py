"""How those who run jobs and those who wait for them are told that there is something to see."""

from pathlib import Path
from typing import Protocol

from app.jobs.job import Job
from app.jobs.wakeups import post, run_dir

CHANGES = "changes"


def lane_channel(lane: str) -> str:
    """The channel that the workers of a lane listen to."""
    return f"lane-{lane}"


class Dispatcher(Protocol):
    """Sends hints. The row in the database is the truth; a hint that is lost is sent again."""

    def hint(self, job: Job) -> None:
        """Tell the workers that a job waits."""

    def changed(self, job_id: str) -> None:
        """Tell those who wait for a job that it changed."""


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
