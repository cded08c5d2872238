"""Workers that are killed, frozen, or crash every time: no job is lost, and none leaves its output twice."""

import random
import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import httpx
import pytest

from app.workers import repository as workers
from tests.faults.conftest import Deploy, by_turns, mostly
from tests.support.deployment import Deployment, Mode, Part, kill
from tests.support.service import PATIENCE, runs, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

# More steps than anybody waits for: it runs until it is told not to.
LONG = 20_000
Figure = Callable[[str], None]


def painters(service: Deployment) -> list[int]:
    """Process ids of the running processes of the lane that paints, busy or not."""
    alive = workers.list_alive(service.engine, 3600.0)
    return [worker.pid for worker in alive if worker.lanes == ["long"] and runs(worker.pid)]


def part_of(service: Deployment, pid: int) -> Part:
    """The command that a process comes from."""
    return next(part for part in service.parts.values() if pid in part.pids())


@pytest.mark.parametrize("kills", [8, pytest.param(20, marks=pytest.mark.long)])
def test_a_worker_killed_at_random_moments_loses_nothing(
    deploy: Deploy, mode: Mode, figure: Figure, kills: int
) -> None:
    service = deploy(mode, IMPASTO_CHECKPOINT_SECONDS="0.2", IMPASTO_MAX_ATTEMPTS="100")
    rng = random.Random(20)
    job_ids: list[str] = []
    times = []

    def start_after(moment: float) -> float | None:
        starts = [
            event.created_at
            for job_id in job_ids
            for event in service.events(job_id)
            if event.data.get("state") == "running" and event.created_at > moment
        ]
        return min(starts, default=None)

    def keep_busy() -> None:
        while len([job_id for job_id in job_ids if not service.job(job_id).ended]) < 2:
            job_ids.append(service.paint(size=48, steps=150, seed=len(job_ids)))

    for _ in range(kills):
        keep_busy()
        time.sleep(rng.uniform(0, 1.5))
        pid = wait_for(lambda: painters(service))[0]
        moment = time.time()
        kill(pid)
        # The last jobs may have ended just before the kill, and then nothing would be left to start.
        keep_busy()
        started = wait_for(lambda: start_after(moment))  # noqa: B023
        assert started is not None
        times.append(started - moment)
    for job_id in job_ids:
        assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
        service.check_made_once(job_id)
    attempts = sum(service.job(job_id).attempt for job_id in job_ids)
    times.sort()
    figure(
        f"{mode}: {kills} kills, {len(job_ids)} jobs, {attempts} attempts; the next one started after "
        f"{times[len(times) // 2]:.1f} s (median), {times[-1]:.1f} s (longest)"
    )


@pytest.mark.parametrize("what", ["all of it", "its supervisor", "its Celery process"])
def test_another_worker_goes_on_when_one_is_killed(deploy: Deploy, figure: Figure, what: str) -> None:
    service = deploy("celery", IMPASTO_CHECKPOINT_SECONDS="0.5")
    service.add_worker("worker-2")
    wait_for(lambda: len(painters(service)) == 2)
    job_id = service.paint(size=48, steps=LONG)
    service.wait_for_job(job_id, "running")
    wait_for(lambda: service.job(job_id).checkpoint)
    lost = part_of(service, service.worker_of(job_id))
    match what:
        case "all of it":
            lost.kill_all()
        case "its supervisor":
            lost.kill()
        case _:
            (celery,) = [
                pid for pid, line in lost.pids().items() if "worker.runtime.celery_main --lane long" in line
            ]
            kill(celery)
    moment = time.time()
    saved = service.job(job_id).checkpoint
    assert saved is not None
    resumed = service.wait_for_progress(job_id, attempt=2)
    assert resumed.attempt == 2
    assert resumed.progress is not None and resumed.progress["done"] > saved["done"]
    started = next(e.created_at for e in service.events(job_id) if e.data.get("attempt") == 2)
    figure(f"celery: a job went on {started - moment:.1f} s after its worker was killed ({what})")


@mostly("celery")
def test_a_worker_that_was_frozen_past_its_lease_writes_nothing(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode, IMPASTO_LEASE_SECONDS="4", IMPASTO_DEVICE="cpu,cpu")
    if mode == "celery":
        service.add_worker("worker-2")
    wait_for(lambda: len(painters(service)) == 2)
    job_id = service.paint(size=48, steps=200)
    service.wait_for_progress(job_id)
    worker = service.worker_of(job_id)
    # With the supervisor, which would kill it once it is silent for as long as a lease lasts.
    supervisor = part_of(service, worker).process.pid
    kill(supervisor, signal.SIGSTOP)
    freeze(service, worker)
    service.wait_for_progress(job_id, attempt=2)
    assert service.worker_of(job_id) != worker
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    service.check_made_once(job_id)
    job, files, picture = service.job(job_id), service.files_of(job_id), service.pixels(job_id)
    assert job.attempt == 2

    kill(worker, signal.SIGCONT)
    part = part_of(service, worker)
    wait_for(lambda: f"job {job_id}: attempt 1 lost its claim" in part.log)
    kill(supervisor, signal.SIGCONT)
    assert service.job(job_id) == job
    assert service.files_of(job_id) == files
    assert (service.pixels(job_id) == picture).all()
    # It takes part again: two jobs that never end run at once.
    for other in [service.paint(size=48, steps=LONG) for _ in range(2)]:
        service.wait_for_progress(other)


def freeze(service: Deployment, worker: int) -> None:
    """Freeze a worker, but not in the middle of a write, where it would keep SQLite's one lock for ever."""
    kill(worker, signal.SIGSTOP)
    while service.mode == "embedded" and is_locked(service):
        kill(worker, signal.SIGCONT)
        time.sleep(0.1)
        kill(worker, signal.SIGSTOP)


def is_locked(service: Deployment) -> bool:
    """Whether a process holds the write lock of SQLite for longer than a write takes."""
    path = service.engine.url.database
    assert path is not None
    with closing(sqlite3.connect(path, timeout=1, isolation_level=None)) as database:
        try:
            database.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return True
        database.rollback()
        return False


@mostly("embedded")
def test_a_job_that_kills_its_worker_is_given_up_and_the_others_run_on(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    poison = service.paint(size=48, steps=LONG)
    others = [service.paint(size=32, steps=1, seed=seed) for seed in range(3)]
    for attempt in (1, 2, 3):
        wait_for(lambda: service.job(poison).attempt == attempt)  # noqa: B023
        kill(service.worker_of(poison))
    job = service.wait_for_job(poison, "failed", "succeeded", "cancelled")
    assert (job["state"], job["error"]["type"]) == ("failed", "worker_lost")
    assert service.job(poison).attempt == 3
    for other in others:
        assert service.wait_for_job(other, "succeeded", "failed")["state"] == "succeeded"
        service.check_made_once(other)
    assert service.files_of(poison) == set()


@by_turns(("how",), [("child",), ("all of it",)])
def test_a_job_is_cancelled_while_its_worker_is_frozen(deploy: Deploy, mode: Mode, how: str) -> None:
    service = deploy(mode, IMPASTO_CANCEL_GRACE_SECONDS="1")
    job_id = service.paint(size=48, steps=LONG)
    service.wait_for_progress(job_id)
    worker = service.worker_of(job_id)
    frozen = {worker} if how == "child" else computing_processes(service)
    for pid in frozen:
        kill(pid, signal.SIGSTOP)
    url = f"{service.url}/v1/jobs/{job_id}/cancel"
    # Frozen in the middle of a write, it holds up this one until its supervisor finds it silent.
    wait_for(lambda: httpx.post(url, timeout=60, trust_env=False).is_success)
    assert service.wait_for_job(job_id, "cancelled", "failed", "succeeded")["state"] == "cancelled"
    wait_for(lambda: not runs(worker))
    after = service.paint(size=32, steps=1)
    assert service.wait_for_job(after, "succeeded", "failed")["state"] == "succeeded"
    assert [event.type for event in service.events(job_id)].count("done") == 1
    wait_for(lambda: service.files_of(job_id) == set(), PATIENCE)


def computing_processes(service: Deployment) -> set[int]:
    """The processes of the worker, but not the supervisor, which kills unresponsive ones."""
    part = service.parts["serve" if service.mode == "embedded" else "worker"]
    return {pid for pid, line in part.pids().items() if "impasto" not in line and "supervision" not in line}


def test_a_cancel_reaches_a_job_wherever_it_is(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    running, queued, paused = (service.paint(size=48, steps=LONG, seed=seed) for seed in range(3))
    service.wait_for_progress(running)
    service.request("POST", f"/v1/jobs/{paused}/pause")
    assert service.request("POST", f"/v1/jobs/{queued}/cancel")["state"] == "cancelled"
    assert service.request("POST", f"/v1/jobs/{paused}/cancel")["state"] == "cancelled"
    service.request("POST", f"/v1/jobs/{running}/cancel")
    assert service.wait_for_job(running, "cancelled", "failed", "succeeded")["state"] == "cancelled"
    assert [service.job(job_id).attempt for job_id in (running, queued, paused)] == [1, 0, 0]
    # A job that was paused while it ran has files, which must go with it.
    halted = service.paint(size=48, steps=LONG)
    service.wait_for_progress(halted)
    service.request("POST", f"/v1/jobs/{halted}/pause")
    service.wait_for_job(halted, "queued")
    assert service.files_of(halted) != set()
    assert service.request("POST", f"/v1/jobs/{halted}/cancel")["state"] == "cancelled"
    for job_id in (running, queued, paused, halted):
        wait_for(lambda: service.files_of(job_id) == set())  # noqa: B023
