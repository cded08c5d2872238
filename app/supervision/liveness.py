"""Finds workers that live but say nothing: frozen ones, which may hold the database's write lock."""

from collections.abc import Mapping


class LivenessTracker:
    """Remembers when each worker was last heard.

    A worker is silent if the register's time of it has not changed for a while by this process's own clock,
    which stands still while the machine sleeps: after a night in a closed laptop nobody is silent.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._heard: dict[str, tuple[float, float]] = {}

    def reset(self) -> None:
        """Begin anew: the register could not be read, and so perhaps not written either."""
        self._heard.clear()

    def silent(self, seen: Mapping[str, float], now: float) -> set[str]:
        """Those of the register (name to time it was seen) that were not heard for too long at ``now``."""
        before = self._heard
        self._heard = {
            worker_id: before[worker_id] if before.get(worker_id, (None,))[0] == seen_at else (seen_at, now)
            for worker_id, seen_at in seen.items()
        }
        return {worker_id for worker_id, (_, heard) in self._heard.items() if now - heard > self._seconds}
