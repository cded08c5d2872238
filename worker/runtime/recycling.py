"""Whether a worker's process has done enough, and is to be replaced by a fresh one."""

import logging
import resource
import sys

from app.settings import Settings

log = logging.getLogger(__name__)


def peak_bytes() -> int:
    """Resident memory of this process at its peak, as Celery measures it, too."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def is_due(settings: Settings, jobs: int) -> bool:
    """Whether this process is to be replaced after so many jobs; says so in the log."""
    if settings.recycle_jobs is not None and jobs >= settings.recycle_jobs:
        log.info("a new process takes over after %d jobs", jobs)
        return True
    if settings.recycle_bytes is not None and (peak := peak_bytes()) > settings.recycle_bytes:
        log.info("a new process takes over after %d MB", peak // 1_000_000)
        return True
    return False


def warn_if_always_due(settings: Settings) -> None:
    """Warn if this process has outgrown the setting before its first job."""
    if settings.recycle_bytes is not None and (peak := peak_bytes()) > settings.recycle_bytes:
        log.warning(
            "IMPASTO_RECYCLE_BYTES is %d, and a fresh worker takes %d: it is replaced after each job",
            settings.recycle_bytes,
            peak,
        )
