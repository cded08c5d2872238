"""A cheap load generator: prepared requests over raw connections, at a fixed rate."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
# Less than the keep-alive time-out of servers.
IDLE_SECONDS = 2.0


@dataclass
class Answers:
    """Responses: seconds from when a request was due to the end of its response, and statuses."""

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)

    def quantile(self, share: float) -> float:
        """The quantile of the times, in seconds."""
        ordered = sorted(self.seconds)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def request(method: str, path: str, headers: dict[str, str] | None = None, body: bytes = b"") -> bytes:
    """A whole HTTP/1.1 request."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def multipart(files: dict[str, bytes], fields: dict[str, str]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a form with pictures."""
    boundary = "impasto-benchmark"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    for name, data in files.items():
        head = f'Content-Disposition: form-data; name="{name}"; filename="{name}.jpg"'
        parts.append(f"--{boundary}\r\n{head}\r\nContent-Type: image/jpeg\r\n\r\n".encode() + data + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


async def _exchange(connection: Connection, data: bytes) -> int:
    reader, writer = connection
    writer.write(data)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status, length = int(head.split(" ", 2)[1]), 0
    for line in head.splitlines():
        name, _, value = line.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    await reader.readexactly(length)
    return status


async def _send_at_rate(port: int, make: Callable[[int], bytes], rate: float, count: int) -> Answers:
    answers = Answers()
    # The most recently used first; the server may have closed one that was idle for longer.
    idle: list[tuple[float, Connection]] = []

    async def connect() -> Connection:
        while idle:
            since, connection = idle.pop()
            if time.perf_counter() - since < IDLE_SECONDS:
                return connection
            connection[1].close()
        return await asyncio.open_connection("127.0.0.1", port)

    async def one(number: int, due: float) -> None:
        connection = await connect()
        status = await _exchange(connection, make(number))
        answers.seconds.append(time.perf_counter() - due)
        answers.statuses[status] = answers.statuses.get(status, 0) + 1
        idle.append((time.perf_counter(), connection))

    started = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(count):
            due = started + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            # From when it was due, so that a delay of the generator itself is counted.
            group.create_task(one(number, due))
    for _, (_, writer) in idle:
        writer.close()
    return answers


def send_at_rate(port: int, make: Callable[[int], bytes], *, rate: float, seconds: float) -> Answers:
    """Send requests to a port of this machine at a fixed rate, even if responses do not keep up."""
    return asyncio.run(_send_at_rate(port, make, rate, int(rate * seconds)))


async def _listen(
    port: int, data: bytes, count: int, seconds: float, at_end: Callable[[], None]
) -> list[int]:
    events = [0] * count

    async def one(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(data)
        try:
            while line := await reader.readline():
                events[number] += line.startswith(b"data: ")
        finally:
            writer.close()

    tasks = [asyncio.create_task(one(number)) for number in range(count)]
    await asyncio.sleep(seconds)
    await asyncio.to_thread(at_end)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return events


def listen(port: int, path: str, *, count: int, seconds: float, at_end: Callable[[], None]) -> list[int]:
    """Hold event streams open; returns the events of each. Calls ``at_end`` before they close."""
    return asyncio.run(_listen(port, request("GET", path), count, seconds, at_end))
