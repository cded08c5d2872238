"""Tokens in a real Redis: as many as the workers of a lane can use, however many jobs wait."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from sqlalchemy import Engine

from app.database.engine import make_engine, write
from app.database.migrations import upgrade
from app.jobs import repository
from app.jobs.dispatch.celery import CeleryDispatcher
from app.jobs.repository import NewJob
from app.workers import repository as workers
from tests.support.redis import RedisServer, redis_server
from tests.support.service import wait_for

pytestmark = pytest.mark.server

QUEUE = "impasto:lane.long"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    url = f"sqlite:///{tmp_path / 'test.db'}"
    upgrade(url)
    engine = make_engine(url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    try:
        with redis_server(tmp_path_factory.mktemp("redis")) as server:
            yield server
    except FileNotFoundError as error:
        pytest.skip(str(error))


@pytest.fixture
def client(server: RedisServer) -> Iterator["redis.Redis[bytes]"]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def dispatcher(server: RedisServer, client: "redis.Redis[bytes]") -> Iterator[CeleryDispatcher]:
    dispatcher = CeleryDispatcher(server.url)
    yield dispatcher
    dispatcher.close()


def add(engine: Engine, count: int, lane: str = "long") -> list[str]:
    with write(engine) as connection:
        return repository.insert_jobs(connection, "b", [NewJob("k", lane, {}, batch_id="b")] * count)


def register(engine: Engine, count: int, lane: str = "long") -> None:
    for n in range(count):
        workers.register(engine, worker_id=f"{lane}-{n}", lanes=[lane], device="cpu", host="h", pid=n)


def settled(client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher) -> dict[str, int]:
    """The lengths of the queues, once all that the dispatcher was told to do is done."""
    marks: list[bool] = []
    dispatcher._put(lambda: marks.append(True))
    wait_for(lambda: bool(marks))
    return {name.decode(): client.llen(name) for name in client.keys("impasto:lane.*")}


def test_hints_leave_no_more_tokens_than_workers_can_use(
    client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher, database: Engine
) -> None:
    # No worker is known yet, and one may start at any time.
    for _ in range(50):
        dispatcher.hint("long")
        dispatcher.pass_on("long")
    assert settled(client, dispatcher) == {QUEUE: 2}
    register(database, 3)
    register(database, 1, "short")
    dispatcher.top_up(database)
    for _ in range(50):
        dispatcher.hint("long")
        dispatcher.hint("short")
    assert settled(client, dispatcher) == {QUEUE: 6, "impasto:lane.short": 2}


def test_a_top_up_makes_up_for_what_was_lost_and_sends_no_more_than_wait(
    client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher, database: Engine
) -> None:
    register(database, 2)
    dispatcher.top_up(database)
    assert settled(client, dispatcher) == {}
    first, *_ = add(database, 3)
    repository.set_paused(database, first, True)
    for _ in range(3):
        dispatcher.top_up(database)
        assert settled(client, dispatcher) == {QUEUE: 2}
    add(database, 10)
    dispatcher.top_up(database)
    assert settled(client, dispatcher) == {QUEUE: 4}
    client.flushall()
    dispatcher.top_up(database)
    assert settled(client, dispatcher) == {QUEUE: 4}


def test_messages_of_earlier_versions_are_deleted_or_count_as_tokens(
    client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher, database: Engine
) -> None:
    for priority in range(1, 8):
        client.lpush(f"{QUEUE}\x06\x16{priority}", *[b"{}"] * 100)
    client.lpush(QUEUE, *[b"{}"] * 5)
    add(database, 20)
    dispatcher.top_up(database)
    assert settled(client, dispatcher) == {QUEUE: 5}


def fill(
    client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher, engine: Engine, chunks: int
) -> tuple[int, int]:
    """Queue chunks of 1,000 jobs as a batch does. Returns the bytes that Redis used first and last."""
    register(engine, 4)
    used = []
    for _ in range(chunks):
        add(engine, 1000)
        for _ in range(10):
            dispatcher.hint("long")
        dispatcher.top_up(engine)
        assert settled(client, dispatcher) == {QUEUE: 8}
        used.append(int(client.info("memory")["used_memory"]))
    return used[0], used[-1]


@pytest.mark.parametrize("chunks", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_redis_needs_no_more_memory_for_more_jobs(
    client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher, database: Engine, chunks: int
) -> None:
    first, last = fill(client, dispatcher, database, chunks)
    # A token is about 1 kB, and so was each of the messages that there were for every job.
    assert last - first < 200_000
    assert client.dbsize() <= 4


def test_an_unavailable_redis_costs_tokens_and_no_time(
    server: RedisServer, client: "redis.Redis[bytes]", dispatcher: CeleryDispatcher, database: Engine
) -> None:
    add(database, 5)
    server.stop()
    for _ in range(100):
        dispatcher.hint("long")
    dispatcher.top_up(database)
    server.start()

    def topped_up() -> bool:
        dispatcher.top_up(database)
        time.sleep(0.2)
        return client.llen(QUEUE) == 2

    wait_for(topped_up)
