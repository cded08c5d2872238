"""Finds workers that are frozen: alive, but without heartbeats. They may hold the database's write lock."""

import math
from collections.abc import Mapping


class LivenessTracker:
    """Remembers when each worker's heartbeat was last seen to change.

    A worker is unresponsive if its time in the register has not changed for ``seconds`` by this process's
    monotonic clock, which stops while the machine sleeps: after a suspend no worker counts as unresponsive.
    Nor does one after a pause of the checks, in which this process was frozen and the workers perhaps too.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._changed: dict[str, tuple[float, float]] = {}
        self._checked_at = -math.inf

    def reset(self) -> None:
        """Forget all: the register could not be written, or not be read and so perhaps not written."""
        self._changed.clear()

    def unresponsive(self, seen: Mapping[str, float], now: float) -> set[str]:
        """The unresponsive workers at ``now``; ``seen`` has the register's time of each worker id."""
        if now - self._checked_at > self._seconds / 2:
            self.reset()
        self._checked_at = now
        before = self._changed
        self._changed = {
            worker_id: before[worker_id] if before.get(worker_id, (None,))[0] == seen_at else (seen_at, now)
            for worker_id, seen_at in seen.items()
        }
        return {
            worker_id
            for worker_id, (_, changed_at) in self._changed.items()
            if now - changed_at > self._seconds
        }
