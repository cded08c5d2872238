"""A job as the database holds it."""

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

from sqlalchemy import RowMapping

from app.jobs.states import TERMINAL, State

Json = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """A row of the table of jobs at one moment. Times are seconds since 1970."""

    id: str
    kind: str
    lane: str
    state: State
    seq: int
    params: Json
    priority: int
    paused: bool
    attempt: int
    lost_attempts: int
    worker_id: str | None
    lease_until: float | None
    cancel_requested_at: float | None
    finish_requested_at: float | None
    created_at: float
    started_at: float | None
    finished_at: float | None
    progress: Json | None
    checkpoint: Json | None
    result: Json | None
    error: Json | None
    retry_of: str | None
    batch_id: str | None
    batch_line: int | None
    custom_id: str | None
    idempotency_key: str | None
    payload_hash: str | None
    network: str | None
    network_sha256: str | None
    further_networks: dict[str, str | None] | None
    reproducible: bool
    stack_key: str | None
    flow: str
    turn: float
    request_id: str | None

    @property
    def log_fields(self) -> dict[str, str | None]:
        """What lines of the log that are about this job have."""
        return {"job_id": self.id, "batch_id": self.batch_id, "request_id": self.request_id}

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in TERMINAL

    @classmethod
    def from_row(cls, row: RowMapping) -> "Job":
        """The job of a row that holds every column."""
        values = {name: row[name] for name in _columns()}
        return cls(**{**values, "state": State(row["state"])})


@cache
def _columns() -> tuple[str, ...]:
    return tuple(field.name for field in fields(Job))


@dataclass(frozen=True)
class Artifact:
    """A file that a job made."""

    job_id: str
    name: str
    key: str
    media_type: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Event:
    """One change of a job: ``seq`` is the job's seq after it."""

    job_id: str
    seq: int
    type: str
    data: Json
    created_at: float
