"""The thread of an API process that works batches off: makes jobs of their lines, and carries changes out."""

import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable
from functools import partial

from sqlalchemy import Engine

from app.batches import leases
from app.batches.batch import Batch
from app.batches.changes import apply_chunk
from app.batches.deletion import delete_chunk
from app.batches.expansion import expand_chunk
from app.batches.retrying import retry_chunk
from app.batches.settling import batches_that_are_over, settle
from app.database.engine import UNAVAILABLE, current_time, reason_of
from app.database.removal import remove_left
from app.database.schema import is_outdated
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
        """Do all that is to be done now. Raises one of UNAVAILABLE.

        Nothing if a newer release has migrated the database: its lines would be refused for what they name
        that is not known here.
        """
        while not self._stopped.is_set():
            if is_outdated(self._engine):
                self.release()
                return
            found = leases.find_work(self._engine, self._worker_id)
            found = [batch for batch in found if time.monotonic() >= self._retry_at.get(batch.id, 0.0)]
            if not found:
                break
            for batch in found:
                self._alone(batch.id, partial(self._advance, batch))
                if self._stopped.wait(PAUSE_SECONDS):
                    break
        leases.release(self._engine, self._worker_id)
        for batch_id in batches_that_are_over(self._engine):
            if time.monotonic() >= self._retry_at.get(batch_id, 0.0):
                self._alone(batch_id, partial(self._settle, batch_id))
        remove_left()

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

    def _alone(self, batch_id: str, work: Callable[[], None]) -> None:
        """Do some work for a batch. If it fails the batch is left alone for a while, and the others go on.

        Raises one of UNAVAILABLE if the database answers nobody.
        """
        try:
            work()
            self._retry_at.pop(batch_id, None)
            return
        except NeedsGone as error:
            log.info("batch %s: its next lines are read again: %s", batch_id, error)
            return
        except JobInUse as error:
            log.info("batch %s is deleted later: %s", batch_id, error)
        except UNAVAILABLE as error:
            # It is away, or refuses this batch alone: its statement took too long, or met another one's lock.
            current_time(self._engine)
            log.warning("batch %s is tried again in %.0f s: %s", batch_id, RETRY_SECONDS, reason_of(error))
        except OSError as error:
            # Its file of lines cannot be read, say.
            log.warning("batch %s is tried again in %.0f s: %s", batch_id, RETRY_SECONDS, error)
        except Exception:
            # What is wrong may be with this one alone.
            log.exception("batch %s is tried again in %.0f s", batch_id, RETRY_SECONDS)
        self._retry_at[batch_id] = time.monotonic() + RETRY_SECONDS

    def _settle(self, batch_id: str) -> None:
        """End a batch whose entries have all ended."""
        if settle(self._engine, batch_id) is not None:
            self._dispatcher.changed(batch_id)

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
