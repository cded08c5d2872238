"""Outages longer than a lease, and workers that cannot start: no job is taken, and no message dropped."""

import os
import signal
import time

import pytest
import redis

from app.jobs.dispatch.celery_settings import KEY_PREFIX
from tests.faults.conftest import Deploy, mostly
from tests.support.deployment import Mode
from tests.support.postgres import PostgresServer
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

LONG = 20_000
LEASE = 6
OUTAGE = 2 * LEASE


@mostly("celery")
def test_nobody_alive_is_robbed_after_everything_was_frozen(deploy: Deploy, mode: Mode) -> None:
    """As when a laptop slept, or a host was suspended."""
    service = deploy(mode, IMPASTO_LEASE_SECONDS=str(LEASE))
    job_id = service.paint(size=48, steps=LONG)
    service.wait_for_progress(job_id)
    pids = [pid for part in service.parts.values() for pid in part.pids()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(OUTAGE)
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    time.sleep(LEASE)
    job = service.job(job_id)
    assert (job.state, job.attempt, job.lost_attempts) == ("running", 1, 0)
    assert set(pids) == {pid for part in service.parts.values() for pid in part.pids()}
    service.request("POST", f"/v1/jobs/{job_id}/cancel")
    service.wait_for_row(job_id, "cancelled")


def test_nobody_alive_is_robbed_after_the_database_was_away(deploy: Deploy, server: PostgresServer) -> None:
    service = deploy("celery", IMPASTO_LEASE_SECONDS=str(LEASE))
    job_id = service.paint(size=48, steps=LONG)
    service.wait_for_progress(job_id)
    server.stop()
    time.sleep(OUTAGE)
    server.start()
    wait_for(lambda: service.answers("/readyz"))
    time.sleep(LEASE)
    job = service.job(job_id)
    assert (job.state, job.attempt, job.lost_attempts) == ("running", 1, 0)
    service.request("POST", f"/v1/jobs/{job_id}/cancel")
    service.wait_for_row(job_id, "cancelled")


def test_a_worker_that_cannot_start_leaves_the_messages_to_others(deploy: Deploy) -> None:
    service = deploy("celery")
    assert service.redis is not None
    healthy = service.parts["worker"]
    healthy.process.terminate()
    assert healthy.wait() == 0
    broken = service.make_part("broken", ["worker", "--device", "cuda:9"])
    service.parts["broken"] = broken
    job_ids = [service.paint(size=32, steps=1) for _ in range(3)]
    broken.start()
    wait_for(lambda: "this worker cannot start" in broken.log)
    time.sleep(8)
    with redis.Redis.from_url(service.redis.url) as client:
        queued = sum(
            client.llen(key) for key in client.scan_iter(f"{KEY_PREFIX}lane.*") if client.type(key) == b"list"
        )
        taken = client.hlen(f"{KEY_PREFIX}unacked")
    assert queued + taken >= len(job_ids)
    broken.kill_all()
    healthy.start()
    for job_id in job_ids:
        assert service.wait_for_row(job_id, "succeeded", "failed").state == "succeeded"
