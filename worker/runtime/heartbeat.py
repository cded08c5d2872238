"""The heartbeat of a running job: a thread that extends the lease and reads what was requested meanwhile."""

import logging
import threading

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from app.jobs.claims import Claim, ClaimLost, HeartbeatReply, heartbeat

log = logging.getLogger(__name__)

# The longest interval; with it, a cancel is noticed within a second.
HEARTBEAT_SECONDS = 1.0


class Heartbeat:
    """Extends the lease of a claim. ``lost``, ``cancel_requested`` and ``paused`` are the latest known."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._interval = min(HEARTBEAT_SECONDS, claim.lease_seconds / 3)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)
        self.lost = False
        self.cancel_requested = False
        self.paused = False

    def start(self) -> None:
        """Extend the lease from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._stopped.set()
        self._thread.join()

    def update(self, reply: HeartbeatReply) -> None:
        """Take over what a write of the claim returned."""
        self.cancel_requested = reply.cancel_requested
        self.paused = reply.paused

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            try:
                self.update(heartbeat(self._engine, self._claim))
            except ClaimLost:
                self.lost = True
                return
            except DBAPIError as error:
                # If the database is unavailable for longer than the lease, the next write raises ClaimLost.
                log.warning("no heartbeat for job %s: %s", self._claim.job.id, error.orig)
