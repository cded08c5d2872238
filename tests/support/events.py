"""Reads streams of server-sent events."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx


@dataclass
class Received:
    id: str
    type: str
    data: dict[str, Any]


def read_events(response: httpx.Response) -> Iterator[Received]:
    fields: dict[str, str] = {}
    for line in response.iter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
            continue
        if "event" in fields:
            yield Received(fields["id"], fields["event"], json.loads(fields["data"]))
        fields = {}


def listen(url: str, last_id: str | None = None) -> list[Received]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with httpx.stream("GET", url, headers=headers, timeout=30) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(read_events(response))
