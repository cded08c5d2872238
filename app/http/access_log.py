"""The log of requests, and the id by which each is found in it and in the logs of its jobs."""

import logging
import re
import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.database.ids import is_id, new_id
from app.http.root_path import route_path
from app.log_context import FIELDS, MAX_REQUEST_ID, begin_request

log = logging.getLogger("app.http.access")

HEADER = "X-Request-ID"
MAX_PATH = 500

# What proxies and clients make: UUIDs, numbers, base64, `Root=1-...`. Nothing that could end a line.
_SANE = re.compile(rf"[A-Za-z0-9._~:;=+/@-]{{1,{MAX_REQUEST_ID}}}")
_MADE = re.compile(r"/v1/(jobs|batches)/([0-9a-f-]{36})")
# Asked for every few seconds by machines: logged only if they fail, or at DEBUG.
_PROBES = {"/healthz", "/readyz", "/metrics"}


class RequestLog:
    """Gives every request an id, and logs it once its answer has ended, as event streams do after minutes.

    The id is that of the header X-Request-ID if it is sane, else a new one. The answer names it in the same
    header, problems in ``request_id``, and the log with every line of the request. Queries are not logged.
    """

    def __init__(self, app: ASGIApp, logs_requests: bool) -> None:
        self.app = app
        self.logs_requests = logs_requests

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get(HEADER, "")
        request_id = given if _SANE.fullmatch(given) else new_id()
        begin_request(request_id)
        answer = _Answer()

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers[HEADER] = request_id
                answer.status, answer.location = int(message["status"]), headers.get("location", "")
            elif message["type"] == "http.response.body":
                answer.bytes += len(message.get("body", b""))
            await send(message)

        try:
            await self.app(scope, receive, noted)
        except Exception:
            # What is answered now comes from outside of all middleware.
            answer.status = answer.status or int(HTTPStatus.INTERNAL_SERVER_ERROR)
            raise
        finally:
            if self.logs_requests:
                answer.log(scope)


class _Answer:
    """What is known of the answer to a request; ``status`` is None if the client went away before it."""

    def __init__(self) -> None:
        self.status: int | None = None
        self.bytes = 0
        self.location = ""
        self._began = time.perf_counter()

    def log(self, scope: Scope) -> None:
        """Log one line."""
        path = _printable(scope.get("raw_path") or scope["path"].encode())
        milliseconds = round(1000 * (time.perf_counter() - self._began), 1)
        fields: dict[str, object] = {
            "method": scope["method"],
            "path": path,
            "status": self.status,
            "duration_ms": milliseconds,
            "bytes": self.bytes,
            **self._subjects(scope),
        }
        is_probe = (
            route_path(scope) in _PROBES and self.status is not None and self.status < HTTPStatus.BAD_REQUEST
        )
        status = "-" if self.status is None else str(self.status)
        log.log(
            logging.DEBUG if is_probe else logging.INFO,
            *("%s %s %s %.1f ms %d B", scope["method"], path, status, milliseconds, self.bytes),
            extra={FIELDS: fields},
        )

    def _subjects(self, scope: Scope) -> dict[str, str]:
        """The ids of the job and the batch that the path names, or that the request has made."""
        params = scope.get("path_params", {})
        found = {name: params[name] for name in ("job_id", "batch_id") if is_id(params.get(name, ""))}
        made = _MADE.fullmatch(self.location.removeprefix(scope.get("root_path", "")))
        if made:
            found["batch_id" if made[1] == "batches" else "job_id"] = made[2]
        return found


def _printable(path: bytes) -> str:
    """A path as it was sent, on one line of ASCII."""
    shown = "".join(chr(byte) if 0x21 <= byte <= 0x7E else f"%{byte:02X}" for byte in path[: MAX_PATH + 1])
    return shown if len(path) <= MAX_PATH else f"{shown[:MAX_PATH]}..."
