"""Keeps a worker on the register of the living."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import OperationalError

from app.workers import repository as workers
from worker.runtime.context import WorkerContext

log = logging.getLogger(__name__)

# How often a worker says that it lives, at most; and several times before it is taken for lost.
SEEN_SECONDS = 5.0


@contextmanager
def registered(context: WorkerContext, lane: str) -> Iterator[None]:
    """Be on the register for as long as the context lasts, also while the worker computes."""
    ended = threading.Event()
    thread = threading.Thread(target=_keep, args=(context, lane, ended), name="registration", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        try:
            workers.unregister(context.engine, context.worker_id)
        except OperationalError as error:
            # It falls off by itself after a while.
            log.warning("cannot sign off: %s", error.orig)


def _keep(context: WorkerContext, lane: str, ended: threading.Event) -> None:
    interval = min(SEEN_SECONDS, context.settings.lease_seconds / 4)
    is_registered = False
    while not ended.is_set():
        try:
            if not is_registered:
                workers.register(
                    context.engine,
                    worker_id=context.worker_id,
                    lanes=[lane],
                    device=str(context.compute.device),
                    host=socket.gethostname(),
                    pid=os.getpid(),
                )
                is_registered = True
            workers.heartbeat(context.engine, context.worker_id)
        except OperationalError as error:
            log.warning("the database is away: %s", error.orig)
        ended.wait(interval)
