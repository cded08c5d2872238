"""Follows the events of a job or a batch to its end, through broken connections."""

import time
from collections.abc import AsyncGenerator, Awaitable, Callable

from impasto_client._core.calls import Call
from impasto_client._core.session import Session
from impasto_client._core.sse import Event, EventParser
from impasto_client.errors import NoAnswer, ServiceError, TooManyRequests, WaitTimeout

# The service sends a comment every 15 s; a stream that is silent for longer is held back or dead.
SILENT_SECONDS = 20.0
# How late a time-out may be, so that a stream is not opened anew with every event before it.
SLACK_SECONDS = 1.0
MAX_PAUSE_SECONDS = 15.0
# Streams in a row that brought nothing, while the service did not answer other requests either.
MAX_FAILURES = 5


async def follow(
    session: Session,
    path: str,
    look: Callable[[float | None], Awaitable[bool]],
    deadline: float | None = None,
    last_id: str = "",
) -> AsyncGenerator[Event, None]:
    """Events from ``last_id`` on, to ``done``; one of type ``polled`` stands for news that no event brought.

    ``look(deadline)`` asks for the present state without events, and says whether it is an end. Whenever a
    stream ends, breaks or is silent, it is asked before the next stream is opened: so a proxy that holds
    events back makes it a poll. Raises WaitTimeout at the ``deadline``, a time of ``time.monotonic()``.
    """
    silent, failures, first_pause = 0, 0, 1.0
    while True:
        _require_time(deadline)
        parser = EventParser()
        parser.last_id = last_id
        left = SILENT_SECONDS if deadline is None else max(0.05, deadline - time.monotonic())
        read = min(SILENT_SECONDS, left)
        cut = False
        try:
            headers = {"Accept": "text/event-stream"} | ({"Last-Event-ID": last_id} if last_id else {})
            call = Call(method="GET", path=path, headers=headers, read_seconds=read)
            async with session.stream(call) as answer:
                async for chunk in answer.chunks():
                    for event in parser.feed(chunk):
                        last_id, silent, failures = event.id or last_id, 0, 0
                        yield event
                        if event.type == "done":
                            return
                    # A read that began now would end too late.
                    cut = deadline is not None and time.monotonic() + read > deadline + SLACK_SECONDS
                    if cut:
                        break
        except (NoAnswer, ServiceError, TooManyRequests):
            pass
        if cut:
            continue
        silent += 1
        first_pause = parser.retry or first_pause
        try:
            ended = await look(deadline)
            failures = 0
        except (NoAnswer, ServiceError, TooManyRequests):
            failures += 1
            if failures >= MAX_FAILURES:
                raise
            ended = False
        else:
            yield Event("polled", {})
        if ended:
            return
        pause = min(MAX_PAUSE_SECONDS, first_pause * 2.0 ** min(silent - 1, 4))
        if deadline is not None:
            pause = min(pause, max(0.0, deadline - time.monotonic()))
        await session.transport.sleep(pause)


def _require_time(deadline: float | None) -> None:
    if deadline is not None and time.monotonic() >= deadline:
        raise WaitTimeout("It has not ended in time. It goes on: wait again, or cancel it.")
