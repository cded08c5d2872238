"""The Celery app of the workers. The parent process never imports torch; its child computes.

Started by :mod:`worker.runtime.celery_main`, which sets the environment variables read here.
"""

import os
import signal
from typing import Any

from celery import Celery
from celery.signals import setup_logging

from app.jobs.dispatch.celery_settings import configuration
from app.settings import get_settings
from app.supervision.logs import configure_logging

LANE = "IMPASTO_WORKER_LANE"
WORKER_ID = "IMPASTO_WORKER_ID"
SHARING = "IMPASTO_WORKER_SHARING"
PARENT = "IMPASTO_WORKER_PARENT"
# With which a child tells its parent that it cannot start with these settings.
WRONG_SETTINGS = signal.SIGUSR2


def make_celery() -> Celery:
    """The app for the settings of the environment. Raises ValueError without a Redis URL."""
    settings = get_settings()
    if settings.redis_url is None:
        raise ValueError("IMPASTO_REDIS_URL is not set: a Celery worker needs to know where Redis is.")
    celery = Celery("impasto", include=["worker.runtime.celery_tasks"])
    celery.conf.update(configuration(settings.redis_url))
    # The child saves a checkpoint in this time; worker.runtime.celery_main signals it.
    celery.conf.worker_soft_shutdown_timeout = settings.shutdown_seconds
    # Celery looks at both when a task has ended, and starts another child.
    celery.conf.worker_max_tasks_per_child = settings.recycle_jobs
    if settings.recycle_bytes is not None:
        celery.conf.worker_max_memory_per_child = max(1, settings.recycle_bytes // 1024)
    return celery


def lane() -> str:
    """The lane that this worker serves."""
    return os.environ[LANE]


def worker_id() -> str:
    """The id of this worker; that of its child is ``<worker_id>:<process id>``."""
    return os.environ[WORKER_ID]


def parent() -> int:
    """The process id of the parent process."""
    return int(os.environ[PARENT])


def sharing() -> int:
    """How many workers share the cores with this one, itself included."""
    return int(os.environ[SHARING])


@setup_logging.connect  # type: ignore[untyped-decorator]
def log_like_other_processes(**_: Any) -> None:
    """Set up logging in place of Celery, in the parent and in the child."""
    settings = get_settings()
    configure_logging(settings.log_level, settings.log_format)


celery = make_celery()
