"""The states of a job and the transitions between them.

``queued -> running -> succeeded | failed | cancelled``; ``queued -> cancelled``; ``running -> queued`` on
shutdown, a lost worker or a pause. A terminal state is final: a retry is a new job.
"""

from enum import StrEnum


class State(StrEnum):
    """The state of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


TERMINAL = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})

TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, *TERMINAL}),
    State.SUCCEEDED: frozenset(),
    State.FAILED: frozenset(),
    State.CANCELLED: frozenset(),
}
