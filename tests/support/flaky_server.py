"""A real HTTP server that answers as it is told, for tests of clients: refuses, breaks off, then works."""

import json
import socket
import struct
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Reply:
    """An answer. ``breaks_after`` bytes of the body the connection breaks; before the first of them at -1."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_after: int | None = None
    # Seconds of silence after the body, with the connection open.
    silent_for: float = 0.0

    @classmethod
    def of(cls, value: Any, status: int = 200, **more: Any) -> "Reply":
        """An answer in JSON."""
        return cls(status, json.dumps(value).encode(), **more)


# The connection breaks in the place of an answer.
DROPPED = Reply(breaks_after=-1)


@dataclass(frozen=True)
class Request:
    """What came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class FlakyServer:
    """Answers each request with the next of the replies of its path, the last of them ever again."""

    def __init__(self, port: int = 0) -> None:
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        self._released = threading.Event()
        self._server = _Server(("127.0.0.1", port), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, route: str, *replies: Reply) -> None:
        """How requests to ``route``, such as `GET /v1/jobs`, are answered from now on."""
        self.replies[route] = list(replies)

    def sent(self, route: str) -> list[Request]:
        """The requests to a route so far."""
        return [each for each in self.requests if f"{each.method} {each.path.partition('?')[0]}" == route]

    def take(self, request: Request) -> Reply:
        """The reply to a request."""
        with self._lock:
            self.requests.append(request)
            route = f"{request.method} {request.path.partition('?')[0]}"
            replies: Sequence[Reply] = self.replies.get(route, [Reply.of({"type": "unknown"}, 404)])
            if len(replies) > 1:
                return self.replies[route].pop(0)
            return replies[0]

    def keep_silent(self, seconds: float) -> None:
        """Wait, or until the server stops."""
        self._released.wait(seconds)

    @contextmanager
    def running(self) -> Iterator["FlakyServer"]:
        """The server, in a thread of its own."""
        self._thread.start()
        try:
            yield self
        finally:
            self._released.set()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True


def _handler(server: FlakyServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            reply = server.take(Request(self.command, self.path, headers, body))
            if reply.breaks_after == -1:
                self._break()
                return
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            if reply.silent_for:
                self.send_header("Connection", "close")
                self.close_connection = True
            elif reply.status != 204:
                self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            self.wfile.write(reply.body[: reply.breaks_after])
            self.wfile.flush()
            if reply.breaks_after is not None:
                self._break()
            elif reply.silent_for:
                server.keep_silent(reply.silent_for)

        do_GET = do_POST = do_DELETE = do_PATCH = handle_any

        def _break(self) -> None:
            # With this option, a close resets the connection.
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            self.connection.close()

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
