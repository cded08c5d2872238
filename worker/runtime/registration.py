"""Keeps a worker on the register of workers."""

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import reason_of
from app.workers import repository as workers
from worker.runtime.context import WorkerContext

log = logging.getLogger(__name__)

# Longest interval of a worker's heartbeats; several fit into a lease.
HEARTBEAT_SECONDS = 5.0


@contextmanager
def registered(context: WorkerContext, lane: str) -> Iterator[None]:
    """Keep the worker on the register while the context lasts, also while it computes.

    It is there from the start: one that is not cannot be seen to be silent, though its first job may hang in
    the moment in which the thread below holds the database's write lock.
    """
    _tell(context, lane)
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
        except SQLAlchemyError as error:
            # The reaper removes it after a while.
            log.warning("cannot leave the register: %s", reason_of(error))


def _keep(context: WorkerContext, lane: str, ended: threading.Event) -> None:
    while not ended.wait(min(HEARTBEAT_SECONDS, context.settings.lease_seconds / 4)):
        _tell(context, lane)


def _tell(context: WorkerContext, lane: str) -> None:
    """Say that the worker is alive."""
    try:
        # A worker that was silent for long, as on a laptop asleep, has been pruned.
        if not workers.heartbeat(context.engine, context.worker_id):
            workers.register(
                context.engine,
                worker_id=context.worker_id,
                lanes=[lane],
                device=str(context.compute.device),
                host=socket.gethostname(),
                pid=os.getpid(),
            )
    except SQLAlchemyError as error:
        log.warning("cannot send a heartbeat, trying again: %s", reason_of(error))
