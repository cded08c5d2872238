"""The two ways to reach a service. Both have coroutines; those of ``BlockingTransport`` never suspend."""

import asyncio
import ipaddress
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, ParamSpec, Protocol, TypeVar

import httpx

from impasto_client._core.calls import CONNECT_SECONDS, Call
from impasto_client.errors import UnexpectedAnswer

P = ParamSpec("P")
T = TypeVar("T")

CHUNK = 1 << 20
# The service closes a connection that idles for 5 s; one that it is about to close must not be used.
LIMITS = httpx.Limits(max_connections=100, max_keepalive_connections=20, keepalive_expiry=2.0)


class Streamed(Protocol):
    """An answer whose body has not been read."""

    @property
    def status(self) -> int:
        """The HTTP status."""

    @property
    def headers(self) -> Mapping[str, str]:
        """The headers, whatever their case."""

    def chunks(self, size: int | None = None) -> AsyncGenerator[bytes, None]:
        """The body as it arrives, or in pieces of a size."""

    async def read(self) -> bytes:
        """The whole body."""


class Transport(Protocol):
    """What the core needs of the world."""

    base_url: str

    def stream(self, call: Call) -> AbstractAsyncContextManager[Streamed]:
        """Send a request once. Raises httpx.TransportError."""

    async def sleep(self, seconds: float) -> None:
        """Wait."""

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks."""

    async def close(self) -> None:
        """Close all connections."""


def _options(base_url: str, timeout: float, headers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "base_url": base_url,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS)),
        "headers": {"User-Agent": "impasto-client", **headers},
        "limits": LIMITS,
        # A proxy is of no use to reach this machine.
        "trust_env": not _is_here(httpx.URL(base_url).host),
        "follow_redirects": True,
    }


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _below(root: str, path: str) -> str:
    """A path below the URL of the service, whose answers name the whole path of theirs."""
    return path.removeprefix(root) if path.startswith(f"{root}/") else path


def _require_asked(call: Call, response: httpx.Response) -> None:
    """Raise UnexpectedAnswer if a redirect made a GET of what was to change something: it was not done."""
    if response.request.method != call.method:
        raise UnexpectedAnswer(
            f"{response.history[0].url} sends on to {response.url}, where the {call.method} is lost. Name "
            "the service there with Client(url) or IMPASTO_URL."
        )


def _timeout(call: Call, usual: httpx.Timeout) -> httpx.Timeout:
    if call.read_seconds is None:
        return usual
    return httpx.Timeout(connect=usual.connect, read=call.read_seconds, write=usual.write, pool=usual.pool)


@dataclass
class _Blocking:
    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def chunks(self, size: int | None = None) -> AsyncGenerator[bytes, None]:
        for chunk in self.response.iter_bytes(size):
            yield chunk

    async def read(self) -> bytes:
        return self.response.read()


@dataclass
class _Waiting:
    response: httpx.Response

    @property
    def status(self) -> int:
        return self.response.status_code

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    async def chunks(self, size: int | None = None) -> AsyncGenerator[bytes, None]:
        async for chunk in self.response.aiter_bytes(size):
            yield chunk

    async def read(self) -> bytes:
        return await self.response.aread()


class BlockingTransport:
    """Blocks the thread."""

    def __init__(self, base_url: str, timeout: float, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        self._below = partial(_below, httpx.URL(base_url).path.rstrip("/"))
        self._client = httpx.Client(**_options(base_url, timeout, headers))

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[Streamed]:
        """Send a request once. Raises httpx.TransportError."""
        timeout = _timeout(call, self._client.timeout)
        with (
            call.options() as options,
            self._client.stream(call.method, self._below(call.path), timeout=timeout, **options) as response,
        ):
            _require_asked(call, response)
            yield _Blocking(response)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks."""
        return function(*args, **kwargs)

    async def close(self) -> None:
        """Close all connections."""
        self._client.close()

    def __del__(self) -> None:
        # A job may outlive the client that made it: only here is it known that nobody uses the connections.
        with suppress(Exception):
            self._client.close()


class WaitingTransport:
    """Waits in the event loop of asyncio."""

    def __init__(self, base_url: str, timeout: float, headers: Mapping[str, str]) -> None:
        self.base_url = base_url
        self._below = partial(_below, httpx.URL(base_url).path.rstrip("/"))
        self._client = httpx.AsyncClient(**_options(base_url, timeout, headers))

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[Streamed]:
        """Send a request once. Raises httpx.TransportError."""
        timeout = _timeout(call, self._client.timeout)
        with call.options() as options:
            async with self._client.stream(
                call.method, self._below(call.path), timeout=timeout, **options
            ) as response:
                _require_asked(call, response)
                yield _Waiting(response)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call what blocks."""
        return await asyncio.to_thread(function, *args, **kwargs)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
