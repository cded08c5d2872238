"""Sends requests, again where that is safe, and turns refusals into errors."""

import email.utils
import hashlib
import json
import os
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from impasto_client._core.calls import Call, Repeat
from impasto_client._core.transport import CHUNK, Streamed, Transport
from impasto_client.errors import ApiError, NoAnswer, NotFound, ServiceError, UnexpectedAnswer, api_error
from impasto_client.retries import Retries

M = TypeVar("M", bound=BaseModel)
T = TypeVar("T")

AGAIN = {429, 502, 503, 504}
# No byte of the request has left.
NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
# The usual mode of a new file; a temporary file is private.
FILE_MODE = 0o666


@dataclass(frozen=True)
class Answer:
    """A whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The JSON in the body."""
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise UnexpectedAnswer(f"The answer is no JSON: {self.body[:100]!r}.") from error

    def model(self, cls: type[M]) -> M:
        """The JSON in the body as a model."""
        try:
            return cls.model_validate_json(self.body)
        except ValidationError as error:
            raise UnexpectedAnswer(
                f"The answer is no {cls.__name__} of Impasto, or of another version of it: {error}"
            ) from error


@dataclass(frozen=True)
class Session:
    """A service, and how to reach it."""

    transport: Transport
    retries: Retries

    async def send(self, call: Call) -> Answer:
        """Send a request; again if that is safe. Raises ApiError, NoAnswer."""
        if call.method == "POST" and not call.idempotency_key:
            # One for all attempts, so that they make one thing.
            call = replace(call, idempotency_key=uuid.uuid4().hex)

        async def attempt() -> Answer:
            async with self.stream(call) as streamed:
                return Answer(streamed.status, streamed.headers, await streamed.read())

        return await self._repeat(call, attempt)

    async def get(self, path: str, cls: type[M], **query: Any) -> M:
        """What a GET answers, as a model."""
        return (await self.send(Call(method="GET", path=path, query=query))).model(cls)

    async def post(self, path: str, cls: type[M]) -> M:
        """What a POST without a body answers, as a model."""
        return (await self.send(Call(method="POST", path=path))).model(cls)

    async def delete(self, path: str) -> None:
        """Delete something. That it is gone after an attempt whose answer was lost is no error."""
        lost = False

        async def attempt() -> None:
            nonlocal lost
            try:
                async with self.stream(call):
                    pass
            except NoAnswer as error:
                lost |= error.sent
                raise
            except ServiceError:
                lost = True
                raise
            except NotFound:
                if not lost:
                    raise

        call = Call(method="DELETE", path=path)
        await self._repeat(call, attempt)

    @asynccontextmanager
    async def stream(self, call: Call) -> AsyncIterator[Streamed]:
        """Send a request once, and read its answer as it arrives. Raises ApiError, NoAnswer."""
        try:
            async with self.transport.stream(call) as streamed:
                await _raise_for_status(streamed)
                yield streamed
        except httpx.TransportError as error:
            raise self._no_answer(error) from error

    async def download(
        self,
        path: str,
        target: Path,
        read_seconds: float | None = None,
        sha256: str | None = None,
        **query: Any,
    ) -> Path:
        """Write what a GET answers to a file as it arrives; the file is there once it is complete.

        That is seen by its length, or by the hash if that is known: a proxy may send no length.
        """
        call = Call(method="GET", path=path, query=query, read_seconds=read_seconds)
        in_thread = self.transport.in_thread

        async def attempt() -> Path:
            digest = hashlib.sha256()
            async with self.stream(call) as streamed:
                file, temporary = await in_thread(_open_beside, target)
                try:
                    with file:
                        async for chunk in streamed.chunks(CHUNK):
                            digest.update(chunk)
                            await in_thread(file.write, chunk)
                    if sha256 not in (None, digest.hexdigest()):
                        raise NoAnswer(f"What came of {path} is damaged, or a part of it.", sent=True)
                    await in_thread(_put_in_place, temporary, target)
                except BaseException:
                    temporary.unlink(missing_ok=True)
                    raise
                return target

        return await self._repeat(call, attempt)

    async def _repeat(self, call: Call, attempt: Callable[[], Awaitable[T]]) -> T:
        failures = 0
        while True:
            try:
                return await attempt()
            except (ApiError, NoAnswer) as error:
                failures += 1
                await self.pause_after(error, call, failures)

    async def pause_after(self, error: ApiError | NoAnswer, call: Call, failures: int) -> None:
        """Wait before a request is sent again after so many failures; raise the error if it must not be."""
        match error:
            case ApiError(status=429):
                may_repeat = True
            case ApiError():
                may_repeat = call.repeat is Repeat.ALWAYS and error.status in AGAIN
            case NoAnswer():
                may_repeat = call.repeat is Repeat.ALWAYS or not error.sent
        retry_after = error.retry_after if isinstance(error, ApiError) else None
        delay = self.retries.delay(failures, retry_after)
        if not may_repeat or delay is None or _too_late(call, delay):
            raise error
        await self.transport.sleep(delay)

    def _no_answer(self, error: httpx.TransportError) -> NoAnswer:
        reason = str(error) or type(error).__name__
        if isinstance(error, NOT_SENT):
            text = (
                f"No service answers at {self.transport.base_url} ({reason}). Start one with "
                "`impasto serve`, or name another with Client(url) or IMPASTO_URL."
            )
            return NoAnswer(text, sent=False)
        return NoAnswer(f"The connection to {self.transport.base_url} broke: {reason}.", sent=True)


def _too_late(call: Call, delay: float) -> bool:
    return call.deadline is not None and time.monotonic() + delay > call.deadline


async def _raise_for_status(streamed: Streamed) -> None:
    if streamed.status < 400:
        return
    body = await streamed.read()
    try:
        problem = json.loads(body)
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        # Not of the service: of a proxy before it.
        problem = {"type": "http_error", "detail": body[:200].decode(errors="replace")}
    raise api_error(streamed.status, problem, _retry_after(streamed.headers.get("retry-after")))


def _retry_after(text: str | None) -> float | None:
    """Seconds, from a number or a date (RFC 9110, section 10.2.3)."""
    if text is None:
        return None
    if text.strip().isdecimal():
        return float(text)
    try:
        date = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, date.timestamp() - time.time())


def _open_beside(target: Path) -> tuple[Any, Path]:
    if not target.parent.is_dir():
        raise FileNotFoundError(f"There is no folder {target.parent}.")
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    return os.fdopen(descriptor, "wb"), Path(name)


def _put_in_place(temporary: Path, target: Path) -> None:
    umask = os.umask(0)
    os.umask(umask)
    temporary.chmod(FILE_MODE & ~umask)
    temporary.replace(target)
