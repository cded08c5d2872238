"""Workers that come and go at random, while many jobs run over a real Redis."""

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from app.jobs.dispatch.celery import TOKENS_PER_WORKER
from app.jobs.dispatch.celery_settings import KEY_PREFIX
from app.workers import repository as workers
from tests.faults.conftest import Deploy
from tests.support.deployment import Deployment, Part, kill
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

Figure = Callable[[str], None]
SEED = int(os.environ.get("IMPASTO_TEST_SEED", "20"))
# Workers that come and go, that are there at once, and that go at once: a frozen one takes its time.
COUNT, AT_ONCE, LEAVING = 20, 2, 2
SHORT, LONG, STEPS = 150, 6, 300
LEASE = 8


def submit(service: Deployment) -> list[str]:
    """Many jobs of one step, and a few of many among them; their ids."""
    params = {"content": service.upload(1), "style": service.upload(2), "size": 32}
    made = []
    for number in range(SHORT + LONG):
        steps = STEPS if number % (SHORT // LONG) == 0 and number < SHORT else 1
        body = {"kind": "style_transfer", "params": {**params, "steps": steps, "seed": number}}
        made.append(str(service.request("POST", "/v1/jobs", json=body)["id"]))
    return made


@contextmanager
def most_tokens(service: Deployment) -> Iterator[list[int]]:
    """How many tokens were out at each look, beyond what the workers that were registered may have."""
    beyond: list[int] = []
    ended = threading.Event()
    assert service.redis is not None

    def look() -> None:
        assert service.redis is not None
        with service.redis.client() as client:
            while not ended.wait(0.2):
                out = int(client.llen(f"{KEY_PREFIX}lane.long"))
                # Those that died are on the register until they are pruned, and count.
                known = len(workers.list_alive(service.engine, 3600.0))
                beyond.append(out - TOKENS_PER_WORKER * max(1, known))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield beyond
    finally:
        ended.set()
        thread.join()


def is_ready(service: Deployment, part: Part) -> bool:
    """Whether the process of a worker that computes is on the register."""
    pids = part.pids()
    return any(worker.pid in pids for worker in workers.list_alive(service.engine, 3600.0))


def end(part: Part, how: str) -> None:
    """Let a worker go, perhaps after it was frozen past its lease."""
    if how == "SIGSTOP":
        pids = list(part.pids())
        for pid in pids:
            kill(pid, signal.SIGSTOP)
        time.sleep(1.5 * LEASE)
        for pid in pids:
            kill(pid, signal.SIGCONT)
        time.sleep(1)
    if how == "SIGKILL":
        part.kill_all()
    else:
        part.process.terminate()


def check_life(service: Deployment, job_id: str) -> int:
    """Assert that a job has one end, and events in order that agree with its row; its attempts."""
    job, events = service.job(job_id), service.events(job_id)
    assert job.state == "succeeded", job
    seqs = [event.seq for event in events]
    assert seqs == sorted(set(seqs)) and (seqs[0], seqs[-1]) == (1, job.seq)
    states = [
        (event.data["state"], event.data["attempt"])
        for event in events
        if event.type != "progress" and event.type != "preview"
    ]
    # Queued, running, queued again ..., and one end: each attempt begins once.
    expected = [("queued", 0)]
    for attempt in range(1, job.attempt + 1):
        expected += [("running", attempt), ("queued", attempt)]
    assert states == [*expected[:-1], ("succeeded", job.attempt)]
    if all(event.type not in ("progress", "preview") for event in events):
        assert seqs == list(range(1, job.seq + 1))
    service.check_made_once(job_id)
    return job.attempt


def test_workers_that_come_and_go_lose_nothing_and_do_nothing_twice(deploy: Deploy, figure: Figure) -> None:
    figure(f"celery: churn with IMPASTO_TEST_SEED={SEED}")
    rng = random.Random(SEED)
    service = deploy(
        "celery",
        IMPASTO_LEASE_SECONDS=str(LEASE),
        IMPASTO_CHECKPOINT_SECONDS="0.5",
        IMPASTO_MAX_ATTEMPTS="100",
        IMPASTO_SHUTDOWN_SECONDS="5",
    )
    began = time.monotonic()
    there: list[Part] = [service.parts["worker"]]
    ended: list[Part] = []
    leaving: list[Future[None]] = []
    with most_tokens(service) as beyond:
        job_ids = submit(service)
        with ThreadPoolExecutor(LEAVING) as pool:
            for number in range(1, COUNT + 1):
                there.append(service.add_worker(f"worker-{number}"))
                wait_for(lambda: is_ready(service, there[-1]))
                time.sleep(rng.uniform(0, 1))
                if len(there) > AT_ONCE:
                    ended.append(there.pop(rng.randrange(len(there))))
                    leaving.append(pool.submit(end, ended[-1], rng.choice(["SIGKILL", "SIGTERM", "SIGSTOP"])))
        for each in leaving:
            each.result()
        came = time.monotonic() - began
        for job_id in job_ids:
            wait_for(lambda: service.job(job_id).ended, 600)  # noqa: B023
    attempts = [check_life(service, job_id) for job_id in job_ids]
    for part in ended:
        part.process.wait(60)
        assert part.pids() == {}
    # Those of workers that have just gone may still be there; never one for each job.
    assert beyond and max(beyond) <= TOKENS_PER_WORKER * (AT_ONCE + LEAVING), max(beyond)
    figure(
        f"celery: {COUNT} workers came in {came:.0f} s, {len(ended)} went: {len(job_ids)} jobs in "
        f"{sum(attempts)} attempts, {time.monotonic() - began:.0f} s"
    )
