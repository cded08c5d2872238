"""Jobs that are computed together in real processes, whose worker is killed or told to stop."""

import os
from pathlib import Path
from typing import Any

import pytest

from app.jobs.job import Job
from app.workers import repository as workers
from tests.faults.conftest import Deploy, mostly
from tests.support.deployment import Deployment, Mode, kill
from tests.support.extra_kinds import with_kind
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

CORES = os.cpu_count() or 1


def glance(service: Deployment, **params: object) -> str:
    body = {"kind": "glancing", "params": {"image": service.upload(1), **params}}
    return str(service.request("POST", "/v1/jobs", json=body)["id"])


def gather(service: Deployment, count: int, seconds: float) -> list[str]:
    """Jobs that run together, as they waited behind one that is now running no more."""
    first = glance(service, seconds=0.5 * count)
    service.wait_for_row(first, "running")
    gathered = [glance(service, seconds=seconds) for _ in range(count)]
    for job_id in gathered:
        service.wait_for_row(job_id, "running")
    return gathered


def ended(service: Deployment, job_ids: list[str]) -> list[Job]:
    for job_id in job_ids:
        assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
        states = [event.data["state"] for event in service.events(job_id) if event.type == "done"]
        assert states == ["succeeded"]
    return [service.job(job_id) for job_id in job_ids]


def recipe(job: Job) -> Any:
    assert job.result is not None
    return job.result["recipe"]


@mostly("embedded")
def test_jobs_that_wait_together_run_as_one_batch_with_one_thread_above_long_jobs(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    service = deploy(
        mode,
        **with_kind("glancing", tmp_path),
        IMPASTO_THREADS=str(CORES),
        IMPASTO_LANES="",
    )
    jobs = ended(service, gather(service, 4, 0.2))
    assert [recipe(job)["stack_size"] for job in jobs] == [4] * 4
    assert {recipe(job)["threads"] for job in jobs} == {1}
    long = service.job(service.paint(size=32, steps=2))
    assert recipe(service.wait_for_row(long.id, "succeeded"))["threads"] == CORES
    alive = {worker.lanes[0]: worker.pid for worker in workers.list_alive(service.engine)}
    above = os.getpriority(os.PRIO_PROCESS, service.front.process.pid)
    assert {lane: os.getpriority(os.PRIO_PROCESS, pid) - above for lane, pid in alive.items()} == {
        "short": 1,
        "long": 10,
        "training": 15,
    }


@mostly("celery")
def test_a_batch_whose_worker_is_killed_runs_again_one_by_one(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    service = deploy(mode, **with_kind("glancing", tmp_path), IMPASTO_LANES="short")
    gathered = gather(service, 3, 3.0)
    kill(service.worker_of(gathered[1]))
    jobs = ended(service, gathered)
    assert {(job.attempt, job.lost_attempts, recipe(job)["stack_size"]) for job in jobs} == {(2, 1, 1)}
    for job in jobs:
        wait_for(lambda: service.files_of(job.id) == {"2/recipe.json"})  # noqa: B023


@mostly("embedded")
def test_one_that_kills_its_worker_takes_no_other_with_it(deploy: Deploy, mode: Mode, tmp_path: Path) -> None:
    service = deploy(mode, **with_kind("glancing", tmp_path), IMPASTO_LANES="short")
    poison, *others = gather(service, 3, 2.0)
    for attempt in (1, 2, 3):
        wait_for(lambda: service.job(poison).attempt == attempt and service.job(poison).worker_id)  # noqa: B023
        kill(service.worker_of(poison))
    assert service.wait_for_job(poison, "failed", "succeeded")["error"]["type"] == "worker_lost"
    assert {job.attempt for job in ended(service, others)} == {2}


@mostly("celery")
def test_a_shutdown_loses_none_of_a_batch(deploy: Deploy, mode: Mode, tmp_path: Path) -> None:
    service = deploy(mode, **with_kind("glancing", tmp_path), IMPASTO_LANES="short")
    gathered = gather(service, 3, 1.0)
    service.terminate()
    assert {(service.job(job_id).state, service.job(job_id).lost_attempts) for job_id in gathered} == {
        ("queued", 0)
    }
    service.start()
    assert {recipe(job)["stack_size"] for job in ended(service, gathered)} <= {1, 3}
