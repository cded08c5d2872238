"""The headers of requests that create a job."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header

from app.jobs.service import DEFAULT_PRIORITY

# A request may wait this long for its job.
MAX_WAIT_SECONDS = 300.0
_WAIT = re.compile(r"(?:^|,)\s*wait=(\d{1,6})\s*(?:,|;|$)")


@dataclass(frozen=True)
class JobHeaders:
    """What the headers say; ``wait_seconds`` is None without a ``Prefer``, and 0 if that names no time."""

    idempotency_key: str | None
    priority: int
    wait_seconds: float | None


async def read_job_headers(
    key: Annotated[
        str | None,
        Header(
            alias="Idempotency-Key",
            min_length=1,
            max_length=255,
            description="The same key and request again gives the same job.",
        ),
    ] = None,
    priority: Annotated[
        str | None,
        Header(
            pattern=r"^\s*u=[0-7]\b.*$",
            description="Urgency as in RFC 9218: `u=0` goes first, `u=7` last, `u=3` is what jobs have.",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        Header(description="`wait=N` (RFC 7240): answer when the job has ended, or after N seconds."),
    ] = None,
) -> JobHeaders:
    """Read the headers."""
    return JobHeaders(
        idempotency_key=key,
        # Urgency 0 is the highest, as is priority 7.
        priority=DEFAULT_PRIORITY if priority is None else 7 - int(priority.strip()[2]),
        wait_seconds=None if prefer is None else _wait_seconds(prefer),
    )


JobHeadersDep = Annotated[JobHeaders, Depends(read_job_headers)]


def _wait_seconds(prefer: str) -> float:
    found = _WAIT.search(prefer)
    return min(float(found[1]), MAX_WAIT_SECONDS) if found else 0.0
