"""Ends a process when its parent ends, even if the parent was killed."""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping

# Set by a supervisor for its children; without it a process was started by hand.
PARENT_VARIABLE = "IMPASTO_PARENT_PID"

_POLL_SECONDS = 1.0
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def with_parent(environment: Mapping[str, str]) -> dict[str, str]:
    """An environment for children of this process, in which they end with it."""
    return {**environment, PARENT_VARIABLE: str(os.getpid())}


def exit_with_parent(grace_seconds: float = 10.0) -> None:
    """Send this process SIGTERM once its supervisor is gone, and kill its group ``grace_seconds`` later.

    Does nothing in a process that no supervisor started. Call it early, and once.
    """
    value = os.environ.get(PARENT_VARIABLE)
    if value is None:
        return
    parent, is_told = int(value), False
    if sys.platform == "linux":
        # At once, and also while Python is busy; the thread is for other systems, for a parent that ended
        # before this line, and for a process that ignores SIGTERM.
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        is_told = os.getppid() == parent
    arguments = (parent, grace_seconds, is_told)
    threading.Thread(target=_watch, args=arguments, name="parent-watch", daemon=True).start()


def _watch(parent: int, grace_seconds: float, is_told: bool) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL_SECONDS)
    if not is_told:
        # Once only: at a second one Celery kills its child, which is saving its job.
        os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(grace_seconds)
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os.kill(os.getpid(), signal.SIGKILL)
