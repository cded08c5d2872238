"""A server of one file on a real socket, which misbehaves as it is told to."""

import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Answer:
    """How a request is answered: with a status of its own, or with the file.

    ``cut`` ends the body after so many bytes, and the connection too, or with ``stall`` it stays open and
    silent; ``slow`` sends 20 kB at a time, with a pause after each; ``ranges`` says whether parts are sent.
    """

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    stall: bool = False
    slow: bool = False
    ranges: bool = True


class Mirror:
    """The file and what the server does with it. ``answers`` are used up first, one for each request."""

    def __init__(self, url: str, data: bytes) -> None:
        self.url = url
        self.data = data
        self.headers = {"ETag": '"one"'}
        self.answers: list[Answer] = []
        self.usual = Answer()
        self.asked: list[str | None] = []
        """The header Range of each request."""


@contextmanager
def mirror(data: bytes) -> Iterator[Mirror]:
    """A server on a free port; ``Mirror.url`` is that of the folder in which any name is the file."""
    server = _Server(data)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.mirror
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, data: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.mirror = Mirror(f"http://127.0.0.1:{self.server_port}/models", data)
        self.ended = threading.Event()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        served = self.server.mirror
        answer = served.answers.pop(0) if served.answers else served.usual
        served.asked.append(self.headers["Range"])
        if answer.status is not None:
            self._send(answer.status, b"<html>no</html>", answer, {})
            return
        found = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
        wanted = self.headers["If-Range"]
        same = wanted is None or wanted in served.headers.values()
        if not (answer.ranges and found and same):
            self._send(200, served.data, answer, served.headers)
            return
        start, whole = int(found[1]), len(served.data)
        if start >= whole:
            self._send(416, b"", answer, {"Content-Range": f"bytes */{whole}"})
            return
        part = {"Content-Range": f"bytes {start}-{whole - 1}/{whole}", **served.headers}
        self._send(206, served.data[start:], answer, part)

    def _send(self, status: int, body: bytes, answer: Answer, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers, **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        body = body[: answer.cut]
        size = 20_000 if answer.slow else max(1, len(body))
        for start in range(0, len(body), size):
            self.wfile.write(body[start : start + size])
            self.wfile.flush()
            if answer.slow and self.server.ended.wait(0.05):
                return
        if answer.stall:
            self.server.ended.wait()
        if answer.cut is not None:
            self.close_connection = True

    def log_message(self, *_: Any) -> None:
        """Say nothing."""
