"""Batches: one, and all of them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from impasto_client._core.calls import Call
from impasto_client._core.files import EXTENSIONS
from impasto_client._core.following import follow
from impasto_client._core.jobs import ArtifactCore, JobCore, get_job
from impasto_client._core.paging import pages
from impasto_client._core.session import Session
from impasto_client._core.sse import Event
from impasto_client._generated.models import (
    BatchPage,
    BatchView,
    CountsView,
    EntryPage,
    EntryView,
    ErrorLine,
    ResultLine,
)
from impasto_client.errors import ApiError, NoAnswer, UnexpectedAnswer, WaitTimeout

BATCHES = "/v1/batches"
# A contact sheet of many pictures, and the first bytes of an archive, take a while.
DRAWING_SECONDS = 300.0

L = TypeVar("L", ResultLine, ErrorLine)


@dataclass(frozen=True)
class BatchProgress:
    """How far a batch is: entries that have ended, of how many, and the seconds that are left if known."""

    done: int
    total: int
    counts: CountsView
    eta_seconds: float | None


class BatchCore:
    """A batch, and what can be done with it."""

    def __init__(self, session: Session, view: BatchView) -> None:
        self.session = session
        self.view = view

    @property
    def path(self) -> str:
        """Its path."""
        return f"{BATCHES}/{self.view.id}"

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.view.state != "running"

    async def refresh(self, deadline: float | None = None) -> None:
        """Ask for its present state."""
        answer = await self.session.send(Call(method="GET", path=self.path, deadline=deadline))
        self.view = answer.model(BatchView)

    async def events(self, timeout: float | None = None) -> AsyncGenerator[Event, None]:
        """Its events, from the first entry on."""
        deadline = None if timeout is None else time.monotonic() + timeout
        async for event in self._follow(f"{self.path}/events", deadline):
            yield event

    async def _follow(self, path: str, deadline: float | None) -> AsyncGenerator[Event, None]:
        async def look(deadline: float | None) -> bool:
            await self.refresh(deadline)
            return self.ended

        try:
            async for event in follow(self.session, path, look, deadline):
                if event.type == "state":
                    self.view = BatchView.model_validate({**self.view.model_dump(), **event.data})
                yield event
        except WaitTimeout:
            raise WaitTimeout(
                f"Batch {self.view.id} is still running. It goes on: wait again, or cancel it."
            ) from None
        if not self.ended:
            await self.refresh(deadline)

    async def wait(self, timeout: float | None = None) -> None:
        """Wait until all its entries have ended, one way or another. Raises WaitTimeout."""
        deadline = None if timeout is None else time.monotonic() + timeout
        if not self.ended:
            await self.refresh(deadline)
        if not self.ended:
            # What has ended before is of no interest.
            async for _ in self._follow(f"{self.path}/events?replay=false", deadline):
                pass

    async def progress(self) -> AsyncGenerator[BatchProgress, None]:
        """How far it is, whenever that changes, until it has ended."""
        last: BatchProgress | None = None
        if not self.ended:
            await self.refresh()
        if not self.ended:
            last = self.so_far()
            yield last
            async for event in self._follow(f"{self.path}/events?replay=false", None):
                news = self.so_far()
                if event.type in ("state", "polled") and news != last:
                    last = news
                    yield news
        if self.so_far() != last:
            yield self.so_far()

    def so_far(self) -> BatchProgress:
        """How far it was when the client last heard of it."""
        counts = self.view.counts
        done = counts.succeeded + counts.failed + counts.cancelled
        return BatchProgress(done, self.view.lines, counts, self.view.eta_seconds)

    async def act(self, action: str) -> None:
        """Cancel, pause, resume or retry it. Each does once what it does twice."""
        self.view = await self.session.post(f"{self.path}/{action}", BatchView)

    async def delete(self) -> None:
        """Delete it with all that its jobs made."""
        await self.session.delete(self.path)

    async def entries(self, state: str | None, start: int) -> AsyncGenerator[EntryView, None]:
        """Its entries in the order of lines, also those that are no job yet."""
        query = {"limit": 1000, "state": state, "from": start}
        async for page in pages(self.session, f"{self.path}/entries", EntryPage, query, "from"):
            for view in page.items:
                yield view

    async def results(self) -> AsyncGenerator[ResultCore, None]:
        """What its entries came to that have succeeded by now, in the order of lines."""
        async for line in self._lines("results", ResultLine):
            yield ResultCore(self.session, line)

    async def errors(self) -> AsyncGenerator[ErrorLine, None]:
        """The entries that have failed or were cancelled by now, in the order of lines."""
        async for line in self._lines("errors", ErrorLine):
            yield line

    async def _lines(self, name: str, cls: type[L]) -> AsyncGenerator[L, None]:
        """Lines of JSON as they arrive; after a break, those that have not come yet."""
        last, failures = 0, 0
        call = Call(method="GET", path=f"{self.path}/{name}")
        while True:
            try:
                async with self.session.stream(call) as answer:
                    rest = b""
                    async for chunk in answer.chunks():
                        *whole, rest = (rest + chunk).split(b"\n")
                        for text in whole:
                            found = _parse(cls, text)
                            if found.line > last:
                                last, failures = found.line, 0
                                yield found
                return
            except (ApiError, NoAnswer) as error:
                failures += 1
                await self.session.pause_after(error, call, failures)

    async def save_archive(self, path: Path) -> Path:
        """Write a ZIP of all that its entries have made by now, as it arrives."""
        if path.suffix.lower() != ".zip":
            raise ValueError(f"{path} must end in .zip: that is the format it is written in.")
        return await self.session.download(f"{self.path}/archive", path, DRAWING_SECONDS)

    async def contact_sheet(self, path: Path, page: int) -> Path:
        """Write a picture of the pictures that its entries have made by now."""
        if path.suffix.lower() not in EXTENSIONS["image/jpeg"]:
            raise ValueError(f"{path} must end in .jpg: that is the format it is written in.")
        return await self.session.download(f"{self.path}/contact-sheet", path, DRAWING_SECONDS, page=page)


class ResultCore:
    """What an entry came to."""

    def __init__(self, session: Session, view: ResultLine) -> None:
        self.session = session
        self.view = view

    def artifacts(self) -> Iterator[ArtifactCore]:
        """The files that it made."""
        return (ArtifactCore(self.session, self.view.job_id, each) for each in self.view.artifacts)

    async def job(self) -> JobCore:
        """The job of the entry."""
        return await get_job(self.session, self.view.job_id)

    async def save(self, path: Path, artifact: str | None) -> Path:
        """Write its main file, or the one named."""
        return await (await self.job()).save(path, artifact, None)


def _parse(cls: type[L], text: bytes) -> L:
    try:
        return cls.model_validate_json(text)
    except ValidationError as error:
        raise UnexpectedAnswer(f"A line is no {cls.__name__}: {error}") from error


async def get_batch(session: Session, batch_id: str) -> BatchCore:
    """The batch of an id. Raises NotFound."""
    return BatchCore(session, await session.get(f"{BATCHES}/{batch_id}", BatchView))


async def list_batches(session: Session, state: str | None) -> AsyncGenerator[BatchCore, None]:
    """Batches from the newest on."""
    async for page in pages(session, BATCHES, BatchPage, {"limit": 100, "state": state}):
        for view in page.items:
            yield BatchCore(session, view)
