"""Hints as Celery messages that carry a job id, wake-ups by Redis publish and subscribe."""

import logging
import queue
import threading
import time
from collections.abc import Callable

import redis
from celery import Celery
from sqlalchemy import Engine

from app.jobs.dispatch.celery_settings import (
    CHANGES_CHANNEL,
    KEY_PREFIX,
    PRIORITY_STEPS,
    TASK,
    configuration,
    queue_of,
)
from app.jobs.job import Job
from app.jobs.repository import lost_hints, mark_hinted, waiting_by_lane

log = logging.getLogger(__name__)

# Kombu's separator between a queue's name and its priority.
SEPARATOR = "\x06\x16"
# A hint younger than this may still be on its way.
LOST_SECONDS = 5.0
# Messages kept while Redis is unavailable; more are dropped, and the reaper sends their hints again.
BACKLOG = 2000
# While Redis is unavailable it is tried at this interval, not for every job.
RETRY_SECONDS = 1.0


class CeleryDispatcher:
    """Publishes from a thread of its own, so that an unavailable Redis blocks no caller."""

    def __init__(self, redis_url: str) -> None:
        self._celery = Celery("impasto", set_as_current=False)
        self._celery.conf.update(configuration(redis_url))
        self._redis = redis.Redis.from_url(redis_url, socket_timeout=5, socket_connect_timeout=2)
        self._outbox: queue.Queue[Callable[[], None] | None] = queue.Queue(BACKLOG)
        self._retry_at = 0.0
        self._thread = threading.Thread(target=self._publish, name="dispatcher", daemon=True)
        self._thread.start()

    def hint(self, job: Job) -> None:
        """Publish the job's id to the queue of its lane."""
        self._put(lambda: self._send(job))

    def changed(self, job_id: str) -> None:
        """Publish to every API process that a job changed."""
        self._put(lambda: self._notify(job_id))

    def send_lost_hints(self, engine: Engine) -> None:
        """Publish again what waits in the database but, by the lengths of its queues, not in Redis."""
        waiting = waiting_by_lane(engine)
        if not waiting or time.monotonic() < self._retry_at:
            return
        try:
            missing = {lane: count - self._length(lane) for lane, count in waiting.items()}
        except redis.RedisError as error:
            self._unavailable(error)
            return
        for lane, count in missing.items():
            if count <= 0:
                continue
            lost = lost_hints(engine, LOST_SECONDS, lane=lane, limit=min(count, BACKLOG // 2))
            if lost:
                log.warning("sending %d hints of lane %s again", len(lost), lane)
                mark_hinted(engine, [job.id for job in lost])
            for job in lost:
                self.hint(job)

    def close(self) -> None:
        """Send what is queued, for a second at most, and close the connections."""
        self._put(None)
        self._thread.join(timeout=1)
        self._celery.close()
        self._redis.close()

    def _length(self, lane: str) -> int:
        names = [
            f"{KEY_PREFIX}{queue_of(lane)}{SEPARATOR}{step}" if step else f"{KEY_PREFIX}{queue_of(lane)}"
            for step in PRIORITY_STEPS
        ]
        with self._redis.pipeline(transaction=False) as pipe:
            for name in names:
                pipe.llen(name)
            return sum(pipe.execute())

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
                self._unavailable(error)

    def _unavailable(self, error: Exception) -> None:
        log.warning("Redis is unavailable, hints will be sent again later: %s", error)
        self._retry_at = time.monotonic() + RETRY_SECONDS

    def _send(self, job: Job) -> None:
        self._celery.send_task(
            TASK,
            args=[job.id],
            queue=queue_of(job.lane),
            priority=max(PRIORITY_STEPS) - job.priority,
            retry=False,
        )

    def _notify(self, job_id: str) -> None:
        self._redis.publish(CHANGES_CHANNEL, job_id)
