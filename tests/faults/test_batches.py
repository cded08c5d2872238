"""Batches through kill -9 of the API that expands them, of workers, and of everything: no entry is lost, and
none has two results."""

import json
import random
import time
from collections import Counter
from collections.abc import Callable

import httpx
import pytest
from sqlalchemy import func, select

from app.database.engine import read
from app.jobs.tables import job_events, jobs
from app.workers import repository as workers
from tests.faults.conftest import Deploy, mostly
from tests.support.deployment import Deployment, Mode, kill
from tests.support.service import runs, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

Figure = Callable[[str], None]
NDJSON = {"Content-Type": "application/x-ndjson"}


def send(service: Deployment, count: int) -> str:
    """Send a batch of jobs that take next to no time; its id."""
    asked = {"kind": "architecture", "params": {"network": "palette"}}
    lines = (json.dumps({"custom_id": f"e{number}", **asked}) for number in range(1, count + 1))
    batch = service.request("POST", "/v1/batches", content="\n".join(lines).encode(), headers=NDJSON)
    return str(batch["id"])


def kill_the_api(service: Deployment) -> None:
    """kill -9 for the process that serves HTTP; it is started again."""
    if service.mode == "celery":
        service.front.kill()
        service.front.start()
    else:
        (pid, *_) = [pid for pid, line in service.front.pids().items() if "app.supervision.api" in line]
        kill(pid)


def kill_a_worker(service: Deployment) -> None:
    alive = [worker.pid for worker in workers.list_alive(service.engine, 3600.0) if runs(worker.pid)]
    if alive:
        kill(alive[0])


def kill_everything(service: Deployment) -> None:
    for part in service.parts.values():
        part.kill_all()
    for part in service.parts.values():
        part.start()


def wait_for_the_end(service: Deployment, batch_id: str) -> str:
    def look() -> str | None:
        try:
            response = httpx.get(f"{service.url}/v1/batches/{batch_id}", timeout=60, trust_env=False)
        except httpx.TransportError:
            return None
        if not response.is_success or response.json()["state"] == "running":
            return None
        return str(response.json()["state"])

    state = wait_for(look, 900)
    assert state is not None
    return state


def check_each_has_one_result(service: Deployment, batch_id: str, count: int) -> None:
    assert wait_for_the_end(service, batch_id) == "succeeded"
    results = [json.loads(line) for line in service.fetch(f"/v1/batches/{batch_id}/results").splitlines()]
    assert [result["line"] for result in results] == list(range(1, count + 1))
    assert [result["custom_id"] for result in results] == [f"e{n}" for n in range(1, count + 1)]
    assert len({result["job_id"] for result in results}) == count
    with read(service.engine) as connection:
        mine = select(jobs.c.id).where(jobs.c.batch_id == batch_id)
        assert len(connection.execute(mine).all()) == count
        ends = select(job_events.c.job_id, func.count()).where(
            job_events.c.job_id.in_(mine), job_events.c.type == "done"
        )
        counts = Counter(ends for _, ends in connection.execute(ends.group_by(job_events.c.job_id)))
    assert counts == {1: count}


@mostly("celery")
@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.long)])
def test_jobs_through_kills_of_each_part(deploy: Deploy, mode: Mode, figure: Figure, count: int) -> None:
    service = deploy(mode, IMPASTO_LANES="short", IMPASTO_LEASE_SECONDS="5", IMPASTO_MAX_ATTEMPTS="100")
    rng = random.Random(7)
    started = time.monotonic()
    batch_id = send(service, count)
    kills = [kill_the_api, kill_everything, kill_a_worker]
    for each in kills:
        time.sleep(rng.uniform(0, 1.5))
        each(service)
        service.wait_until_ready()
    check_each_has_one_result(service, batch_id, count)
    cancelled = send(service, count * 3 // 2)
    service.request("POST", f"/v1/batches/{cancelled}/cancel")
    kill_the_api(service)
    assert wait_for_the_end(service, cancelled) == "cancelled"
    figure(f"{mode}: {count:,} jobs through {len(kills)} kills in {time.monotonic() - started:.1f} s")
