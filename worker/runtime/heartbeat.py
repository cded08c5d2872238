"""The heartbeat of a running job: a thread that extends the lease and brings back what it learns."""

import logging
import threading
from types import TracebackType

from sqlalchemy import Engine
from sqlalchemy.exc import OperationalError

from app.jobs.claims import Claim, ClaimLost, HeartbeatReply, heartbeat

log = logging.getLogger(__name__)

# How often a worker looks whether its job was cancelled, at most.
HEARTBEAT_SECONDS = 1.0


class Heartbeat:
    """Beats while a job runs. ``lost``, ``cancel_requested`` and ``paused`` say what it learned."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self._engine = engine
        self._claim = claim
        self._interval = min(HEARTBEAT_SECONDS, claim.lease_seconds / 3)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heart", daemon=True)
        self.lost = False
        self.cancel_requested = False
        self.paused = False

    def learn(self, news: HeartbeatReply) -> None:
        """Take in what a write brought back."""
        self.cancel_requested = news.cancel_requested
        self.paused = news.paused

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            try:
                self.learn(heartbeat(self._engine, self._claim))
            except ClaimLost:
                self.lost = True
                return
            except OperationalError as error:
                # The database is away; the lease may outlive that, and the fence decides if not.
                log.warning("no heartbeat for job %s: %s", self._claim.job.id, error.orig)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._thread.join()
