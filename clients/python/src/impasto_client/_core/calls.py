"""Requests as values, so that each attempt can build its own."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import IO, Any

# Seconds; the service answers anything but an upload or a stream far sooner.
CONNECT_SECONDS = 10.0


class Repeat(Enum):
    """What may be sent again without harm."""

    # Sent twice, it does what it does once.
    ALWAYS = "always"
    # Only if the first attempt certainly did nothing: there was no connection, or the answer was 429.
    UNDONE = "undone"


@dataclass(frozen=True)
class Blob:
    """A file to send: its name, and its bytes or where they are."""

    name: str
    data: bytes | Path


@dataclass(frozen=True)
class Form:
    """A multipart form: files by field, in order, and texts."""

    files: Sequence[tuple[str, Blob]]
    texts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Json:
    """A JSON body."""

    value: Any


@dataclass(frozen=True)
class Content:
    """A body of bytes."""

    data: bytes
    media_type: str


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request. ``deadline`` is a time of ``time.monotonic()`` after which it is not sent again.

    ``idempotency_key`` is for a POST, which gets one of its own if there is none.
    """

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    body: Form | Json | Content | None = None
    repeat: Repeat = Repeat.ALWAYS
    read_seconds: float | None = None
    deadline: float | None = None

    @contextmanager
    def options(self) -> Iterator[dict[str, Any]]:
        """The arguments of httpx for one attempt; files are open within the context."""
        query = {name: value for name, value in self.query.items() if value is not None}
        options: dict[str, Any] = {"headers": dict(self.headers)}
        if self.idempotency_key is not None:
            options["headers"]["Idempotency-Key"] = self.idempotency_key
        if query:
            options["params"] = query
        with ExitStack() as files:
            match self.body:
                case Json(value):
                    options["content"] = json.dumps(value, default=plain).encode()
                    options["headers"]["Content-Type"] = "application/json"
                case Content(data, media_type):
                    options["content"] = data
                    options["headers"]["Content-Type"] = media_type
                case Form(parts, texts):
                    options["files"] = [(name, (blob.name, _open(blob, files))) for name, blob in parts]
                    options["data"] = dict(texts)
            yield options


def _open(blob: Blob, files: ExitStack) -> bytes | IO[bytes]:
    return blob.data if isinstance(blob.data, bytes) else files.enter_context(blob.data.open("rb"))


def plain(value: object) -> Any:
    """What JSON knows in the place of another sequence or mapping."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence):
        return list(value)
    raise TypeError(f"{value!r} ({type(value).__name__}) cannot be sent as a param")
