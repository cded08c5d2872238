"""Server-sent events, as the HTML standard defines their stream."""

import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Event:
    """An event: its type, its data, and its id, from which a stream can go on."""

    type: str
    data: dict[str, Any]
    id: str = ""


class EventParser:
    """Cuts a stream of bytes into events."""

    def __init__(self) -> None:
        self.last_id = ""
        # Seconds to wait before a new connection, if the stream said so.
        self.retry: float | None = None
        self._rest = b""
        self._type = ""
        self._data: list[str] = []

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete with these bytes."""
        self._rest += chunk
        found = []
        while (end := _line_end(self._rest)) is not None:
            line, self._rest = self._rest[: end[0]], self._rest[end[1] :]
            event = self._take(line.decode(errors="replace"))
            if event is not None:
                found.append(event)
        return found

    def _take(self, line: str) -> Event | None:
        if not line:
            return self._dispatch()
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "event":
                self._type = value
            case "data":
                self._data.append(value)
            case "id" if "\0" not in value:
                self.last_id = value
            case "retry" if value.isdecimal():
                self.retry = int(value) / 1000
        return None

    def _dispatch(self) -> Event | None:
        kind, text = self._type or "message", "\n".join(self._data)
        self._type, self._data = "", []
        if not text:
            return None
        data = json.loads(text)
        return Event(kind, data if isinstance(data, dict) else {"value": data}, self.last_id)


def _line_end(text: bytes) -> tuple[int, int] | None:
    """Where the first line ends, and where the next one begins; None: it may go on."""
    found = [place for place in (text.find(b"\r"), text.find(b"\n")) if place >= 0]
    if not found:
        return None
    end = min(found)
    if text[end : end + 1] == b"\n":
        return end, end + 1
    if end + 1 == len(text):
        # A line feed may follow.
        return None
    return end, end + 2 if text[end + 1 : end + 2] == b"\n" else end + 1
