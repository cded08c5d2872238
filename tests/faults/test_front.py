"""The API and `impasto serve` killed, clients that come back, clients that all come at once."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.database.engine import read
from app.images.tables import images
from app.jobs.tables import jobs
from tests.faults.conftest import Deploy, by_turns, mostly
from tests.support.deployment import Deployment, Mode, kill
from tests.support.service import wait_for
from tests.support.strange_pictures import noise

pytestmark = [pytest.mark.slow, pytest.mark.server]

LONG = 20_000
RECONNECTS = 20
PARALLEL = 100


@by_turns(("how",), [("its process",), ("its machine",)])
def test_jobs_survive_the_death_of_what_serves_them(deploy: Deploy, mode: Mode, how: str) -> None:
    service = deploy(mode, IMPASTO_LEASE_SECONDS="5")
    running = service.paint(size=48, steps=300)
    queued = [service.paint(size=32, steps=1, seed=seed) for seed in range(5)]
    service.wait_for_progress(running)
    if how == "its process":
        service.front.kill()
    else:
        service.front.kill_all()
    # With `impasto serve` the worker ends too; with `impasto api` it works on, by itself.
    wait_for(lambda: not service.front.pids())
    service.front.start()
    service.wait_until_ready()
    for job_id in [running, *queued]:
        assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
        service.check_made_once(job_id)
    if mode == "celery":
        assert service.job(running).attempt == 1


@mostly("embedded")
def test_a_reader_that_comes_back_twenty_times_sees_every_event_once(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    job_id = service.paint(size=48, steps=LONG)
    service.wait_for_progress(job_id)
    seen: list[dict[str, Any]] = []
    for visit in range(RECONNECTS):
        if visit == RECONNECTS // 2:
            restart_api(service)
        wanted = 1 + visit % 4
        with suppress(httpx.TransportError):
            for event in read_events(service, job_id, seen):
                seen.append(event)
                wanted -= 1
                if not wanted:
                    break
    service.request("POST", f"/v1/jobs/{job_id}/cancel")
    seen += read_events(service, job_id, seen)
    seqs = [event["seq"] for event in seen]
    assert seqs == sorted(set(seqs))
    # A preview takes the place of the one before; everything else is there to the end.
    written = service.events(job_id)
    assert {e.seq for e in written} <= set(seqs)
    assert {e["seq"] for e in seen if e["type"] != "preview"} <= {e.seq for e in written}
    assert [e["type"] for e in seen].count("done") == 1 and seen[-1]["type"] == "done"
    with_end = httpx.get(
        f"{service.url}/v1/jobs/{job_id}/events",
        headers={"Last-Event-ID": str(seqs[-1])},
        trust_env=False,
    )
    assert with_end.status_code == 204


def restart_api(service: Deployment) -> None:
    """kill -9 for the process that answers HTTP, and wait until another does."""
    if service.mode == "celery":
        service.front.kill()
        service.front.start()
    else:
        (api,) = [pid for pid, line in service.front.pids().items() if "app.supervision.api" in line]
        kill(api)
        wait_for(lambda: api not in service.front.pids())
    wait_for(lambda: service.answers("/healthz"))


def read_events(service: Deployment, job_id: str, seen: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events of a job after those that were seen."""
    headers = {"Last-Event-ID": str(seen[-1]["seq"])} if seen else {}
    path = f"{service.url}/v1/jobs/{job_id}/events"
    with httpx.stream("GET", path, headers=headers, timeout=120, trust_env=False) as response:
        assert response.status_code == 200
        kind = ""
        for line in response.iter_lines():
            if line.startswith("event: "):
                kind = line[7:]
            if line.startswith("data: "):
                yield {**json.loads(line[6:]), "type": kind}


@mostly("celery")
def test_a_hundred_requests_with_one_key_make_one_job(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    files = {"content": ("content.png", noise(seed=1)), "style": ("style.png", noise(seed=2))}
    gate = threading.Barrier(PARALLEL)

    def post(_: int) -> str:
        gate.wait()
        response = httpx.post(
            f"{service.url}/v1/style-transfer",
            headers={"Idempotency-Key": "one"},
            files=files,
            data={"params": '{"size": 32, "steps": 1}'},
            timeout=120,
            trust_env=False,
        )
        # 200 for those who come when it has ended.
        assert response.status_code in (200, 202), response.text
        return str(response.json()["id"])

    with ThreadPoolExecutor(PARALLEL) as pool:
        ids = set(pool.map(post, range(PARALLEL)))
    assert len(ids) == 1
    with read(service.engine) as connection:
        assert connection.execute(select(func.count()).select_from(jobs)).scalar_one() == 1
        # What the other 99 sent is not kept.
        assert connection.execute(select(func.count()).select_from(images)).scalar_one() == 2
    (job_id,) = ids
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    service.check_made_once(job_id)
