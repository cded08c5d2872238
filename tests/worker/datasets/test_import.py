"""An import on the real runner, stopped after every step, and killed."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from app.datasets.repository import all_members, get_dataset
from app.jobs import reaper, repository
from app.jobs.repository import get_job
from app.jobs.states import State
from tests.support.worker_context import job_service, run
from tests.support.worker_context import queue_import as queue
from tests.support.zips import class_folders, zipped
from worker.datasets import import_members
from worker.runtime.context import WorkerContext


def files(context: WorkerContext, folder: str) -> list[Path]:
    root = context.settings.data_dir / "files" / folder
    return [path for path in root.rglob("*") if path.is_file()]


def check_whole(context: WorkerContext, count: int, name: str = "pets") -> None:
    """The set is closed and has each member once, and each picture is stored once."""
    dataset = get_dataset(context.engine, name)
    names = [member.name for member in all_members(context.engine, dataset.id)]
    assert dataset.state == "closed" and len(names) == count == len(set(names))
    assert names == sorted(names)
    assert len(files(context, "images")) == count
    assert not [path for path in files(context, "jobs") if path.name.endswith(("zip", "safetensors"))]


@pytest.mark.medium
def test_an_import_that_stops_after_every_step_goes_on(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_members, "IN_ONE", 2)
    queue(context, zipped(class_folders(cat=3, dog=3)))
    stop = threading.Event()
    stop.set()
    steps = 0
    while (job := run(context, stop)).state is State.QUEUED:
        steps += 1
    assert job.state is State.SUCCEEDED and job.result is not None, job.error
    assert steps == 6 + 3
    assert (job.result["added"], job.result["present"], job.result["duplicates"]) == (6, 0, 0)
    check_whole(context, 6)
    whole = get_dataset(context.engine, "pets").sha256
    queue(context, zipped(class_folders(cat=3, dog=3)), "again")
    assert run(context).state is State.SUCCEEDED
    assert get_dataset(context.engine, "again").sha256 == whole


def test_a_retry_asks_for_the_zip_again(context: WorkerContext) -> None:
    job = queue(context, zipped(class_folders(cat=2, dog=1)))
    job_service(context).cancel(job.id)
    assert files(context, "") == []
    job_service(context).retry(get_job(context.engine, job.id))
    failed = run(context)
    assert failed.error is not None and failed.error["field"] == "upload"
    assert "send the ZIP again" in failed.error["detail"]


WORKER = """
import sys, threading
from app.settings import Settings
from worker.datasets import import_members
from worker.runtime.context import make_context
from worker.runtime.run_job import run_next
import_members.IN_ONE = 3
context = make_context(Settings(), sys.argv[1], "cpu")
print("ready", flush=True)
run_next(context, ["long"], threading.Event())
"""


@pytest.mark.server
@pytest.mark.slow
def test_kill_9_at_any_moment_doubles_nothing(context: WorkerContext) -> None:
    count = 240
    job = queue(context, zipped(class_folders(cat=count // 2, dog=count // 2)))
    environment = {
        **os.environ,
        "IMPASTO_DATA_DIR": str(context.settings.data_dir),
        "IMPASTO_CHECKPOINT_SECONDS": "0.05",
        "PYTHONPATH": os.getcwd(),
    }
    dataset_id = get_dataset(context.engine, "pets").id
    # Killed while it checks, then while it adds.
    for attempt, wanted in enumerate(("checked", 30, 150)):
        process = subprocess.Popen(
            [sys.executable, "-c", WORKER, f"w{attempt}"], env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout is not None and process.stdout.readline() == b"ready\n"

        def reached(wanted: str | int = wanted) -> bool:
            now = repository.get_job(context.engine, job.id)
            if wanted == "checked":
                return now.progress is not None
            return get_dataset(context.engine, dataset_id).members >= int(wanted)

        deadline = time.monotonic() + 60
        while not reached() and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        reaper.expire_worker(context.engine, f"w{attempt}", max_attempts=10)
    before = repository.get_job(context.engine, job.id)
    assert before.state is State.QUEUED and before.attempt == 3
    assert 150 <= get_dataset(context.engine, dataset_id).members < count
    done = run(context)
    assert done.state is State.SUCCEEDED, done.error
    check_whole(context, count)
