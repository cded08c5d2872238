"""The latest events of jobs that streams follow: read once for all streams of a process."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from sqlalchemy import Engine

from app.database.stream_reads import read_in_thread
from app.jobs.job import Event
from app.jobs.repository import list_events_of

# Events that are kept of each job, and read at a time.
KEPT = 100
PAGE = 500


@dataclass
class _Tail:
    """The events of a job after a seq, up to its latest that were read."""

    after: int
    events: list[Event] = field(default_factory=list)
    streams: int = 0

    @property
    def end(self) -> int:
        return self.events[-1].seq if self.events else self.after

    def append(self, event: Event) -> None:
        self.events.append(event)
        if len(self.events) > KEPT:
            self.after = self.events.pop(0).seq


class LatestEvents:
    """What streams are sent: for each change of a job one query, and of several jobs one for all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._tails: dict[str, _Tail] = {}
        self._changed: set[str] = set()
        self._reading = asyncio.Lock()

    @contextmanager
    def follow(self, seqs: Mapping[str, int]) -> Iterator[None]:
        """Follow some jobs while in the context, from their present seqs on."""
        for job_id, seq in seqs.items():
            tail = self._tails.setdefault(job_id, _Tail(seq))
            tail.streams += 1
            # It may have changed before.
            self._changed.add(job_id)
        try:
            yield
        finally:
            for job_id in seqs:
                self._tails[job_id].streams -= 1
                if not self._tails[job_id].streams:
                    del self._tails[job_id]
                    self._changed.discard(job_id)

    def note(self, job_id: str) -> None:
        """A job may have new events."""
        if job_id in self._tails:
            self._changed.add(job_id)

    async def after(self, seen: Mapping[str, int]) -> list[Event]:
        """Events of followed jobs after what a stream has seen of each, in the order of the jobs.

        KEPT of each job at most, or PAGE in all where a stream is further behind: none are left when none
        come. Raises OperationalError, TimeoutError.
        """
        async with self._reading:
            await self._read([job_id for job_id in seen if job_id in self._changed])
        latest = [
            event for job_id, seq in seen.items() for event in self._tails[job_id].events if event.seq > seq
        ]
        # Only now: what was read may have pushed out of a tail what this stream has not seen.
        behind = {job_id: seq for job_id, seq in seen.items() if seq < self._tails[job_id].after}
        earlier = await read_in_thread(list_events_of, self._engine, behind, PAGE) if behind else []
        return earlier or latest

    async def _read(self, job_ids: list[str]) -> None:
        """Take the new events of some jobs into their tails."""
        if not job_ids:
            return
        # Before they are read: what changes from now on is read again.
        self._changed.difference_update(job_ids)
        ends = {job_id: self._tails[job_id].end for job_id in job_ids}
        try:
            found = await read_in_thread(list_events_of, self._engine, ends, PAGE)
        except BaseException:
            self._changed.update(self._tails.keys() & ends.keys())
            raise
        for event in found:
            # The last stream of a job may have ended meanwhile.
            if (tail := self._tails.get(event.job_id)) is not None and event.seq > tail.end:
                tail.append(event)
        if len(found) == PAGE:
            self._changed.update(self._tails.keys() & ends.keys())
