"""A job and its files, for code that waits in asyncio."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any, Generic, Self, TypeVar

from impasto_client._core.handles import ArtifactHandle, JobHandle
from impasto_client._core.sse import Event
from impasto_client._generated.models import Progress

R = TypeVar("R")


class AsyncJob(JobHandle, Generic[R]):
    """A job. It runs in the service; whoever wants its outcome waits for its end."""

    async def wait(self, timeout: float | None = None) -> Self:
        """Wait until it has succeeded, for so many seconds. Raises JobFailed, JobCancelled, WaitTimeout."""
        await self._core.wait(timeout)
        return self

    def progress(self) -> AsyncIterator[Progress]:
        """How far it is, whenever that changes, until it has ended, one way or another."""
        return self._core.progress()

    def events(self, timeout: float | None = None) -> AsyncIterator[Event]:
        """All its events from the first on: `state`, `progress`, `preview`, and `done` at its end."""
        return self._core.events(timeout)

    async def save(
        self, path: str | os.PathLike[str], *, artifact: str | None = None, timeout: float | None = None
    ) -> Path:
        """Wait until it has succeeded, and write its main file; where it was written.

        The extension says which of its files: `.png` the picture, `.mp4` the clip, `.json` the numbers. A
        path without one gets that of the main file; a folder gets a file named after the job. ``artifact``
        names another file, such as `recipe`. Raises ValueError for an extension that it has no file of.
        """
        return await self._core.save(Path(path), artifact, timeout)

    @property
    def image(self) -> Coroutine[Any, Any, bytes]:
        """The picture that it makes: ``await job.image``."""
        return self._core.image()

    @property
    def result(self) -> Coroutine[Any, Any, R]:
        """The numbers that it comes to: ``await job.result``. ``view.result`` has them as a dict.

        Raises UnexpectedAnswer for those of another version of Impasto, which lack something.
        """
        return self._core.result()

    @property
    def artifacts(self) -> Coroutine[Any, Any, list[AsyncArtifact]]:
        """The files that it makes: ``await job.artifacts``."""
        return self._artifacts()

    async def _artifacts(self) -> list[AsyncArtifact]:
        return [AsyncArtifact(each) for each in await self._core.artifacts()]

    async def refresh(self) -> Self:
        """Ask the service for its present state."""
        await self._core.refresh()
        return self

    async def cancel(self) -> Self:
        """Cancel it: at once if it is queued, else at its next step. An ended one stays as it is."""
        await self._core.act("cancel")
        return self

    async def pause(self) -> Self:
        """Keep workers from it; a running one goes back to the queue, and goes on there later."""
        await self._core.act("pause")
        return self

    async def resume(self) -> Self:
        """Undo a pause."""
        await self._core.act("resume")
        return self

    async def finish(self) -> Self:
        """Ask it to end early with the best that it has, such as a training. Raises Conflict."""
        await self._core.finish()
        return self

    async def retry(self) -> AsyncJob[R]:
        """A new job with the params of this one, which has ended. Raises Conflict."""
        return AsyncJob(await self._core.retry())

    async def delete(self) -> None:
        """Delete it, which has ended, with all that it made. Raises Conflict."""
        await self._core.delete()


class AsyncArtifact(ArtifactHandle):
    """A file that a job made."""

    async def read(self) -> bytes:
        """Its bytes."""
        return await self._core.read()

    async def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file; where it was written."""
        return await self._core.save(Path(path))
