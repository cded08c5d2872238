"""The Celery app of the workers. The parent process never imports torch: a child of its own computes.

Started by :mod:`worker.runtime.celery_main`, which sets the environment variables read here.
"""

import os

from celery import Celery

from app.jobs.dispatch.celery_settings import configuration
from app.settings import get_settings

LANE = "IMPASTO_WORKER_LANE"
WORKER_ID = "IMPASTO_WORKER_ID"


def make_celery() -> Celery:
    """The app for the settings of the environment. Raises ValueError without a Redis URL."""
    settings = get_settings()
    if settings.redis_url is None:
        raise ValueError("IMPASTO_REDIS_URL is not set: a Celery worker needs to know where Redis is.")
    celery = Celery("impasto", include=["worker.runtime.celery_tasks"])
    celery.conf.update(configuration(settings.redis_url))
    # The child saves a checkpoint in this time; see worker.runtime.celery_main for how it is told to.
    celery.conf.worker_soft_shutdown_timeout = settings.shutdown_seconds
    return celery


def lane() -> str:
    """The lane that this worker serves."""
    return os.environ[LANE]


def worker_id() -> str:
    """The name of this worker; that of its child is ``<worker_id>:<process id>``."""
    return os.environ[WORKER_ID]


celery = make_celery()
