"""A batch and its results, for code that waits in asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
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
from impasto_client._core.handles import BatchHandle, ResultHandle
from impasto_client._core.session import Session
from impasto_client._core.sse import Event
from impasto_client._generated.models import BatchEstimate, EntryView, ErrorLine
from impasto_client.async_job import AsyncArtifact, AsyncJob
from impasto_client.options import BatchPriority, BatchState, EntryState

AnyPath = str | os.PathLike[str]


class AsyncBatch(BatchHandle):
    """Many jobs in one call. Results are there as soon as their entries have ended."""

    async def wait(self, timeout: float | None = None) -> AsyncBatch:
        """Wait until all entries have ended, one way or another, for so many seconds. Raises WaitTimeout."""
        await self._core.wait(timeout)
        return self

    def progress(self) -> AsyncIterator[BatchProgress]:
        """How far it is, whenever that changes, until it has ended."""
        return self._core.progress()

    def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """Its events: `state`, `entry` for each entry that starts or ends, and `done` at its end."""
        return self._core.events(timeout)

    def results(self) -> AsyncIterator[AsyncResult]:
        """What its entries came to that have succeeded by now, in the order of lines."""
        return (AsyncResult(core) async for core in self._core.results())

    def errors(self) -> AsyncIterator[ErrorLine]:
        """The entries that have failed or were cancelled by now, in the order of lines."""
        return self._core.errors()

    def entries(self, state: EntryState | None = None, *, start: int = 1) -> AsyncIterator[EntryView]:
        """Its entries in the order of lines from ``start`` on, also those that are no job yet."""
        return self._core.entries(state, start)

    async def save_archive(self, path: AnyPath) -> Path:
        """Write a ZIP of all that it has made by now: pictures by custom_id, results and errors."""
        return await self._core.save_archive(Path(path))

    async def contact_sheet(self, path: AnyPath, *, page: int = 1) -> Path:
        """Write a JPEG of the pictures that it has made by now; a large batch has several pages."""
        return await self._core.contact_sheet(Path(path), page)

    async def refresh(self) -> AsyncBatch:
        """Ask the service for its present state."""
        await self._core.refresh()
        return self

    async def cancel(self) -> AsyncBatch:
        """Cancel what has not ended."""
        await self._core.act("cancel")
        return self

    async def pause(self) -> AsyncBatch:
        """Keep workers from it; running jobs go back to the queue, and go on there later."""
        await self._core.act("pause")
        return self

    async def resume(self) -> AsyncBatch:
        """Undo a pause."""
        await self._core.act("resume")
        return self

    async def retry(self) -> AsyncBatch:
        """Give each entry that failed or was cancelled a new job; it runs again. Raises Conflict."""
        await self._core.act("retry")
        return self

    async def delete(self) -> None:
        """Delete it, which has ended, with all that it made. Raises Conflict."""
        await self._core.delete()


class AsyncResult(ResultHandle):
    """What an entry of a batch came to."""

    @property
    def artifacts(self) -> list[AsyncArtifact]:
        """The files that it made."""
        return [AsyncArtifact(each) for each in self._artifacts()]

    async def job(self) -> AsyncJob[Any]:
        """Its job."""
        return AsyncJob(await self._core.job())

    async def save(self, path: AnyPath, *, artifact: str | None = None) -> Path:
        """Write its main file, or the one named, as ``Job.save`` does; where it was written."""
        return await self._core.save(Path(path), artifact)


class AsyncBatches:
    """The batches of a service."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def create(
        self,
        lines: Lines,
        *,
        name: str | None = None,
        errors: Literal["fail", "skip"] = "fail",
        paused: bool = False,
        reproducible: bool = False,
        priority: BatchPriority = "normal",
        idempotency_key: str | None = None,
    ) -> AsyncBatch:
        """Queue a batch: the path of a file with a JSON object a line, or such objects.

        A line is ``{"custom_id": ..., "kind": ..., "params": {...}}``; pictures of objects may be files,
        which are uploaded first, each once. Raises InvalidBatch for wrong lines, unless ``errors`` is
        ``skip``: then those are entries that failed.
        """
        options = batch_options(name, errors, paused, reproducible, priority, idempotency_key)
        return AsyncBatch(await create(self._session, lines, options))

    async def matrix(
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
    ) -> AsyncBatch:
        """Queue one recipe over many values: ``over`` has the values of each param, in a list.

        ``cross`` takes every combination, ``zip`` the first of each, then the second of each. Pictures may
        be files, which are uploaded first, each once; a ``Path`` of a folder stands for the pictures in it,
        and a text for the set of that name.
        """
        options = batch_options(name, errors, paused, reproducible, priority, idempotency_key)
        return AsyncBatch(
            await create_matrix(self._session, NewMatrix(kind, params or {}, over, combine), options)
        )

    async def estimate(self, lines: Lines, *, errors: Literal["fail", "skip"] = "fail") -> BatchEstimate:
        """Check lines as ``create`` does, and say what they would take. Nothing is stored."""
        return await estimate(self._session, lines, {"errors": errors})

    async def estimate_matrix(
        self,
        kind: str,
        params: Mapping[str, Any] | None = None,
        *,
        over: Mapping[str, Any],
        combine: Literal["cross", "zip"] = "cross",
    ) -> BatchEstimate:
        """Check a matrix as ``matrix`` does, and say what it would take. Nothing is stored."""
        return await estimate_matrix(self._session, NewMatrix(kind, params or {}, over, combine))

    async def get(self, batch_id: str) -> AsyncBatch:
        """The batch of an id. Raises NotFound."""
        return AsyncBatch(await get_batch(self._session, batch_id))

    def list(self, state: BatchState | None = None) -> AsyncIterator[AsyncBatch]:
        """Batches from the newest on, asked for as they are needed."""
        return (AsyncBatch(core) async for core in list_batches(self._session, state))
