"""A job that was made is named in the answer, whatever goes wrong from then on."""

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from app.database.engine import make_engine
from app.http.services import Services
from app.jobs import repository
from app.jobs.dispatch.celery_settings import CHANGES_CHANNEL
from app.jobs.dispatch.wakeups import run_dir
from app.jobs.notifier import JobNotifier
from app.jobs.repository import NewJob
from app.settings import Settings
from app.supervision.startup import listen
from tests.app.conftest import serving
from tests.support.postgres import postgres
from tests.support.redis import redis_server
from tests.support.strange_pictures import noise

JOB = {"kind": "architecture", "params": {"network": "palette"}}
LINE = b'{"custom_id": "a", "kind": "architecture", "params": {"network": "palette"}}\n'
WAIT = {"Prefer": "wait=60"}


def has_waiting(services: Services) -> bool:
    """Whether a request waits for a job."""
    return bool(services.notifier._waiting)


def until(probe: Any) -> Any:
    deadline = time.monotonic() + 60
    while not (found := probe()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


def check_made(answer: Any) -> str:
    """Check that an answer names a job that waits; its id."""
    assert answer.status_code == 202, answer.text
    job = answer.json()
    assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
    assert job["state"] == "queued"
    return str(job["id"])


def test_a_wake_up_that_cannot_be_sent_fails_no_request(client: TestClient, settings: Settings) -> None:
    # Where sockets of workers and APIs should be.
    for channel in ("lane-short", "lane-long", "lane-training", "changes"):
        (run_dir(settings.data_dir) / f"{channel}.999999999").mkdir()
    job_id = check_made(client.post("/v1/jobs", json=JOB))
    assert client.post(f"/v1/jobs/{job_id}/cancel").json()["state"] == "cancelled"
    lines = client.post("/v1/batches", content=LINE, headers={"content-type": "application/x-ndjson"})
    assert lines.status_code == 202 and lines.headers["location"].endswith(lines.json()["id"])


@pytest.mark.medium
def test_a_job_that_is_deleted_meanwhile_was_made_all_the_same(
    client: TestClient, services: Services
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[Any] = pool.submit(client.post, "/v1/jobs", json=JOB, headers=WAIT)
        until(lambda: has_waiting(services))
        (job,) = repository.list_jobs(services.engine, limit=2)
        repository.request_cancel(services.engine, job.id)
        client.delete(f"/v1/jobs/{job.id}")
        services.notifier.wake(job.id)
        answer = waiting.result()
    assert answer.headers["location"] == f"/v1/jobs/{job.id}"
    assert answer.status_code in (200, 202)


def held_bytes() -> int:
    """Bytes of the files of this process that have no name, as uploads have none."""
    found = 0
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):
            status = entry.stat()
            if stat.S_ISREG(status.st_mode) and not status.st_nlink:
                found += status.st_size
    return found


@pytest.mark.medium
def test_a_request_that_waits_holds_no_uploads(client: TestClient, services: Services) -> None:
    large = [noise(seed=seed, size=(700, 700)) for seed in (1, 2)]
    assert min(map(len, large)) > 1 << 20
    before = held_bytes()
    files = {"content": ("a.png", large[0]), "style": ("b.png", large[1])}
    with ThreadPoolExecutor(1) as pool:
        waiting: Future[Any] = pool.submit(client.post, "/v1/style-transfer", files=files, headers=WAIT)
        until(lambda: has_waiting(services))
        held = held_bytes() - before
        (job,) = repository.list_jobs(services.engine, limit=2)
        repository.request_cancel(services.engine, job.id)
        services.notifier.wake(job.id)
        assert waiting.result().json()["state"] == "cancelled"
    assert held == 0


@pytest.mark.server
def test_a_silent_redis_is_probed_and_given_up(settings: Settings, tmp_path: Path) -> None:
    """By the socket's options, as of PostgreSQL."""
    with redis_server(tmp_path) as server:
        port = urlsplit(server.url).port
        engine = make_engine(settings.resolved_database_url)
        notifier = JobNotifier(engine)

        async def options() -> list[list[int]]:
            async with notifier.listening(settings.model_copy(update={"redis_url": server.url})):
                with server.client() as client:
                    while not client.pubsub_numsub(CHANGES_CHANNEL)[0][1]:
                        await asyncio.sleep(0.02)
                    return keepalive_of(port)

        # In a thread of its own: a browser of other tests may have left a loop in this one.
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(asyncio.run, options()).result()
        # That of this test's own client has the kernel's.
        assert [1, 10, 5, 3] in found
        engine.dispose()


@pytest.mark.server
def test_a_message_that_is_no_text_does_not_end_the_others(settings: Settings, tmp_path: Path) -> None:
    engine = make_engine(settings.resolved_database_url)
    with redis_server(tmp_path) as server, server.client() as client:

        async def follow() -> None:
            notifier = JobNotifier(engine)
            listening = notifier.listening(settings.model_copy(update={"redis_url": server.url}))
            # Not by the poll, which asks the database: there is no such job.
            with notifier.watch(["job"]) as changed:
                async with listening:
                    while not client.pubsub_numsub(CHANGES_CHANNEL)[0][1]:
                        await asyncio.sleep(0.02)
                    client.publish(CHANGES_CHANNEL, b"\xff")
                    client.publish(CHANGES_CHANNEL, b"job")
                    await asyncio.wait_for(changed.wait(), 30)

        with ThreadPoolExecutor(1) as pool:
            pool.submit(asyncio.run, follow()).result()
    engine.dispose()


def is_socket(descriptor: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.readlink(descriptor).startswith("socket:")
    return False


def keepalive_of(port: int | None) -> list[list[int]]:
    """How each connection of this process to a port is probed."""
    found = []
    # A copy of anything else, such as the pipe to a browser's driver, would keep that open.
    sockets = [each for each in Path("/proc/self/fd").iterdir() if is_socket(each)]
    for entry in sockets:
        with suppress(OSError), socket.socket(fileno=os.dup(int(entry.name))) as used:
            if used.family == socket.AF_INET and used.getpeername()[1] == port:
                names = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
                probes = [used.getsockopt(socket.IPPROTO_TCP, name) for name in names]
                found.append([used.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE), *probes])
    return found


@pytest.mark.server
def test_a_database_that_goes_away_during_the_wait_loses_no_location(settings: Settings) -> None:
    with postgres() as server:
        for send in (
            lambda client: client.post("/v1/jobs", json=JOB, headers=WAIT),
            lambda client: client.post("/v1/architecture", json=JOB["params"], headers=WAIT),
        ):
            with (
                serving(settings.model_copy(update={"database_url": server.url})) as client,
                ThreadPoolExecutor(1) as pool,
            ):
                services: Services = client.app.state.services  # type: ignore[attr-defined]
                waiting: Future[Any] = pool.submit(send, client)
                until(lambda services=services: has_waiting(services))
                (job,) = repository.list_jobs(services.engine, limit=1)
                server.stop()
                services.notifier.wake(job.id)
                assert check_made(waiting.result()) == job.id
                server.start()


@pytest.mark.server
def test_a_service_that_stops_answers_those_who_wait(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as listener:
        environment = {**os.environ, "IMPASTO_DATA_DIR": str(tmp_path / "data")}
        process = subprocess.Popen(
            [sys.executable, "-m", "app.supervision.api", str(listener.fileno())],
            env=environment,
            pass_fds=[listener.fileno()],
        )
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
                assert client.get("/healthz").status_code == 200
                answers: list[Any] = []
                thread = threading.Thread(
                    target=lambda: answers.append(client.post("/v1/jobs", json=JOB, headers=WAIT))
                )
                thread.start()
                until(lambda: httpx.get(f"{url}/v1/jobs", timeout=60, trust_env=False).json()["items"])
                process.send_signal(signal.SIGTERM)
                thread.join()
            check_made(answers[0])
            assert process.wait(60) == 0
        finally:
            process.kill()
            process.wait()


def test_more_jobs_are_polled_than_a_statement_takes_parameters(engine: Engine) -> None:
    job, _ = repository.create_job(engine, NewJob("architecture", "short", {}))
    # PostgreSQL takes 65,535, SQLite 250,000 where it takes most.
    watched = [f"{number:036}" for number in range(70_000 if engine.name == "postgresql" else 260_000)]
    assert repository.get_seqs(engine, [*watched, job.id]) == {job.id: 1}
