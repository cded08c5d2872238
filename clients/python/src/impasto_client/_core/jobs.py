"""Jobs: one, and all of them."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from impasto_client._core.calls import Call
from impasto_client._core.files import choose, require_target, target_of
from impasto_client._core.following import follow
from impasto_client._core.paging import pages
from impasto_client._core.results import typed_result
from impasto_client._core.session import Session
from impasto_client._core.sse import Event
from impasto_client._generated.models import ArtifactView, JobPage, JobView, Progress
from impasto_client.errors import Conflict, JobCancelled, JobFailed, WaitTimeout

JOBS = "/v1/jobs"
ENDED = ("succeeded", "failed", "cancelled")


class JobCore:
    """A job, and what can be done with it."""

    def __init__(self, session: Session, view: JobView) -> None:
        self.session = session
        self.view = view

    @property
    def path(self) -> str:
        """Its path."""
        return f"{JOBS}/{self.view.id}"

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.view.state in ENDED

    def _take(self, view: JobView) -> None:
        # Answers of requests that ran side by side may arrive in any order.
        if view.seq >= self.view.seq:
            self.view = view

    async def refresh(self, deadline: float | None = None) -> None:
        """Ask for its present state."""
        answer = await self.session.send(Call(method="GET", path=self.path, deadline=deadline))
        self._take(answer.model(JobView))

    async def events(self, timeout: float | None = None) -> AsyncGenerator[Event, None]:
        """Its events from the first on; the view is up to date at the end."""
        async for event in self._follow("", _deadline(timeout)):
            yield event

    async def _follow(self, last_id: str, deadline: float | None) -> AsyncGenerator[Event, None]:
        async def look(deadline: float | None) -> bool:
            await self.refresh(deadline)
            return self.ended

        try:
            async for event in follow(self.session, f"{self.path}/events", look, deadline, last_id):
                self._learn(event)
                yield event
        except WaitTimeout:
            raise WaitTimeout(
                f"{self.view.kind} {self.view.id} is still {self.view.state}. It goes on: wait again, or "
                "cancel it."
            ) from None
        if not self.ended:
            await self.refresh(deadline)

    def _learn(self, event: Event) -> None:
        """Bring the view up to date; what comes with the end of a job has to be asked for."""
        known = {"state": event.data, "progress": {"progress": event.data}}.get(event.type)
        seq = event.data.get("seq", 0)
        if known is not None and seq > self.view.seq:
            self.view = JobView.model_validate({**self.view.model_dump(), **known, "seq": seq})

    async def end(self, timeout: float | None = None) -> None:
        """Wait until it has ended, one way or another. Raises WaitTimeout."""
        deadline = _deadline(timeout)
        if not self.ended:
            await self.refresh(deadline)
        if not self.ended:
            async for _ in self._follow(str(self.view.seq), deadline):
                pass

    async def wait(self, timeout: float | None = None) -> None:
        """Wait until it has succeeded. Raises JobFailed, JobCancelled, WaitTimeout."""
        await self.end(timeout)
        if self.view.state == "failed":
            raise JobFailed(self.view)
        if self.view.state == "cancelled":
            raise JobCancelled(self.view)

    async def progress(self) -> AsyncGenerator[Progress, None]:
        """How far it is, whenever that changes, until it has ended, one way or another."""
        last: Progress | None = None
        if not self.ended:
            await self.refresh()
        if not self.ended:
            last = self.view.progress
            if last is not None:
                yield last
            async for event in self._follow(str(self.view.seq), None):
                match event.type:
                    case "progress":
                        news: Progress | None = Progress.model_validate(event.data)
                    case "polled":
                        news = self.view.progress
                    case _:
                        continue
                if news is not None and news != last:
                    last = news
                    yield news
        if self.view.progress is not None and self.view.progress != last:
            yield self.view.progress

    async def act(self, action: str) -> None:
        """Cancel, pause or resume it."""
        self._take(await self.session.post(f"{self.path}/{action}", JobView))

    async def finish(self) -> None:
        """Ask it to end early with the best that it has. Raises Conflict."""
        try:
            await self.act("finish")
        except Conflict:
            # It may have ended of a first attempt, whose answer was lost.
            await self.refresh()
            if not self.view.finish_requested:
                raise

    async def retry(self) -> JobCore:
        """A new job with its params."""
        return JobCore(self.session, await self.session.post(f"{self.path}/retry", JobView))

    async def delete(self) -> None:
        """Delete it with all it made."""
        await self.session.delete(self.path)

    async def artifacts(self) -> list[ArtifactCore]:
        """Its files, once it has succeeded."""
        await self.wait()
        return [ArtifactCore(self.session, self.view.id, each) for each in self.view.artifacts]

    async def result(self) -> Any:
        """Its numbers, once it has succeeded. Raises UnexpectedAnswer for those of another version."""
        await self.wait()
        return typed_result(self.view.kind, self.view.result or {})

    async def image(self) -> bytes:
        """The picture that it made, once it has succeeded."""
        for artifact in await self.artifacts():
            if artifact.view.name == "image":
                return await artifact.read()
        known = ", ".join(each.name for each in self.view.artifacts) or "none"
        raise ValueError(f"{self.view.kind} {self.view.id} made no picture. Artifacts: {known}.")

    async def save(self, path: Path, artifact: str | None, timeout: float | None) -> Path:
        """Wait until it has succeeded, and write its main file, or the one named; where it was written."""
        if artifact is None and not path.is_dir():
            require_target(self.view.kind, path)
        await self.wait(timeout)
        chosen, target = choose(self.view, path, artifact)
        if chosen is None:
            text = json.dumps(self.view.result, indent=2)
            await self.session.transport.in_thread(target.write_text, text)
            return target
        return await self.session.download(chosen.url, target, sha256=chosen.sha256)


@dataclass(frozen=True)
class ArtifactCore:
    """A file that a job made."""

    session: Session
    job_id: str
    view: ArtifactView

    @property
    def reference(self) -> str:
        """What params call it."""
        return f"{self.job_id}/{self.view.name}"

    async def read(self) -> bytes:
        """Its bytes."""
        return (await self.session.send(Call(method="GET", path=self.view.url))).body

    async def save(self, path: Path) -> Path:
        """Write it to a file. Raises ValueError for an extension that is not that of its format."""
        return await self.session.download(self.view.url, target_of(self.view, path), sha256=self.view.sha256)


async def get_job(session: Session, job_id: str) -> JobCore:
    """The job of an id. Raises NotFound."""
    return JobCore(session, await session.get(f"{JOBS}/{job_id}", JobView))


async def list_jobs(session: Session, query: Mapping[str, Any]) -> AsyncGenerator[JobCore, None]:
    """Jobs from the newest on, a page at a time."""
    async for page in pages(session, JOBS, JobPage, {**query, "limit": 100}):
        for view in page.items:
            yield JobCore(session, view)


def list_query(
    kind: str | Iterable[str],
    state: str | Iterable[str],
    batch: str | None,
    created_after: datetime | None,
    created_before: datetime | None,
) -> dict[str, Any]:
    """The parameters of a list of jobs. A time without a zone is a local one."""
    query: dict[str, Any] = {
        "kind": [kind] if isinstance(kind, str) else list(kind),
        "state": [state] if isinstance(state, str) else list(state),
        "batch": batch,
    }
    for name, time_ in (("created_after", created_after), ("created_before", created_before)):
        query[name] = None if time_ is None else time_.astimezone().isoformat()
    return query


def _deadline(timeout: float | None) -> float | None:
    return None if timeout is None else time.monotonic() + timeout
