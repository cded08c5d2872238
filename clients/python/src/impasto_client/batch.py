"""A batch and its results, for code that blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from impasto_client._core.batch_making import (
    Lines,
    NewMatrix,
    batch_options,
    create,
    create_matrix,
    estimate,
    estimate_matrix,
)
from impasto_client._core.batches import BatchProgress, get_batch, list_batches
from impasto_client._core.driving import iterate, run
from impasto_client._core.handles import BatchHandle, ResultHandle
from impasto_client._core.session import Session
from impasto_client._core.sse import Event
from impasto_client._generated.models import BatchEstimate, EntryView, ErrorLine
from impasto_client.job import Artifact, Job
from impasto_client.options import BatchPriority, BatchState, EntryState

AnyPath = str | os.PathLike[str]


class Batch(BatchHandle):
    """Many jobs in one call. Results are there as soon as their entries have ended."""

    def wait(self, timeout: float | None = None) -> Batch:
        """Wait until all entries have ended, one way or another, for so many seconds. Raises WaitTimeout."""
        run(self._core.wait(timeout))
        return self

    def progress(self) -> Iterator[BatchProgress]:
        """How far it is, whenever that changes, until it has ended."""
        return iterate(self._core.progress())

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """Its events: `state`, `entry` for each entry that starts or ends, and `done` at its end."""
        return iterate(self._core.events(timeout))

    def results(self) -> Iterator[Result]:
        """What its entries came to that have succeeded by now, in the order of lines."""
        return (Result(core) for core in iterate(self._core.results()))

    def errors(self) -> Iterator[ErrorLine]:
        """The entries that have failed or were cancelled by now, in the order of lines."""
        return iterate(self._core.errors())

    def entries(self, state: EntryState | None = None, *, start: int = 1) -> Iterator[EntryView]:
        """Its entries in the order of lines from ``start`` on, also those that are no job yet."""
        return iterate(self._core.entries(state, start))

    def save_archive(self, path: AnyPath) -> Path:
        """Write a ZIP of all that it has made by now: pictures by custom_id, results and errors."""
        return run(self._core.save_archive(Path(path)))

    def contact_sheet(self, path: AnyPath, *, page: int = 1) -> Path:
        """Write a JPEG of the pictures that it has made by now; a large batch has several pages."""
        return run(self._core.contact_sheet(Path(path), page))

    def refresh(self) -> Batch:
        """Ask the service for its present state."""
        run(self._core.refresh())
        return self

    def cancel(self) -> Batch:
        """Cancel what has not ended."""
        run(self._core.act("cancel"))
        return self

    def pause(self) -> Batch:
        """Keep workers from it; running jobs go back to the queue, and go on there later."""
        run(self._core.act("pause"))
        return self

    def resume(self) -> Batch:
        """Undo a pause."""
        run(self._core.act("resume"))
        return self

    def retry(self) -> Batch:
        """Give each entry that failed or was cancelled a new job; it runs again. Raises Conflict."""
        run(self._core.act("retry"))
        return self

    def delete(self) -> None:
        """Delete it, which has ended, with all that it made. Raises Conflict."""
        run(self._core.delete())


class Result(ResultHandle):
    """What an entry of a batch came to."""

    @property
    def artifacts(self) -> list[Artifact]:
        """The files that it made."""
        return [Artifact(each) for each in self._artifacts()]

    def job(self) -> Job[Any]:
        """Its job."""
        return Job(run(self._core.job()))

    def save(self, path: AnyPath, *, artifact: str | None = None) -> Path:
        """Write its main file, or the one named, as ``Job.save`` does; where it was written."""
        return run(self._core.save(Path(path), artifact))


class Batches:
    """The batches of a service."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def create(
        self,
        lines: Lines,
        *,
        name: str | None = None,
        errors: Literal["fail", "skip"] = "fail",
        paused: bool = False,
        reproducible: bool = False,
        priority: BatchPriority = "normal",
        idempotency_key: str | None = None,
    ) -> Batch:
        """Queue a batch: the path of a file with a JSON object a line, or such objects.

        A line is ``{"custom_id": ..., "kind": ..., "params": {...}}``; pictures of objects may be files,
        which are uploaded first, each once. Raises InvalidBatch for wrong lines, unless ``errors`` is
        ``skip``: then those are entries that failed.
        """
        options = batch_options(name, errors, paused, reproducible, priority, idempotency_key)
        return Batch(run(create(self._session, lines, options)))

    def matrix(
        self,
        kind: str,
        params: Mapping[str, Any] | None = None,
        *,
        over: Mapping[str, Any],
        combine: Literal["cross", "zip"] = "cross",
        name: str | None = None,
        errors: Literal["fail", "skip"] = "fail",
        paused: bool = False,
        reproducible: bool = False,
        priority: BatchPriority = "normal",
        idempotency_key: str | None = None,
    ) -> Batch:
        """Queue one recipe over many values: ``over`` has the values of each param, in a list.

        ``cross`` takes every combination, ``zip`` the first of each, then the second of each. Pictures may
        be files, which are uploaded first, each once; a ``Path`` of a folder stands for the pictures in it,
        and a text for the set of that name.
        """
        options = batch_options(name, errors, paused, reproducible, priority, idempotency_key)
        return Batch(run(create_matrix(self._session, NewMatrix(kind, params or {}, over, combine), options)))

    def estimate(self, lines: Lines, *, errors: Literal["fail", "skip"] = "fail") -> BatchEstimate:
        """Check lines as ``create`` does, and say what they would take. Nothing is stored."""
        return run(estimate(self._session, lines, {"errors": errors}))

    def estimate_matrix(
        self,
        kind: str,
        params: Mapping[str, Any] | None = None,
        *,
        over: Mapping[str, Any],
        combine: Literal["cross", "zip"] = "cross",
    ) -> BatchEstimate:
        """Check a matrix as ``matrix`` does, and say what it would take. Nothing is stored."""
        return run(estimate_matrix(self._session, NewMatrix(kind, params or {}, over, combine)))

    def get(self, batch_id: str) -> Batch:
        """The batch of an id. Raises NotFound."""
        return Batch(run(get_batch(self._session, batch_id)))

    def list(self, state: BatchState | None = None) -> Iterator[Batch]:
        """Batches from the newest on, asked for as they are needed."""
        return (Batch(core) for core in iterate(list_batches(self._session, state)))
