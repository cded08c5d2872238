"""How a stream of events ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from starlette.types import Message

from app.http.server_sent_events import HEADERS, EventStream
from tests.support.coroutines import run_in_thread


class Reader:
    """A reader of one stream, who may leave."""

    def __init__(self) -> None:
        self.left = asyncio.Event()
        self.got: list[bytes] = []

    async def receive(self) -> Message:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        self.got.append(message.get("body", b""))

    async def read(self, events: AsyncIterator[str]) -> None:
        await EventStream(events, headers=HEADERS)({"type": "http"}, self.receive, self.send)


async def endless(ended: list[str]) -> AsyncIterator[str]:
    try:
        yield "first\n\n"
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise
    finally:
        ended.append("closed")


async def two() -> AsyncIterator[str]:
    yield "first\n\n"
    yield "second\n\n"


async def impatient() -> AsyncIterator[str]:
    yield "first\n\n"
    raise TimeoutError


def test_a_stream_ends_with_its_last_event() -> None:
    async def run() -> None:
        reader = Reader()
        await reader.read(two())
        assert reader.got == [b"", b"first\n\n", b"second\n\n", b""]
        # Who leaves afterwards disturbs nothing.
        reader.left.set()
        await asyncio.sleep(0.01)
        assert len(asyncio.all_tasks()) == 1

    run_in_thread(run())


def test_the_events_are_cancelled_when_the_reader_leaves() -> None:
    async def run() -> None:
        reader, ended = Reader(), list[str]()
        reading = asyncio.create_task(reader.read(endless(ended)))
        await asyncio.sleep(0.01)
        assert not reading.done()
        reader.left.set()
        await asyncio.wait_for(reading, 5)
        assert ended == ["cancelled", "closed"]
        assert reader.got == [b"", b"first\n\n"]

    run_in_thread(run())


def test_a_stream_that_is_cancelled_says_so() -> None:
    async def run() -> None:
        reader, ended = Reader(), list[str]()
        reading = asyncio.create_task(reader.read(endless(ended)))
        await asyncio.sleep(0.01)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        assert ended == ["cancelled", "closed"]
        assert len(asyncio.all_tasks()) == 1

    run_in_thread(run())


def test_a_time_out_of_the_events_is_an_error() -> None:
    async def run() -> None:
        with pytest.raises(TimeoutError):
            await Reader().read(impatient())

    run_in_thread(run())
