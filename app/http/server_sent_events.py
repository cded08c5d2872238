"""What streams of server-sent events have in common."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from fastapi import Header
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from app.http.errors import InvalidRequest

MEDIA_TYPE = "text/event-stream"
# Seconds between comments, which keep proxies from closing an idle stream.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = ": alive\n\n"
# How long a browser waits before it reconnects to a broken stream.
RETRY = "retry: 1000\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class EventStream(StreamingResponse):
    """Events as they come, until the last or until the reader leaves.

    A stream that waits for hours keeps one task besides that of its request, where the base class keeps two
    and a task group: less than half the memory.
    """

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events; as soon as the reader leaves, the iterator is cancelled."""

        async def stop_without_reader() -> None:
            await self.listen_for_disconnect(receive)
            reading.reschedule(0.0)

        try:
            async with asyncio.timeout(None) as reading:
                watching = asyncio.create_task(stop_without_reader())
                try:
                    await self.stream_response(send)
                finally:
                    watching.cancel()
        except TimeoutError:
            if not reading.expired():
                raise


def last_event_id(form: str) -> Any:
    """The header of a reader that comes back, for a stream whose ids are of this form, a regular expression.

    Of the description alone: the route refuses what is of another form with ``bad_id``. Empty is none.
    """
    return Header(
        alias="Last-Event-ID",
        description="The id of the last event that arrived.",
        json_schema_extra={"pattern": f"^({form})?$"},
    )


def format_event(identity: str, event: str, data: Mapping[str, object]) -> str:
    """An event as it is sent."""
    return f"id: {identity}\nevent: {event}\ndata: {json.dumps(data)}\n\n"


def bad_id(text: str, what: str = "not an id of this stream") -> InvalidRequest:
    """The error of a Last-Event-ID that the stream never sent."""
    detail = f"{text!r} is {what}: send none to get all events."
    return InvalidRequest.at("Last-Event-ID", detail)
