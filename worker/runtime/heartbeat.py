"""The heartbeat of running jobs: a thread that extends the leases and reads what was requested meanwhile."""

import logging
import threading
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from app.database.engine import reason_of
from app.jobs.claims import Claim, HeartbeatReply, heartbeat_all
from app.log_context import logged_with

log = logging.getLogger(__name__)

# The longest interval; with it, a cancel is noticed within a second.
HEARTBEAT_SECONDS = 1.0


@dataclass
class Pulse:
    """What is known of one claim: the latest of each."""

    lost: bool = False
    cancel_requested: bool = False
    finish_requested: bool = False
    paused: bool = False

    def update(self, reply: HeartbeatReply | None) -> None:
        """Take over what a write of the claim returned; None: it is lost."""
        if reply is None:
            self.lost = True
            return
        self.cancel_requested = reply.cancel_requested
        self.finish_requested = reply.finish_requested
        self.paused = reply.paused


class Heartbeat:
    """Extends the leases of jobs that were claimed together, while in its context."""

    def __init__(self, engine: Engine, claims: Sequence[Claim]) -> None:
        self._engine = engine
        self._claims = {claim.job.id: claim for claim in claims}
        self._pulses = {
            claim.job.id: Pulse(finish_requested=claim.job.finish_requested_at is not None)
            for claim in claims
        }
        self._interval = min(HEARTBEAT_SECONDS, claims[0].lease_seconds / 3)
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def __enter__(self) -> "Heartbeat":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def pulse(self, job_id: str) -> Pulse:
        """What is known of the claim of a job."""
        return self._pulses[job_id]

    @property
    def held(self) -> list[Claim]:
        """The claims that have neither ended nor were lost."""
        return list(self._claims.values())

    def release(self, job_id: str) -> None:
        """Leave out a job from now on, whose claim has ended."""
        self._claims.pop(job_id, None)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval):
            held = self.held
            if not held:
                return
            try:
                for job_id, reply in heartbeat_all(self._engine, held).items():
                    self._pulses[job_id].update(reply)
                    if reply is None:
                        self.release(job_id)
            except SQLAlchemyError as error:
                # If the database is unavailable for longer than the lease, the next write raises ClaimLost.
                for claim in held:
                    with logged_with(**claim.job.log_fields):
                        log.warning("no heartbeat for job %s: %s", claim.job.id, reason_of(error))
