"""What every call for a job takes beside the params of its kind."""

from __future__ import annotations

from typing import Literal, TypeAlias, TypedDict

BatchPriority: TypeAlias = Literal["urgent", "normal", "background"]
BatchState: TypeAlias = Literal["running", "succeeded", "failed", "cancelled"]
EntryState: TypeAlias = Literal["waiting", "queued", "running", "succeeded", "failed", "cancelled"]
# Or 0 to 7; jobs of higher priority go first.
Priority: TypeAlias = BatchPriority | int


class CallOptions(TypedDict, total=False):
    """Options of every kind."""

    priority: Priority
    """Which jobs go first."""
    reproducible: bool
    """Never computed together with other jobs, whose company may change the last bits of the result."""
    idempotency_key: str
    """Calls with the same key and params give the same job; without one, every call makes a job."""
