"""When a request is sent again."""

import random
from dataclasses import dataclass


@dataclass(frozen=True)
class Retries:
    """How often a request is sent, and how long the client waits in between, in seconds.

    The pause doubles from ``first_delay`` up to ``max_delay``, less up to half of it at random, so that many
    clients do not come back at the same moment. A ``Retry-After`` of the service replaces it; one that asks
    for more than ``max_retry_after`` ends the attempts.
    """

    attempts: int = 6
    first_delay: float = 0.5
    max_delay: float = 20.0
    max_retry_after: float = 120.0

    def delay(self, failures: int, retry_after: float | None = None) -> float | None:
        """Seconds to wait after so many failures; None: give up."""
        if failures >= self.attempts:
            return None
        backoff = min(self.max_delay, self.first_delay * 2.0 ** (failures - 1))
        jitter = random.random() / 2
        if retry_after is None:
            return backoff * (1 - jitter)
        if retry_after > self.max_retry_after:
            return None
        # Not before the service wants it, and not all at once.
        return retry_after + min(backoff, 1.0) * jitter


USUAL = Retries()
NO_RETRIES = Retries(attempts=1)
