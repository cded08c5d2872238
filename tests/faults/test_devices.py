"""Workers on all GPUs of a machine, one of which is lost."""

import re
from pathlib import Path

import pytest

from app.workers import repository as workers
from tests.faults.conftest import Deploy, mostly
from tests.support.deployment import Deployment, Mode
from tests.support.fake_gpus import lose, mend, with_gpus
from tests.support.service import runs, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

LONG = 20_000


def pid_on(service: Deployment, device: str) -> int | None:
    """The process of the worker of a device."""
    alive = workers.list_alive(service.engine, 3600.0)
    found = [each.pid for each in alive if f"worker-{device}-" in each.worker_id and runs(each.pid)]
    return found[0] if found else None


def with_workers(deploy: Deploy, mode: Mode, device: str, folder: Path) -> Deployment:
    """A service whose workers have a device of the setting."""
    settings = {"IMPASTO_CHECKPOINT_SECONDS": "0.5", **with_gpus(2, folder)}
    if mode == "embedded":
        return deploy(mode, IMPASTO_DEVICE=device, **settings)
    service = deploy(mode, **settings)
    usual = service.parts["worker"]
    usual.process.terminate()
    assert usual.wait() == 0
    service.parts["worker"] = service.make_part("gpus", ["worker", "--device", device])
    service.parts["worker"].start()
    return service


@mostly("embedded")
@pytest.mark.parametrize("device", ["auto", pytest.param("cuda:0, cuda:1", marks=pytest.mark.long)])
def test_a_lost_gpu_ends_its_own_worker_alone_and_is_tried_again(
    deploy: Deploy, mode: Mode, device: str, tmp_path: Path
) -> None:
    service = with_workers(deploy, mode, device, tmp_path)
    first = wait_for(lambda: pid_on(service, "cuda:0"))
    second = wait_for(lambda: pid_on(service, "cuda:1"))
    jobs = [service.paint(size=48, steps=LONG, seed=seed) for seed in range(2)]
    for job_id in jobs:
        service.wait_for_progress(job_id)
        wait_for(lambda: service.job(job_id).checkpoint)  # noqa: B023
    (lost_job,) = [job_id for job_id in jobs if service.worker_of(job_id) == second]
    (other,) = [job_id for job_id in jobs if job_id != lost_job]

    lose(tmp_path, 1)
    assert service.wait_for_row(lost_job, "queued").lost_attempts == 1
    wait_for(lambda: not runs(second or 0))
    assert "does not compute any more: CUDA error" in service.logs
    # It is started again, finds no device, and waits longer each time.
    if mode == "embedded":
        pauses = r"worker cuda:1 long ended with exit code \d+; starting it again in (\S+) s"
        wait_for(lambda: len(re.findall(pauses, service.logs)) >= 3)
        assert re.findall(pauses, service.logs)[:3] == ["0.5", "1", "2"]
        assert "ended with exit code 78" in service.logs
    else:
        wait_for(lambda: service.logs.count("this worker cannot start") >= 2)
    assert "IMPASTO_DEVICE is 'cuda:1', which is not here" in service.logs

    # The other goes on, and takes over.
    assert pid_on(service, "cuda:0") == first
    assert (service.job(other).state, service.job(other).attempt) == ("running", 1)
    service.request("POST", f"/v1/jobs/{other}/cancel")
    assert service.wait_for_progress(lost_job, attempt=2).attempt == 2
    assert service.worker_of(lost_job) == first

    mend(tmp_path, 1)
    wait_for(lambda: pid_on(service, "cuda:1"))
    another = service.paint(size=48, steps=LONG, seed=3)
    service.wait_for_progress(another)
    assert service.worker_of(another) == pid_on(service, "cuda:1")


@mostly("embedded")
def test_a_device_that_never_was_there_ends_the_service(deploy: Deploy, mode: Mode, tmp_path: Path) -> None:
    if mode == "embedded":
        with pytest.raises(AssertionError, match="serve ended"):
            deploy("embedded", IMPASTO_DEVICE="cuda:0,cuda:7", **with_gpus(2, tmp_path))
        log = (tmp_path / "serve.log").read_text()
    else:
        worker = with_workers(deploy, mode, "cuda:0,cuda:7", tmp_path).parts["worker"]
        assert worker.wait() == 2
        log = worker.log
    assert "IMPASTO_DEVICE is 'cuda:7', which is not here. Here: cuda:0, cuda:1, cpu" in log
