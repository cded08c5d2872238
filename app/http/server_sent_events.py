"""What streams of server-sent events have in common."""

import json
from collections.abc import Mapping
from typing import Annotated

from fastapi import Header

from app.http.errors import InvalidRequest

MEDIA_TYPE = "text/event-stream"
# Seconds between comments, which keep proxies from closing an idle stream.
HEARTBEAT_SECONDS = 15.0
HEARTBEAT = ": alive\n\n"
# How long a browser waits before it reconnects to a broken stream.
RETRY = "retry: 1000\n\n"
HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}

LastEventId = Annotated[
    str | None, Header(alias="Last-Event-ID", description="The id of the last event that arrived.")
]


def format_event(identity: str, event: str, data: Mapping[str, object]) -> str:
    """An event as it is sent."""
    return f"id: {identity}\nevent: {event}\ndata: {json.dumps(data)}\n\n"


def bad_id(text: str) -> InvalidRequest:
    """The error of a Last-Event-ID that the stream never sent."""
    detail = f"{text!r} is not an id of this stream: send none to get all events."
    return InvalidRequest.at("Last-Event-ID", detail)
