"""Middleware of every request: a limit for the body, checks of the origin, and security headers.

Plain ASGI, so that bodies and event streams are not buffered.
"""

import re
from collections.abc import Collection, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.errors import ServiceError
from app.http.bodies import FORM, media_type_of, stated_bytes
from app.http.errors import CrossOrigin, EncodedBody, HttpError, JsonTooLarge, RequestTooLarge
from app.http.problems import problem_response
from app.http.root_path import route_path

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}

# What pages of allowed origins may send, and may read, beside what CORS allows anyway.
REQUEST_HEADERS = (
    "Idempotency-Key",
    "If-None-Match",
    "If-Range",
    "Impasto-Priority",
    "Last-Event-ID",
    "Prefer",
    "Range",
    "X-Request-ID",
)
RESPONSE_HEADERS = (
    "Accept-Ranges",
    "Content-Disposition",
    "Content-Range",
    "ETag",
    "Link",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "X-Request-ID",
)

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class BodyLimit:
    """Answers 413 to a body over the limit, also to a chunked one, and 415 to one that is compressed.

    ``form_limits`` are those of forms with files, by the paths that take them, as routes write them;
    ``other_limits`` those of other bodies, by path and media type, each with the error of one that is larger;
    any other body may have ``max_json_bytes``.
    """

    def __init__(
        self,
        app: ASGIApp,
        max_json_bytes: int,
        form_limits: Mapping[str, int],
        other_limits: Mapping[tuple[str, str], tuple[int, ServiceError]],
    ) -> None:
        self.app = app
        self.max_json_bytes = max_json_bytes
        self.other_limits = other_limits
        self.form_limits = [
            (re.compile(re.sub(r"{\w+}", "[^/]+", path)), limit) for path, limit in form_limits.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the bytes of the body, and stop at the limit."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        encoding = headers.get("content-encoding", "").strip().lower()
        if encoding not in ("", "identity") and scope["method"] not in SAFE_METHODS:
            # What is in it would be taken for damaged.
            await problem_response(EncodedBody(encoding))(scope, receive, send)
            return
        max_bytes, error = self._limit(route_path(scope), headers.get("content-type", ""))
        if stated_bytes(headers) > max_bytes:
            await problem_response(error)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise error
            return message

        await self.app(scope, counted, send)

    def _limit(self, path: str, content_type: str) -> tuple[int, ServiceError]:
        media_type = media_type_of(content_type)
        if (path, media_type) in self.other_limits:
            return self.other_limits[path, media_type]
        if media_type == FORM:
            for pattern, max_bytes in self.form_limits:
                if pattern.fullmatch(path):
                    return max_bytes, RequestTooLarge(max_bytes)
        return self.max_json_bytes, JsonTooLarge(self.max_json_bytes)


class SameOrigin:
    """Refuses writes that a page of another site sends through a visitor's browser, unless it is allowed."""

    def __init__(self, app: ASGIApp, allowed: Collection[str] = ()) -> None:
        self.app = app
        self.allowed = allowed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Compare Origin, which browsers send with every write, with Host."""
        if scope["type"] == "http" and scope["method"] not in SAFE_METHODS:
            headers = Headers(scope=scope)
            origin = headers.get("origin")
            if origin is not None and not self._is_accepted(origin, headers.get("host", "")):
                await problem_response(CrossOrigin(origin))(scope, receive, send)
                return
        await self.app(scope, receive, send)

    def _is_accepted(self, origin: str, host: str) -> bool:
        return "*" in self.allowed or origin in self.allowed or _host_of(origin) == host.lower()


def _host_of(origin: str) -> str | None:
    """Host and port of an origin; None if it has none, as `null` has, or cannot be read."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


class AllowedOrigins(CORSMiddleware):
    """Lets pages of these origins call the API (CORS). A preflight that is refused gets a problem."""

    def __init__(self, app: ASGIApp, origins: Collection[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("DELETE", "GET", "HEAD", "PATCH", "POST"),
            allow_headers=REQUEST_HEADERS,
            expose_headers=RESPONSE_HEADERS,
            allow_private_network=True,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """What a browser gets that asks whether a page may send a request."""
        response = super().preflight_response(request_headers)
        if response.status_code == HTTPStatus.OK:
            return response
        if not self.is_allowed_origin(request_headers["origin"]):
            return problem_response(CrossOrigin(request_headers["origin"]))
        refused = HTTPException(response.status_code, bytes(response.body).decode())
        return problem_response(HttpError(refused))


class SecurityHeaders:
    """Adds security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers that the response does not set itself."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        await self.app(scope, receive, with_headers)
