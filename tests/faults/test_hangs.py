"""Computations that hang, steps that outlast a shutdown, and machines that sleep meanwhile."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from app.jobs.job import Job
from app.workers import repository as workers
from tests.faults.conftest import Deploy, by_turns, mostly
from tests.faults.test_workers import freeze
from tests.support.deployment import Deployment, Mode, kill
from tests.support.extra_kinds import with_kind
from tests.support.service import runs, wait_for
from tests.support.standing import STALL_SECONDS
from worker.runtime.stalls import EXIT_CODE

pytestmark = [pytest.mark.slow, pytest.mark.server]


def stand(service: Deployment, **params: Any) -> str:
    job = service.request("POST", "/v1/jobs", json={"kind": "standing", "params": params})
    return str(job["id"])


def running(service: Deployment, job_id: str) -> Job:
    job = service.wait_for_row(job_id, "running")
    # As far as its first part, in all likelihood.
    time.sleep(1)
    return job


@mostly("celery")
def test_a_computation_that_hangs_is_noticed_and_given_up_after_three_attempts(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    service = deploy(mode, **with_kind("standing", tmp_path))
    hung = stand(service, steps=2, still_at=0)
    other = service.paint(size=32, steps=1)
    job = service.wait_for_job(hung, "failed", "succeeded", "cancelled")
    assert (job["state"], job["error"]["type"]) == ("failed", "stalled")
    assert "IMPASTO_STALL_FACTOR" in job["error"]["detail"]
    assert service.job(hung).attempt == service.job(hung).lost_attempts == 3
    # All threads are shown, each time.
    assert service.logs.count("in stand_still") == 3
    assert "in _run" in service.logs
    if mode == "embedded":
        assert f"ended with exit code {EXIT_CODE}" in service.logs
    assert service.wait_for_job(other, "succeeded", "failed")["state"] == "succeeded"
    service.check_made_once(other)


@mostly("embedded")
def test_progress_between_hangs_counts_for_the_job(deploy: Deploy, mode: Mode, tmp_path: Path) -> None:
    service = deploy(mode, IMPASTO_CHECKPOINT_SECONDS="0.01", **with_kind("standing", tmp_path))
    hung = stand(service, steps=5, still_at=3)
    service.wait_for_job(hung, "failed", "succeeded", "cancelled")
    job = service.job(hung)
    assert job.error is not None and job.error["type"] == "stalled"
    # Checkpoints may lag behind, so that more attempts than three made progress or none; and so may progress.
    assert job.lost_attempts == 3 and job.attempt >= 3
    assert job.progress is not None and 1 <= job.progress["done"] <= 3


@mostly("embedded")
def test_a_hang_that_lets_no_other_thread_run_is_noticed_from_outside(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    service = deploy(mode, IMPASTO_LEASE_SECONDS="6", **with_kind("standing", tmp_path))
    hung = stand(service, steps=2, still_at=0, holding=True)
    other = service.paint(size=32, steps=1)
    job = service.wait_for_job(hung, "failed", "succeeded", "cancelled")
    assert (job["state"], job["error"]["type"]) == ("failed", "worker_lost")
    assert service.job(hung).attempt == service.job(hung).lost_attempts == 3
    # It shows where, each time, though it can run no Python; perhaps after its lease has run out.
    wait_for(lambda: service.logs.count("in hold_still") >= 3)
    assert service.wait_for_job(other, "succeeded", "failed")["state"] == "succeeded"
    service.check_made_once(other)


@mostly("embedded")
def test_who_lets_no_other_thread_run_for_less_than_a_lease_is_let_be(
    deploy: Deploy, mode: Mode, tmp_path: Path
) -> None:
    service = deploy(mode, IMPASTO_LEASE_SECONDS="10", **with_kind("standing", tmp_path))
    job_id = stand(service, steps=3, part_seconds=4, holding=True)
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    assert (service.job(job_id).attempt, service.job(job_id).lost_attempts) == (1, 0)


@mostly("embedded")
def test_a_frozen_worker_that_was_taken_off_the_register_is_replaced(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode, IMPASTO_LEASE_SECONDS="6")
    (worker,) = workers.list_alive(service.engine)
    # Its supervisor, which looks twice a second, has seen it by then.
    time.sleep(2)
    freeze(service, worker.pid)
    # As a pass of the API does after two minutes, or after a night in which the machine slept.
    workers.unregister(service.engine, worker.worker_id)
    wait_for(lambda: not runs(worker.pid))
    after = service.paint(size=32, steps=1)
    assert service.wait_for_job(after, "succeeded", "failed")["state"] == "succeeded"


@mostly("celery")
def test_what_was_frozen_has_not_hung(deploy: Deploy, mode: Mode, tmp_path: Path) -> None:
    service = deploy(mode, **with_kind("standing", tmp_path))
    job_id = stand(service, steps=20, part_seconds=STALL_SECONDS / 2)
    running(service, job_id)
    pids = [pid for part in service.parts.values() for pid in part.pids()]
    for pid in pids:
        kill(pid, signal.SIGSTOP)
    time.sleep(2.5 * STALL_SECONDS)
    for pid in pids:
        kill(pid, signal.SIGCONT)
    wait_for(lambda: (service.job(job_id).progress or {"done": 0})["done"] >= 4)
    job = service.job(job_id)
    assert (job.state, job.attempt, job.lost_attempts) == ("running", 1, 0)
    assert "this process ends" not in service.logs


def test_a_hang_goes_on_for_ever_if_the_setting_says_so(deploy: Deploy, tmp_path: Path) -> None:
    service = deploy("embedded", IMPASTO_STALL_FACTOR="0", **with_kind("standing", tmp_path))
    hung = stand(service, still_at=0)
    running(service, hung)
    time.sleep(2.5 * STALL_SECONDS)
    job = service.job(hung)
    assert (job.state, job.attempt) == ("running", 1)
    service.request("POST", f"/v1/jobs/{hung}/cancel")
    assert service.wait_for_job(hung, "cancelled", "failed")["state"] == "cancelled"


@by_turns(("how",), [("in parts",), ("in one",)])
def test_a_step_that_outlasts_a_shutdown_costs_no_attempt(
    deploy: Deploy, mode: Mode, how: str, tmp_path: Path
) -> None:
    service = deploy(
        mode, IMPASTO_SHUTDOWN_SECONDS="4", IMPASTO_STALL_FACTOR="0", **with_kind("standing", tmp_path)
    )
    params = {"parts": 1_000_000} if how == "in parts" else {"still_at": 0}
    job_id = stand(service, **params)
    running(service, job_id)
    service.terminate()
    job = service.job(job_id)
    assert (job.state, job.attempt, job.lost_attempts) == ("queued", 1, 0)
    assert job.worker_id is None
    # It released itself if it could, and else was killed.
    assert (f"job {job_id}: queued" in service.logs) == (how == "in parts")
