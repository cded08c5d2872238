"""Redis and PostgreSQL killed, wiped and restarted under a service at work."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from app.settings import Settings
from tests.faults.conftest import Deploy
from tests.support.deployment import Deployment
from tests.support.postgres import PostgresServer
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

LONG = 20_000
QUEUED = 100
Figure = Callable[[str], None]


def tiny_job(service: Deployment) -> Callable[[], httpx.Response]:
    """A request for a job that takes next to no time."""
    params = {"content": service.upload(1), "style": service.upload(2), "size": 32, "steps": 1}
    body = {"kind": "style_transfer", "params": params}
    return lambda: httpx.post(f"{service.url}/v1/jobs", json=body, timeout=60, trust_env=False)


def check_all_made_once(service: Deployment, job_ids: list[str]) -> None:
    for job_id in job_ids:
        assert service.wait_for_row(job_id, "succeeded", "failed").state == "succeeded"
    for job_id in job_ids:
        service.check_made_once(job_id)


@pytest.mark.parametrize("data", ["kept", "wiped"])
def test_redis_killed_with_a_hundred_jobs_queued(deploy: Deploy, figure: Figure, data: str) -> None:
    service = deploy("celery")
    assert service.redis is not None
    submit = tiny_job(service)
    blocker = service.paint(size=48, steps=LONG)
    service.wait_for_progress(blocker)
    job_ids = []
    for _ in range(QUEUED):
        response = submit()
        assert response.status_code == 202
        job_ids.append(response.json()["id"])
    service.redis.stop(signal.SIGKILL)
    if data == "wiped":
        service.redis.wipe()
    service.redis.start()
    service.request("POST", f"/v1/jobs/{blocker}/cancel")
    assert service.wait_for_row(blocker, "cancelled", "failed", "succeeded").state == "cancelled"
    started = time.monotonic()
    check_all_made_once(service, job_ids)
    figure(f"celery: Redis killed ({data}): {QUEUED} jobs done in {time.monotonic() - started:.1f} s")
    assert {service.job(job_id).attempt for job_id in job_ids} == {1}


def test_redis_down_while_jobs_are_submitted(deploy: Deploy, figure: Figure) -> None:
    service = deploy("celery")
    assert service.redis is not None
    submit = tiny_job(service)
    running = service.paint(size=48, steps=300)
    service.wait_for_progress(running)
    service.redis.stop(signal.SIGKILL)
    times, job_ids = [], []
    for _ in range(10):
        started = time.monotonic()
        response = submit()
        times.append(time.monotonic() - started)
        assert response.status_code == 202, response.text
        job_ids.append(response.json()["id"])
    # A job at work does not need Redis, and those who wait for it learn of its end.
    waited = httpx.get(f"{service.url}/v1/jobs/{running}/events", timeout=120, trust_env=False)
    assert "event: done" in waited.text
    assert service.job(running).state == "succeeded"
    service.redis.start()
    started = time.monotonic()
    check_all_made_once(service, [running, *job_ids])
    figure(
        f"celery: Redis down: the slowest of 10 submits took {max(times):.2f} s; "
        f"all were done {time.monotonic() - started:.1f} s after it was back"
    )


@pytest.mark.parametrize("how", ["full", "read_only", "other_password"])
def test_redis_refuses_for_a_while(deploy: Deploy, figure: Figure, how: str) -> None:
    service = deploy("celery")
    assert service.redis is not None
    submit = tiny_job(service)
    running = service.paint(size=48, steps=LONG)
    service.wait_for_progress(running)
    with getattr(service.redis, how)():
        job_ids = []
        for _ in range(10):
            response = submit()
            assert response.status_code == 202, response.text
            job_ids.append(response.json()["id"])
        time.sleep(6)
        # The one at work does not need Redis.
        assert (service.job(running).state, service.job(running).attempt) == ("running", 1)
        service.request("POST", f"/v1/jobs/{running}/cancel")
        service.wait_for_row(running, "cancelled")
    started = time.monotonic()
    check_all_made_once(service, job_ids)
    figure(f"celery: Redis refused ({how}): 10 jobs were done {time.monotonic() - started:.1f} s after it")


@contextmanager
def asking(*requests: Callable[[], httpx.Response]) -> Iterator[list[httpx.Response]]:
    """Send requests all the time, in one thread each; the answers."""
    answers: list[httpx.Response] = []
    ended = threading.Event()

    def ask(request: Callable[[], httpx.Response]) -> None:
        while not ended.wait(0.05):
            answers.append(request())

    threads = [threading.Thread(target=ask, args=(request,)) for request in requests]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        ended.set()
        for thread in threads:
            thread.join()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["shut down", "crashed"])
def test_postgresql_restarted_under_a_service_at_work(
    deploy: Deploy, server: PostgresServer, figure: Figure, how: signal.Signals
) -> None:
    service = deploy("celery")
    submit = tiny_job(service)
    running = service.paint(size=48, steps=300)
    early = [submit().json()["id"] for _ in range(10)]
    service.wait_for_progress(running)

    def look() -> httpx.Response:
        return httpx.get(f"{service.url}/v1/jobs/{running}", timeout=60, trust_env=False)

    def read_list() -> httpx.Response:
        return httpx.get(f"{service.url}/v1/jobs", timeout=60, trust_env=False)

    with asking(look, read_list, submit) as answers:
        time.sleep(0.5)
        server.stop(how)
        # Longer than a heartbeat, shorter than a lease.
        time.sleep(Settings().lease_seconds / 6)
        server.start()
        wait_for(lambda: answers[-3:] and all(answer.is_success for answer in answers[-3:]))
    refused = [answer for answer in answers if not answer.is_success]
    assert refused
    assert {answer.status_code for answer in refused} == {503}
    assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
    late = [answer.json()["id"] for answer in answers if answer.status_code == 202]
    assert late
    check_all_made_once(service, [running, *early, *late])
    figure(
        f"celery: PostgreSQL {how.name}: {len(refused)} requests of {len(answers)} got 503, no job was lost"
    )
    assert service.job(running).attempt == 1
