"""The headers of requests that create a job."""

import re
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Header

from app.http.idempotency import IdempotencyKey
from app.jobs.service import DEFAULT_PRIORITY, PRIORITIES

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
    key: IdempotencyKey = None,
    priority: Annotated[
        str | None,
        Header(
            # Browsers send a Priority of their own, which is that of a request and not of a job.
            alias="Impasto-Priority",
            pattern=f"^({'|'.join(PRIORITIES)}|[0-7])$",
            description="Which jobs go first: `urgent`, `normal` (default) or `background`; or 0 to 7, where "
            f"these are {', '.join(map(str, PRIORITIES.values()))}.",
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
        priority=_priority(priority),
        wait_seconds=None if prefer is None else _wait_seconds(prefer),
    )


JobHeadersDep = Annotated[JobHeaders, Depends(read_job_headers)]


def _priority(text: str | None) -> int:
    if text is None:
        return DEFAULT_PRIORITY
    named = {str(name): number for name, number in PRIORITIES.items()}
    return named[text] if text in named else int(text)


def _wait_seconds(prefer: str) -> float:
    found = _WAIT.search(prefer)
    return min(float(found[1]), MAX_WAIT_SECONDS) if found else 0.0
