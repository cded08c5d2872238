"""Reads a form whose files are too large to be kept twice: their bytes go where they stay as they arrive."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import anyio
from anyio import from_thread, to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from app.http.bodies import FORM, MAX_JSON_BYTES, media_type_of, parse_json_object, require_utf8
from app.http.errors import BodyError, IncompleteBody, InvalidForm, JsonTooLarge, UnsupportedBody
from app.http.forms import disposition_options

T = TypeVar("T")

# At a time: each has a thread for as long as its client sends, apart from those of all other requests.
MAX_UPLOADS = 16
# A client that sends nothing for this long loses its thread to those that wait for one.
IDLE_SECONDS = 60.0
# One file, and the texts beside it.
MAX_PARTS = 16
_uploads = anyio.CapacityLimiter(MAX_UPLOADS)


@dataclass(frozen=True)
class Part:
    """A part of a form. ``chunks`` are its bytes as they arrive, until the next part is asked for."""

    name: str
    filename: str | None
    chunks: Iterator[bytes]

    def read(self, most: int) -> bytes:
        """All of its bytes. Raises JsonTooLarge for more than ``most``."""
        data = bytearray()
        for chunk in self.chunks:
            data += chunk
            if len(data) > most:
                raise JsonTooLarge(most, self.name)
        return bytes(data)

    def read_json(self) -> dict[str, Any]:
        """Its bytes as a JSON object. Raises JsonTooLarge, InvalidJson, NotAnObject, TooManyFields."""
        return parse_json_object(self.read(MAX_JSON_BYTES), self.name)


async def in_upload_thread(receive: Callable[[Iterator[Part]], T], request: Request) -> T:
    """Call ``receive`` in a thread with the parts of the form that a request's body is.

    Raises UnsupportedBody for another body, and InvalidForm while the parts are read.
    """
    boundary = _boundary(request)
    return await _in_thread(
        lambda next_chunk: receive(_parts(boundary, next_chunk)), request, InvalidForm("it broke off")
    )


async def body_in_upload_thread(receive: Callable[[Iterator[bytes]], T], request: Request) -> T:
    """Call ``receive`` in a thread with the bytes of a request's body, as they arrive.

    Raises IncompleteBody while they are read.
    """
    return await _in_thread(lambda next_chunk: receive(iter(next_chunk, b"")), request, IncompleteBody())


async def _in_thread(
    receive: Callable[[Callable[[], bytes]], T], request: Request, broken_off: BodyError
) -> T:
    """Call ``receive`` in a thread with what gives the next bytes of a body, b"" after the last."""
    stream = request.stream()

    async def next_chunk() -> bytes:
        try:
            with anyio.fail_after(IDLE_SECONDS):
                # Starlette's stream gives b"" only at the end.
                return await anext(stream, b"")
        except (ClientDisconnect, TimeoutError):
            raise broken_off from None

    return await to_thread.run_sync(partial(receive, partial(from_thread.run, next_chunk)), limiter=_uploads)


def is_form(request: Request) -> bool:
    """Whether the body says that it is a form with files."""
    return media_type_of(request.headers.get("content-type", "")) == FORM


def _boundary(request: Request) -> bytes:
    content_type, options = parse_options_header(request.headers.get("content-type", ""))
    if content_type != FORM.encode():
        raise UnsupportedBody(content_type.decode("latin-1"))
    require_utf8(options)
    if not options.get(b"boundary"):
        raise InvalidForm("the header Content-Type names no boundary", "Content-Type")
    return options[b"boundary"]


@contextmanager
def _refusing() -> Iterator[None]:
    """Raise InvalidForm for what the parser refuses, such as a boundary that is too long."""
    try:
        yield
    except FormParserError as error:
        raise InvalidForm(str(error)) from None


class _Events:
    """What the parser finds: the start of a part with its headers, its bytes, its end."""

    def __init__(self, boundary: bytes) -> None:
        self.found: deque[tuple[str, Any]] = deque()
        self._field, self._value = b"", b""
        self._headers: dict[bytes, bytes] = {}
        with _refusing():
            self._parser = MultipartParser(
                boundary,
                {
                    "on_header_field": self._on_field,
                    "on_header_value": self._on_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers,
                    "on_part_data": lambda data, start, end: self.found.append(("data", data[start:end])),
                    "on_part_end": lambda: self.found.append(("end", None)),
                    "on_end": lambda: self.found.append(("last", None)),
                },
            )

    def feed(self, chunk: bytes) -> None:
        """Parse some more bytes."""
        with _refusing():
            self._parser.write(chunk)

    def _on_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._field.lower()] = self._value
        self._field, self._value = b"", b""

    def _on_headers(self) -> None:
        options = disposition_options(self._headers.get(b"content-disposition", b""))
        self._headers = {}
        if b"name" not in options:
            raise InvalidForm("a part has no name")
        name = options[b"name"].decode(errors="replace")
        filename = options.get(b"filename")
        self.found.append(("part", (name, None if filename is None else filename.decode(errors="replace"))))


def _parts(boundary: bytes, receive: Callable[[], bytes]) -> Iterator[Part]:
    """The parts of a form whose bytes ``receive`` gives, b"" after the last. Raises InvalidForm."""
    events = _Events(boundary)

    def next_event() -> tuple[str, Any]:
        while not events.found:
            chunk = receive()
            if not chunk:
                raise InvalidForm("it ends before its last boundary")
            events.feed(chunk)
        return events.found.popleft()

    def content() -> Iterator[bytes]:
        while True:
            kind, value = next_event()
            if kind == "end":
                return
            yield value

    for _ in range(MAX_PARTS):
        kind, value = next_event()
        if kind == "last":
            # The rest of the body is of no interest, but has to be read for the connection to go on.
            while receive():
                pass
            return
        part = Part(value[0], value[1], content())
        yield part
        for _ in part.chunks:
            pass
    raise InvalidForm(f"it has more than {MAX_PARTS} parts")
