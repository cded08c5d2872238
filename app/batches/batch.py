"""A batch as the database holds it."""

from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

from sqlalchemy import RowMapping

from app.jobs.job import Json


class BatchState(StrEnum):
    """The state of a batch: running until all its entries have ended; failed if one of them failed.

    A batch whose failed entries are retried is running again.
    """

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


ENDED = frozenset({BatchState.SUCCEEDED, BatchState.FAILED, BatchState.CANCELLED})


@dataclass(frozen=True)
class Batch:
    """A row of the table of batches at one moment. Times are seconds since 1970.

    ``matrix`` is ``{"kind", "combine", "axes": [{"param", "labels", "images"}]}``: one axis for each param
    that it is over, ``labels`` how its values are called, ``images`` those of them that are pictures, else
    null. Entries of a cross are in the order of nested loops, the last axis innermost. ``counts`` are those
    of the last end.
    """

    id: str
    name: str
    source: str
    matrix: Json | None
    state: BatchState
    priority: int
    reproducible: bool
    paused: bool
    lines: int
    next_line: int
    next_offset: int
    spool: str
    revision: int
    applied: int
    retry_line: int | None
    worker_id: str | None
    lease_until: float | None
    created_at: float
    finished_at: float | None
    counts: Json | None
    cancel_requested_at: float | None
    delete_requested_at: float | None
    idempotency_key: str | None
    payload_hash: str | None
    request_id: str | None

    @property
    def ended(self) -> bool:
        """Whether all entries have ended."""
        return self.state in ENDED

    @classmethod
    def from_row(cls, row: RowMapping) -> "Batch":
        """The batch of a row that holds every column."""
        values: dict[str, Any] = {field.name: row[field.name] for field in fields(cls)}
        return cls(**{**values, "state": BatchState(row["state"])})


@dataclass(frozen=True)
class Counts:
    """Entries of a batch by state. ``waiting`` are lines that are no job yet; ``failed`` has refused ones.

    Of a cancelled batch the lines that never became jobs are ``cancelled``.
    """

    waiting: int
    queued: int
    running: int
    succeeded: int
    failed: int
    cancelled: int
