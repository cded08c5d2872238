"""What handles of both clients have in common."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from impasto_client._core.results import typed_result
from impasto_client._generated.models import BatchView, JobView, Progress, ResultLine, State

if TYPE_CHECKING:
    from impasto_client._core.batches import BatchCore, BatchProgress, ResultCore
    from impasto_client._core.jobs import ArtifactCore, JobCore


class JobHandle:
    """A job, as it was when the client last heard of it."""

    def __init__(self, core: JobCore) -> None:
        self._core = core

    @property
    def view(self) -> JobView:
        """All that the service last said of it."""
        return self._core.view

    @property
    def id(self) -> str:
        """Its id."""
        return self.view.id

    @property
    def kind(self) -> str:
        """Its kind, such as `style_transfer`."""
        return self.view.kind

    @property
    def state(self) -> State:
        """`queued`, `running`, `succeeded`, `failed` or `cancelled`."""
        return self.view.state

    @property
    def ended(self) -> bool:
        """Whether it has ended, one way or another."""
        return self._core.ended

    @property
    def last_progress(self) -> Progress | None:
        """How far it was."""
        return self.view.progress

    @property
    def created_at(self) -> datetime | None:
        """When it was made."""
        return self.view.created_at

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.kind} {self.id} {self.state}>"


class ArtifactHandle:
    """A file that a job made."""

    def __init__(self, core: ArtifactCore) -> None:
        self._core = core

    @property
    def job_id(self) -> str:
        """The id of the job."""
        return self._core.job_id

    @property
    def name(self) -> str:
        """Its name, such as `image`."""
        return self._core.view.name

    @property
    def media_type(self) -> str:
        """Its media type, such as `image/png`."""
        return self._core.view.media_type

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return self._core.view.bytes

    @property
    def sha256(self) -> str:
        """The hash of its bytes."""
        return self._core.view.sha256

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._core.reference} {self.media_type} {self.size:,} bytes>"


class BatchHandle:
    """A batch, as it was when the client last heard of it."""

    def __init__(self, core: BatchCore) -> None:
        self._core = core

    @property
    def view(self) -> BatchView:
        """All that the service last said of it."""
        return self._core.view

    @property
    def id(self) -> str:
        """Its id."""
        return self.view.id

    @property
    def state(self) -> str:
        """`running`, `succeeded`, `failed` if an entry failed, or `cancelled`."""
        return self.view.state

    @property
    def ended(self) -> bool:
        """Whether all its entries have ended."""
        return self._core.ended

    @property
    def last_progress(self) -> BatchProgress:
        """How far it was."""
        return self._core.so_far()

    def __len__(self) -> int:
        """How many entries it has."""
        return self.view.lines

    def __repr__(self) -> str:
        done = self.last_progress.done
        return f"<{type(self).__name__} {self.id} {self.state} {done:,}/{len(self):,}>"


class ResultHandle:
    """What an entry of a batch came to."""

    def __init__(self, core: ResultCore) -> None:
        self._core = core

    @property
    def line(self) -> int:
        """Its number in the batch, from 1."""
        return self._core.view.line

    @property
    def custom_id(self) -> str | None:
        """Its name."""
        return self._core.view.custom_id

    @property
    def job_id(self) -> str:
        """The id of its job."""
        return self._core.view.job_id

    @property
    def kind(self) -> str:
        """The kind of its job."""
        return self._core.view.kind

    @property
    def result(self) -> Any:
        """The numbers that it came to, such as a StyleTransferResult; ``view.result`` has them as a dict."""
        return typed_result(self.kind, self.view.result or {})

    @property
    def view(self) -> ResultLine:
        """All that the service says of it."""
        return self._core.view

    def _artifacts(self) -> Iterator[ArtifactCore]:
        return self._core.artifacts()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.line} {self.custom_id} {self.kind}>"
