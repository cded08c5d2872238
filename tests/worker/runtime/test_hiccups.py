"""Storage that fails for a while, a full disk, a broken device: they cost time, and no job."""

import errno
import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest
import torch

from app.jobs import reaper, repository
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds.style_transfer import StyleTransferParams
from app.networks.catalogue import SHIPPED
from app.storage import FolderStorage, StorageFull, Stored
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, run, submit
from worker.contract.compute import Compute
from worker.contract.steps import StepState
from worker.runtime import checkpoints
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext
from worker.runtime.failures import DeviceBroken, require_working


class Unreliable(FolderStorage):
    """A storage whose writes and reads of some keys fail a number of times."""

    def __init__(self, root: Path, part: str, failures: int, error: Callable[[], Exception]) -> None:
        super().__init__(root)
        self._part, self._error = part, error
        self.failures = failures

    def _fail(self, key: str) -> None:
        if self._part in key and self.failures > 0:
            self.failures -= 1
            raise self._error()

    def put(self, key: str, data: bytes | Iterable[bytes] | BinaryIO) -> Stored:
        self._fail(key)
        return super().put(key, data)

    def open(self, key: str) -> BinaryIO:
        self._fail(key)
        return super().open(key)


def input_output_error() -> OSError:
    return OSError(errno.EIO, "Input/output error")


def queue(context: WorkerContext, **params: object) -> Job:
    values = {
        "content": add_picture(context, strange.noise(seed=1, size=(40, 30))),
        "style": add_picture(context, strange.noise(seed=2, size=(40, 30))),
        "size": 40,
        "steps": 3,
        **params,
    }
    return submit(context, StyleTransferParams.model_validate(values).resolve(SHIPPED))


def with_storage(
    context: WorkerContext, part: str, failures: int, error: Callable[[], Exception] = input_output_error
) -> WorkerContext:
    storage = Unreliable(context.settings.data_dir / "files", part, failures, error)
    return replace(context, storage=storage)


def no_space() -> StorageFull:
    return StorageFull("no space left")


@pytest.mark.medium
@pytest.mark.parametrize(
    ("part", "error"),
    [(part, input_output_error) for part in ("images/", "work/", "preview", "image.png", "recipe.json")]
    + [(part, no_space) for part in ("work/", "preview")],
)
def test_a_job_outlasts_two_failures(
    context: WorkerContext, part: str, error: Callable[[], Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr("worker.runtime.schedule.PREVIEW_SECONDS", 0.0)
    queue(context)
    unreliable = with_storage(context, part, 2, error)
    job = run(unreliable)
    assert job.state is State.SUCCEEDED and job.attempt == 1, job.error
    assert isinstance(unreliable.storage, Unreliable)
    assert unreliable.storage.failures < 2


@pytest.mark.medium
def test_a_job_outlasts_a_disk_that_is_not_mounted(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.FIRST_PAUSE_SECONDS", 0.01)
    queue(context)
    files = context.settings.data_dir / "files"
    moved = files.rename(files.with_name("moved"))
    files.mkdir()

    def mount() -> None:
        if moved.exists():
            files.rmdir()
            moved.rename(files)

    monkeypatch.setattr("worker.runtime.patience.between_parts", mount)
    job = run(context)
    assert job.state is State.SUCCEEDED and job.attempt == 1, job.error
    assert not moved.exists()


@pytest.mark.medium
def test_a_preview_that_fails_is_not_tried_in_every_step(context: WorkerContext) -> None:
    queue(context, steps=12)
    unreliable = with_storage(context, "preview", 1000)
    assert run(unreliable).state is State.SUCCEEDED
    assert isinstance(unreliable.storage, Unreliable) and unreliable.storage.failures > 990


def too_little_memory(*_: object) -> bytes:
    raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")


@pytest.mark.medium
def test_a_preview_for_which_there_is_no_memory_fails_no_job(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.claimed_job.encode_preview", too_little_memory)
    queue(context)
    job = run(context)
    assert job.state is State.SUCCEEDED, job.error


@pytest.mark.medium
def test_a_shutdown_without_the_memory_for_a_checkpoint_fails_no_job(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.checkpoints.save", too_little_memory)
    queue(context)
    stop = threading.Event()
    stop.set()
    job = run(context, stop)
    assert (job.state, job.lost_attempts, job.error) == (State.QUEUED, 0, None)


@pytest.mark.medium
def test_a_checkpoint_that_cannot_be_read_for_a_moment_is_gone_on_from(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.FIRST_PAUSE_SECONDS", 0.01)
    queue(context)
    stop = threading.Event()
    stop.set()
    assert run(context, stop).checkpoint is not None
    again = run(with_storage(context, ".safetensors", 2), stop)
    assert again.checkpoint is not None and again.checkpoint["done"] == 2


@pytest.mark.medium
def test_a_checkpoint_that_cannot_be_read_starts_the_job_over(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.PERSIST_SECONDS", 0.0)
    queue(context)
    stop = threading.Event()
    stop.set()
    assert run(context, stop).checkpoint is not None
    job = run(with_storage(context, ".safetensors", 1000))
    assert job.state is State.SUCCEEDED and job.error is None


@pytest.mark.medium
def test_a_checkpoint_that_the_kind_cannot_use_starts_the_job_over(
    context: WorkerContext, caplog: pytest.LogCaptureFixture
) -> None:
    queue(context)
    stop = threading.Event()
    stop.set()
    job = run(context, stop)
    assert job.checkpoint is not None
    state = StepState({"strange": torch.zeros(3)}, {"unknown": 1})
    checkpoints.save(context.storage, job.checkpoint["key"], job.kind, state, {}, "jobs/x/work/1")
    done = run(context)
    assert done.state is State.SUCCEEDED and "starts from the beginning" in caplog.text


@pytest.mark.medium
def test_a_result_that_finds_no_space_waits_in_the_queue(context: WorkerContext) -> None:
    queue(context)
    full = with_storage(context, "image.png", 1, no_space)
    assert isinstance(full.storage, Unreliable)
    before_end = full.storage

    def require_space(size: int = 0) -> None:
        if before_end.failures == 0:
            raise StorageFull("1 of 2 bytes are missing")

    before_end.require_space = require_space  # type: ignore[method-assign]
    job = run(full)
    assert (job.state, job.lost_attempts, job.error) == (State.QUEUED, 0, None)
    with pytest.raises(StorageFull):
        runner.run_next(full, ["long"], threading.Event())
    assert repository.get_job(context.engine, job.id).attempt == 1
    assert run(context).state is State.SUCCEEDED


@pytest.mark.medium
@pytest.mark.parametrize("part", ["images/", "image.png"])
def test_a_file_that_stays_unreadable_fails_its_job(
    context: WorkerContext, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.PERSIST_SECONDS", 0.0)
    queue(context)
    job = run(with_storage(context, part, 1000))
    assert job.state is State.FAILED and job.error is not None
    assert job.error["type"] == "storage_unavailable" and "Input/output error" in job.error["detail"]


@pytest.mark.medium
def test_a_storage_that_stays_away_leaves_its_job_in_the_queue(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.PERSIST_SECONDS", 0.0)
    queue(context)
    job = run(with_storage(context, "", 1000))
    assert (job.state, job.lost_attempts, job.error) == (State.QUEUED, 0, None)
    assert run(context).state is State.SUCCEEDED


def test_an_error_of_the_computation_is_none_of_the_storage(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object) -> None:
        raise FileNotFoundError("weights")

    monkeypatch.setattr("worker.runtime.loaded.network_for", missing)
    queue(context)
    job = run(context)
    assert job.state is State.FAILED and job.error is not None and job.error["type"] == "internal"


@pytest.mark.medium
def test_a_result_that_is_too_large_for_the_disk_fails_the_job(context: WorkerContext) -> None:
    queue(context)
    job = run(with_storage(context, "image.png", 1, no_space))
    assert job.state is State.FAILED and job.error is not None and job.error["type"] == "storage_full"


def test_nothing_begins_while_space_is_short(context: WorkerContext) -> None:
    job = queue(context)
    short = replace(context, storage=FolderStorage(context.settings.data_dir / "files", 1 << 60))
    with pytest.raises(StorageFull):
        runner.run_next(short, ["long"], threading.Event())
    assert repository.get_job(context.engine, job.id).state is State.QUEUED


@pytest.mark.medium
def test_a_broken_device_leaves_its_jobs_to_others(context: WorkerContext) -> None:
    """Nothing that the ``meta`` device computes can be read."""
    jobs = [queue(context), queue(context)]
    broken = replace(context, compute=Compute(torch.device("meta")))
    with pytest.raises(DeviceBroken):
        runner.run_next(broken, ["long"], threading.Event())
    states = [repository.get_job(context.engine, job.id) for job in jobs]
    assert [(job.state, job.error) for job in states] == [(State.RUNNING, None), (State.QUEUED, None)]

    assert [job.state for job in reaper.expire_worker(context.engine, "w1", 3)] == [State.QUEUED]
    for job in jobs:
        assert runner.run_next(context, ["long"], threading.Event())
        assert repository.get_job(context.engine, job.id).state is State.SUCCEEDED


def test_a_device_that_works_is_not_blamed() -> None:
    require_working(torch.device("cpu"))
    with pytest.raises(DeviceBroken, match="meta does not compute"):
        require_working(torch.device("meta"))
