"""The latest news of batches that streams follow: read once for all streams of a process."""

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

import anyio
from sqlalchemy import Engine

from app.batches.batch import Batch
from app.batches.following import PAGE, Follower, News, Position, Status, Told
from app.database.stream_reads import read_in_thread
from app.jobs.notifier import JobNotifier

# Workers and keepers wake streams, and messages can be lost: so often a batch is read at least, and at most.
POLL_SECONDS = 1.0
GAP_SECONDS = 0.2
# Entries that are kept of each batch: as many as one read finds.
KEPT = 2 * PAGE


class _Feed:
    """What the streams of a batch share: a follower, and the entries and the status that it found last."""

    def __init__(self) -> None:
        # Of each stream: set when the batch may have changed since the last read.
        self.changed: set[asyncio.Event] = set()
        self.reading = asyncio.Lock()
        self.read_at = 0.0
        self.follower: Follower | None = None
        self.status: Status | None = None
        self.found: deque[Told] = deque(maxlen=KEPT)
        # Entries that were ever found, and those of them that are not kept any more.
        self.end = 0

    @property
    def start(self) -> int:
        return self.end - len(self.found)

    def begin(self, follower: Follower, status: Status) -> None:
        """Follow the batch from where a stream is, unless another one was so far before."""
        if self.follower is None:
            self.follower, self.status, self.read_at = follower, status, monotonic()

    async def read(self, follower: Follower) -> None:
        """Take in what has happened since the last read. Raises UnknownBatch, UNAVAILABLE."""
        # Before it is read: what changes from now on is read again.
        for changed in self.changed:
            changed.clear()
        self.read_at = monotonic()
        try:
            news = await read_in_thread(follower.news)
        except BaseException:
            # Nobody gets what it told, or what its thread still reads: all streams go on by themselves from
            # where they are, and then together again.
            self.follower = None
            self.end += 1
            self.found.clear()
            raise
        self.found += news.entries
        self.end += len(news.entries)
        self.status = news.status


class Reader:
    """The news of a batch for one stream, which may be slow or begin long ago."""

    def __init__(self, feed: _Feed, changed: asyncio.Event, follower: Follower) -> None:
        """``changed`` is one of the feed's; the follower is the stream's own."""
        self._feed, self._changed, self._follower = feed, changed, follower
        # What it has of the feed; less than what is kept: it reads for itself.
        self._seen, self._read_at = -1, 0.0

    @property
    def position(self) -> Position:
        """How far the stream is."""
        return self._follower.position

    async def status(self) -> Status:
        """The batch at this moment, with all its entries counted. Raises UnknownBatch, UNAVAILABLE."""
        return await read_in_thread(self._follower.status)

    async def news(self) -> News:
        """What has happened since the last call. Raises UnknownBatch, UNAVAILABLE."""
        feed = self._feed
        # Also what a stream reads for itself: else a state might come after one that is newer.
        async with feed.reading:
            shared = feed.follower if self._seen >= feed.start else None
            if shared is not None and self._is_due():
                await feed.read(shared)
            self._read_at = feed.read_at
            if shared is None or self._seen < feed.start:
                return await self._catch_up()
            found = list(feed.found)[self._seen - feed.start :]
            self._seen = feed.end
            return News(self._follower.take(found, shared.position), feed.status)

    async def _catch_up(self) -> News:
        news = await read_in_thread(self._follower.news)
        if news.status is not None:
            self._feed.begin(self._follower.branch(), news.status)
            self._seen, self._read_at = self._feed.end, self._feed.read_at
        return news

    async def wait(self) -> None:
        """Return when there may be news."""
        if self._read_at != self._feed.read_at:
            return
        with anyio.move_on_after(self._feed.read_at + POLL_SECONDS - monotonic()):
            await self._changed.wait()
            await anyio.sleep(max(0.0, self._feed.read_at + GAP_SECONDS - monotonic()))

    def _is_due(self) -> bool:
        """Whether the batch is to be read: not if another stream has read it since it changed."""
        pause = GAP_SECONDS if self._changed.is_set() else POLL_SECONDS
        return self._feed.status is None or monotonic() >= self._feed.read_at + pause


class LatestNews:
    """What streams of batches are sent: for each change of a batch one read, for all of them."""

    def __init__(self, engine: Engine, notifier: JobNotifier) -> None:
        self._engine, self._notifier = engine, notifier
        self._feeds: dict[str, _Feed] = {}

    @contextmanager
    def follow(self, batch: Batch, position: Position) -> Iterator[Reader]:
        """The news of a batch while in the context, from a position on.

        Whoever was there may get what ended in the seconds before it once more.
        """
        feed = self._feeds.setdefault(batch.id, _Feed())
        with self._notifier.watch([batch.id]) as changed:
            feed.changed.add(changed)
            try:
                yield Reader(feed, changed, Follower(self._engine, batch, position))
            finally:
                feed.changed.discard(changed)
                if not feed.changed:
                    del self._feeds[batch.id]
