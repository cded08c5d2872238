"""Hints as Celery messages, one queue a lane; wake-ups by Redis publish and subscribe.

A message is a token: it says that a lane has work, and the worker that takes it claims the next job by the
database's order. A queue holds about twice as many tokens as its lane has workers, however many jobs wait.
"""

import logging
import queue
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import redis
from celery import Celery
from sqlalchemy import Engine

from app.jobs.dispatch.celery_settings import CHANGES_CHANNEL, KEY_PREFIX, TASK, configuration, queue_of
from app.jobs.repository import count_waiting
from app.kinds import all_lanes
from app.workers import repository as workers

log = logging.getLogger(__name__)

# A worker that ends a job finds the next token there, without a wait for a message that is on its way.
TOKENS_PER_WORKER = 2
# Actions kept while Redis is slow; more are dropped, and the reaper makes up for their tokens.
BACKLOG = 2000
# While Redis is unavailable it is tried at this interval, not for every job.
RETRY_SECONDS = 1.0
# Queues of earlier versions, which nobody reads: kombu's separator and a priority follow the name.
OLD_ENDINGS = [f"\x06\x16{priority}" for priority in range(1, 8)]


class CeleryDispatcher:
    """Publishes from a thread of its own, so that an unavailable Redis blocks no caller."""

    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("impasto", set_as_current=False)
        self._celery.conf.update(configuration(redis_url))
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=2)
        self._outbox: queue.Queue[Callable[[], None] | None] = queue.Queue(BACKLOG)
        self._retry_at = 0.0
        # Workers by lane, as of the last top-up; none is known in a process that does not top up.
        self._workers: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._publish, name="dispatcher", daemon=True)
        self._thread.start()

    def hint(self, lane: str) -> None:
        """Publish a token of a lane, unless enough are out."""
        self._put(lambda: self._send(lane, 1))

    def pass_on(self, lane: str) -> None:
        """Publish another token, so that the queue drains without the reaper."""
        self.hint(lane)

    def changed(self, changed_id: str) -> None:
        """Publish to every API process that a job or a batch changed."""
        self._put(lambda: self._notify(changed_id))

    def top_up(self, engine: Engine) -> None:
        """Publish the tokens that lanes lack, and note how many workers each has."""
        self._workers = Counter(lane for worker in workers.list_alive(engine) for lane in worker.lanes)
        for lane in all_lanes():
            waiting = count_waiting(engine, lane, self._limit(lane))
            self._put(partial(self._top_up, lane, waiting))

    def close(self) -> None:
        """Send what is queued, for a second at most, and close the connections."""
        self._put(None)
        self._thread.join(timeout=1)
        self._celery.close()
        self._redis.close()

    def _limit(self, lane: str) -> int:
        return TOKENS_PER_WORKER * max(1, self._workers[lane])

    def _put(self, action: Callable[[], None] | None) -> None:
        try:
            self._outbox.put_nowait(action)
        except queue.Full:
            log.debug("the queue of messages is full, one is dropped")

    def _publish(self) -> None:
        while (action := self._outbox.get()) is not None:
            if time.monotonic() < self._retry_at:
                continue
            try:
                action()
            except Exception as error:
                # Of any kind: this thread must go on to publish the next message.
                log.warning("Redis is unavailable, hints will be sent again later: %s", error)
                self._retry_at = time.monotonic() + RETRY_SECONDS

    def _top_up(self, lane: str, waiting: int) -> None:
        name = f"{KEY_PREFIX}{queue_of(lane)}"
        self._redis.delete(*(f"{name}{ending}" for ending in OLD_ENDINGS))
        self._send(lane, waiting - self._length(lane))

    def _send(self, lane: str, tokens: int) -> None:
        for _ in range(min(tokens, self._limit(lane) - self._length(lane))):
            self._celery.send_task(TASK, args=[lane], queue=queue_of(lane), retry=False)

    def _length(self, lane: str) -> int:
        return self._redis.llen(f"{KEY_PREFIX}{queue_of(lane)}")

    def _notify(self, changed_id: str) -> None:
        self._redis.publish(CHANGES_CHANNEL, changed_id)
