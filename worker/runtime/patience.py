"""Waiting for a database or a storage that is unavailable for a while."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from app.database.engine import UNAVAILABLE
from app.storage import StorageFull, StorageUnavailable
from worker.contract.interludes import between_parts

log = logging.getLogger(__name__)

T = TypeVar("T")

# How the database and the storage fail for a time: a broken connection, a network file system, a full disk.
AWAY = (*UNAVAILABLE, OSError)
SAVING_FAILED = (*AWAY, StorageFull)

# What a job has computed is not given up sooner.
PERSIST_SECONDS = 120.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 5.0


def persist(action: Callable[[], T]) -> T:
    """Call until it succeeds, for PERSIST_SECONDS at most.

    Then raises one of UNAVAILABLE if it was the database that did not answer, else StorageUnavailable.
    """
    deadline = time.monotonic() + PERSIST_SECONDS
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            return action()
        except AWAY as error:
            if time.monotonic() > deadline:
                if isinstance(error, OSError):
                    raise StorageUnavailable(error) from error
                raise
            between_parts()
            log.warning("unavailable, trying again: %s", error)
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
