"""A reverse proxy that shows a service under a path, for tests; standard library alone."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# Of one connection alone (RFC 9110, section 7.6.1).
_HOP = {"connection", "keep-alive", "transfer-encoding", "upgrade"}
_CHUNK = 1 << 16


class Proxy(ThreadingHTTPServer):
    """Sends what is below ``prefix`` to ``target``, the URL of a service; all else is not found.

    ``strips`` leaves out the prefix, ``host`` takes the place of the Host that the browser sent. While
    ``is_away`` every answer is 502. The next ``lost`` answers of the service are lost: the connection breaks
    in their place.
    """

    daemon_threads = True

    def __init__(self, target: str, prefix: str, *, strips: bool, host: str | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.target = urlsplit(target).netloc
        self.prefix = prefix
        self.strips = strips
        self.host = host
        self.is_away = False
        self.lost = 0
        self._streams: set[socket.socket] = set()

    @property
    def origin(self) -> str:
        """What a browser calls it."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def break_off(self) -> None:
        """Break the streams that are open, as a restart of a proxy does."""
        for stream in list(self._streams):
            with suppress(OSError):
                stream.shutdown(socket.SHUT_RDWR)

    @contextmanager
    def streaming(self, upstream: socket.socket) -> Iterator[None]:
        """While a stream from the service is open."""
        self._streams.add(upstream)
        try:
            yield
        finally:
            self._streams.discard(upstream)

    @property
    def url(self) -> str:
        """Where it shows the service, without a slash at the end."""
        return self.origin + self.prefix


@contextmanager
def proxied(
    target: str, prefix: str = "", *, strips: bool = True, host: str | None = None
) -> Iterator[Proxy]:
    """A proxy on a free port."""
    proxy = Proxy(target, prefix, strips=strips, host=host)
    thread = threading.Thread(target=proxy.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield proxy
    finally:
        proxy.shutdown()
        thread.join()
        proxy.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def _forward(self) -> None:
        proxy = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if proxy.is_away or not self.path.startswith(proxy.prefix):
            self.send_error(502 if proxy.is_away else 404)
            return
        path = self.path.removeprefix(proxy.prefix) if proxy.strips else self.path
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP}
        if proxy.host is not None:
            headers["Host"] = proxy.host
        upstream = HTTPConnection(proxy.target)
        # Whoever reads a stream may leave before its next event.
        with suppress(BrokenPipeError, ConnectionResetError):
            try:
                upstream.request(self.command, path or "/", body or None, headers)
                self._answer(upstream)
            except ConnectionRefusedError:
                self.send_error(502)
            finally:
                upstream.close()

    def _answer(self, upstream: HTTPConnection) -> None:
        answer = upstream.getresponse()
        if self.server.lost:
            self.server.lost -= 1
            self.close_connection = True
            return
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP:
                self.send_header(name, value)
        # A body without a length ends with its connection.
        self.close_connection = answer.getheader("Content-Length") is None and answer.status != 204
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        self.end_headers()
        if self.command == "HEAD":
            return
        if not answer.getheader("Content-Type", "").startswith("text/event-stream"):
            self._copy(answer)
            return
        _end_with(self.connection, upstream.sock)
        with self.server.streaming(upstream.sock), suppress(HTTPException):
            self._copy(answer)

    def _copy(self, answer: HTTPResponse) -> None:
        while chunk := answer.read1(_CHUNK):
            self.wfile.write(chunk)

    do_GET = do_HEAD = do_POST = do_PATCH = do_DELETE = do_OPTIONS = _forward

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def _end_with(reader: socket.socket, upstream: socket.socket) -> None:
    """End a stream as soon as its reader is gone, as proxies do: its next event may be seconds away."""

    def watch() -> None:
        with suppress(OSError):
            reader.recv(1)
        with suppress(OSError):
            upstream.shutdown(socket.SHUT_RDWR)

    threading.Thread(target=watch, daemon=True).start()
