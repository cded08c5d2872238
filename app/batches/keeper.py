"""The thread of an API process that works batches off: makes jobs of their lines, and carries changes out."""

import logging
import os
import secrets
import socket
import threading
import time

from sqlalchemy import Engine

from app.batches import leases
from app.batches.batch import Batch
from app.batches.changes import apply_chunk
from app.batches.deletion import delete_chunk
from app.batches.expansion import expand_chunk
from app.batches.retrying import retry_chunk
from app.batches.settling import batches_that_are_over, settle
from app.database.engine import UNAVAILABLE, reason_of
from app.jobs.dispatch.base import Dispatcher
from app.jobs.errors import JobInUse, NeedsGone
from app.jobs.preparing import Preparer
from app.settings import Settings
from app.storage import Storage

log = logging.getLogger(__name__)

# Wake-ups come from this process alone: what other processes ask for is found by looking.
POLL_SECONDS = 1.0
# Requests go first: between two chunks the thread leaves them the interpreter, and the database's lock.
PAUSE_SECONDS = 0.02
RETRY_SECONDS = 5.0


class Keeper:
    """Works batches off, a chunk of each in turn, so that a small one does not wait for a large one.

    Several processes may have one each. What one has begun when it is killed, another finishes.
    """

    def __init__(self, settings: Settings, engine: Engine, storage: Storage, dispatcher: Dispatcher) -> None:
        self._settings = settings
        self._engine = engine
        self._storage = storage
        self._dispatcher = dispatcher
        self._worker_id = f"{socket.gethostname()[:64]}:{os.getpid()}:{secrets.token_hex(4)}"
        # When batches that failed are tried again, by the monotonic clock.
        self._retry_at: dict[str, float] = {}
        self._work = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the chunk at hand, and end."""
        self._stopped.set()
        self._work.set()
        self._thread.join()

    def wake(self) -> None:
        """There is something to do."""
        self._work.set()

    def work_off(self) -> None:
        """Do all that is to be done now. Raises one of UNAVAILABLE."""
        while not self._stopped.is_set():
            found = leases.find_work(self._engine, self._worker_id)
            found = [batch for batch in found if time.monotonic() >= self._retry_at.get(batch.id, 0.0)]
            if not found:
                break
            for batch in found:
                self._try(batch)
                if self._stopped.wait(PAUSE_SECONDS):
                    break
        leases.release(self._engine, self._worker_id)
        for batch_id in batches_that_are_over(self._engine):
            if settle(self._engine, batch_id) is not None:
                self._dispatcher.changed(batch_id)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._work.wait(POLL_SECONDS)
            self._work.clear()
            try:
                self.work_off()
            except UNAVAILABLE as error:
                log.warning("the database is unavailable: %s", reason_of(error))
                self._stopped.wait(RETRY_SECONDS)
            except Exception:
                # The thread goes on: without it no batch would ever end.
                log.exception("the keeper of batches failed")
                self._stopped.wait(RETRY_SECONDS)
        try:
            self.release()
        except UNAVAILABLE as error:
            log.warning("batches are not released: %s", reason_of(error))

    def release(self) -> None:
        """Leave all batches to other keepers."""
        leases.release_all(self._engine, self._worker_id)

    def _try(self, batch: Batch) -> None:
        """One chunk of what is to be done for a batch; one that fails is left alone for a while."""
        try:
            self._advance(batch)
            self._retry_at.pop(batch.id, None)
        except UNAVAILABLE:
            raise
        except NeedsGone as error:
            log.info("batch %s: its next lines are read again: %s", batch.id, error)
        except JobInUse as error:
            log.info("batch %s is deleted later: %s", batch.id, error)
            self._retry_at[batch.id] = time.monotonic() + RETRY_SECONDS
        except Exception:
            # The others go on: what is wrong, such as a file that cannot be read, may be with this one alone.
            log.exception("batch %s is tried again in %.0f s", batch.id, RETRY_SECONDS)
            self._retry_at[batch.id] = time.monotonic() + RETRY_SECONDS

    def _advance(self, batch: Batch) -> None:
        """One chunk of what is to be done for a batch."""
        leased = batch if batch.worker_id == self._worker_id else self._take(batch)
        if leased is None:
            return
        lanes: set[str] = set()
        if leased.delete_requested_at is not None:
            delete_chunk(self._engine, self._storage, leased)
        elif leased.applied < leased.revision:
            lanes = apply_chunk(self._engine, self._storage, leased)
        elif leased.retry_line is not None:
            lanes = retry_chunk(self._engine, self._storage, self._preparer(), leased)
        else:
            lanes = expand_chunk(self._engine, self._storage, self._preparer(), leased)
        for lane in sorted(lanes):
            self._dispatcher.hint(lane)
        self._dispatcher.changed(batch.id)

    def _take(self, batch: Batch) -> Batch | None:
        return leases.take(self._engine, batch.id, self._worker_id)

    def _preparer(self) -> Preparer:
        # A new one for each chunk: what a line names may be gone by the time that its turn comes.
        return Preparer(self._engine, self._settings)
