"""A job and its files, for code that blocks."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Generic, Self, TypeVar

from impasto_client._core.driving import iterate, run
from impasto_client._core.handles import ArtifactHandle, JobHandle
from impasto_client._core.sse import Event
from impasto_client._generated.models import Progress

R = TypeVar("R")


class Job(JobHandle, Generic[R]):
    """A job. It runs in the service; whoever wants its outcome waits for its end."""

    def wait(self, timeout: float | None = None) -> Self:
        """Wait until it has succeeded, for so many seconds. Raises JobFailed, JobCancelled, WaitTimeout."""
        run(self._core.wait(timeout))
        return self

    def progress(self) -> Iterator[Progress]:
        """How far it is, whenever that changes, until it has ended, one way or another."""
        return iterate(self._core.progress())

    def events(self, timeout: float | None = None) -> Iterator[Event]:
        """All its events from the first on: `state`, `progress`, `preview`, and `done` at its end."""
        return iterate(self._core.events(timeout))

    def save(
        self, path: str | os.PathLike[str], *, artifact: str | None = None, timeout: float | None = None
    ) -> Path:
        """Wait until it has succeeded, and write its main file; where it was written.

        The extension says which of its files: `.png` the picture, `.mp4` the clip, `.json` the numbers. A
        path without one gets that of the main file; a folder gets a file named after the job. ``artifact``
        names another file, such as `recipe`. Raises ValueError for an extension that it has no file of.
        """
        return run(self._core.save(Path(path), artifact, timeout))

    @property
    def image(self) -> bytes:
        """The picture that it makes; waits for it."""
        return run(self._core.image())

    @property
    def result(self) -> R:
        """The numbers that it comes to; waits for them. ``view.result`` has them as a dict.

        Raises UnexpectedAnswer for those of another version of Impasto, which lack something.
        """
        result: R = run(self._core.result())
        return result

    @property
    def artifacts(self) -> list[Artifact]:
        """The files that it makes; waits for them."""
        return [Artifact(each) for each in run(self._core.artifacts())]

    def refresh(self) -> Self:
        """Ask the service for its present state."""
        run(self._core.refresh())
        return self

    def cancel(self) -> Self:
        """Cancel it: at once if it is queued, else at its next step. An ended one stays as it is."""
        run(self._core.act("cancel"))
        return self

    def pause(self) -> Self:
        """Keep workers from it; a running one goes back to the queue, and goes on there later."""
        run(self._core.act("pause"))
        return self

    def resume(self) -> Self:
        """Undo a pause."""
        run(self._core.act("resume"))
        return self

    def finish(self) -> Self:
        """Ask it to end early with the best that it has, such as a training. Raises Conflict."""
        run(self._core.finish())
        return self

    def retry(self) -> Job[R]:
        """A new job with the params of this one, which has ended. Raises Conflict."""
        return Job(run(self._core.retry()))

    def delete(self) -> None:
        """Delete it, which has ended, with all that it made. Raises Conflict."""
        run(self._core.delete())


class Artifact(ArtifactHandle):
    """A file that a job made."""

    def read(self) -> bytes:
        """Its bytes."""
        return run(self._core.read())

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write it to a file; where it was written."""
        return run(self._core.save(Path(path)))
