"""Notifies requests that wait for changes of jobs, in the event loop of an API process."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool

from app.database.engine import reason_of
from app.jobs.dispatch.base import CHANGES
from app.jobs.dispatch.celery_settings import CHANGES_CHANNEL, KEEPALIVE
from app.jobs.dispatch.wakeups import WakeupSocket, run_dir
from app.jobs.latest_events import LatestEvents
from app.jobs.repository import get_job, get_seqs
from app.settings import Settings

log = logging.getLogger(__name__)

# Messages can be lost, so all watched jobs are polled in one query at this interval.
POLL_SECONDS = 2.0
RECONNECT_SECONDS = 1.0


class JobNotifier:
    """Tracks the watchers of each job, and wakes them when it changes; ``latest`` has the events."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.latest = LatestEvents(engine)
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._seqs: dict[str, int] = {}
        self._is_stopping = False

    @contextmanager
    def watch(self, job_ids: Iterable[str]) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of some jobs changes; clear it before you read the job."""
        event = asyncio.Event()
        watched = set(job_ids)
        for job_id in watched:
            self._waiting.setdefault(job_id, set()).add(event)
        try:
            yield event
        finally:
            for job_id in watched:
                self._waiting[job_id].discard(event)
                if not self._waiting[job_id]:
                    del self._waiting[job_id]
                    self._seqs.pop(job_id, None)

    async def wait_for_end(self, job_id: str, seconds: float) -> None:
        """Return when a job has ended, after a time-out in seconds, or when the service is to stop."""
        with self.watch([job_id]) as changed, suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while not self._is_stopping:
                    changed.clear()
                    job = await run_in_threadpool(get_job, self._engine, job_id)
                    if job.ended:
                        return
                    await changed.wait()

    def stop_waiting(self) -> None:
        """Let all who wait for the end of a job return, now and from now on."""
        self._is_stopping = True
        for job_id in list(self._waiting):
            self.wake(job_id)

    def wake(self, job_id: str) -> None:
        """Wake all watchers of a job."""
        self.latest.note(job_id)
        for event in self._waiting.get(job_id, ()):
            event.set()

    @asynccontextmanager
    async def listening(self, settings: Settings) -> AsyncIterator[None]:
        """Receive messages about changed jobs while in the context."""
        tasks = [asyncio.create_task(self._poll())]
        wakeups = None
        if settings.redis_url is not None:
            tasks.append(asyncio.create_task(self._subscribe(settings.redis_url)))
        else:
            wakeups = WakeupSocket(run_dir(settings.data_dir), CHANGES)
            asyncio.get_running_loop().add_reader(wakeups.fileno(), self._take, wakeups)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            if wakeups is not None:
                asyncio.get_running_loop().remove_reader(wakeups.fileno())
                wakeups.close()

    def _take(self, wakeups: WakeupSocket) -> None:
        for job_id in wakeups.receive():
            self.wake(job_id)

    async def _subscribe(self, url: str) -> None:
        # Takes 5 MB, and a service on one machine has no Redis.
        from redis.asyncio import Redis
        from redis.exceptions import RedisError

        while True:
            try:
                connected = Redis.from_url(url, socket_keepalive=True, socket_keepalive_options=KEEPALIVE)
                async with connected as client, client.pubsub() as pubsub:
                    await pubsub.subscribe(CHANGES_CHANNEL)
                    async for message in pubsub.listen():
                        if message["type"] == "message":
                            self.wake(message["data"].decode(errors="replace"))
            except (RedisError, OSError) as error:
                log.warning("no messages from Redis, polling alone: %s", error)
                await asyncio.sleep(RECONNECT_SECONDS)

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL_SECONDS)
            if not self._waiting:
                continue
            try:
                seqs = await run_in_threadpool(get_seqs, self._engine, list(self._waiting))
            except SQLAlchemyError as error:
                log.warning("cannot look for changed jobs, trying again: %s", reason_of(error))
                continue
            for job_id, seq in seqs.items():
                # The first poll wakes too: the job may have changed before it.
                if job_id in self._waiting and self._seqs.get(job_id) != seq:
                    self._seqs[job_id] = seq
                    self.wake(job_id)
