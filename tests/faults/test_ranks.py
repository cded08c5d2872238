"""A training on several devices of which a process ends."""

import pytest

from tests.faults.conftest import Deploy, mostly
from tests.faults.test_resume import check_progress
from tests.support.deployment import Deployment, Mode, kill
from tests.support.service import runs, wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

TRAINING = {
    "dataset": "digits",
    "preset": "from-scratch",
    "architecture": "mlp",
    "size": 12,
    "batch_size": 32,
    "epochs": 6,
    "patience": 0,
}


def learn(service: Deployment, **params: object) -> str:
    return str(service.request("POST", "/v1/train", json={**TRAINING, **params})["id"])


def ranks(service: Deployment) -> list[int]:
    """Process ids of the further ranks."""
    return [
        pid
        for part in service.parts.values()
        for pid, line in part.pids().items()
        if "worker.training.rank" in line
    ]


@mostly("embedded")
def test_a_training_goes_on_after_a_rank_was_killed(deploy: Deploy, mode: Mode) -> None:
    service = deploy(
        mode, IMPASTO_CHECKPOINT_SECONDS="0.3", IMPASTO_TRAINING_DEVICES="cpu,cpu", IMPASTO_LANES="training"
    )
    job_id = learn(service)

    # 57 chunks of pictures are decoded first.
    def learning() -> bool:
        job = service.job(job_id)
        return job.checkpoint is not None and bool(job.checkpoint["done"] > 66)

    wait_for(learning)
    (rank,) = ranks(service)
    kill(rank)
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    check_progress(service, job_id, 66)
    assert "rank 1 of the training, on cpu, ended with SIGKILL" in service.logs


def test_ranks_outlive_a_cancel_and_end_with_their_worker(deploy: Deploy) -> None:
    service = deploy("embedded", IMPASTO_TRAINING_DEVICES="cpu,cpu", IMPASTO_LANES="training")
    cancelled = learn(service, epochs=5000)
    wait_for(lambda: (service.job(cancelled).progress or {}).get("done", 0) > 66)
    there = ranks(service)
    assert len(there) == 1
    service.request("POST", f"/v1/jobs/{cancelled}/cancel")
    service.wait_for_job(cancelled, "cancelled")
    assert ranks(service) == there

    # They end with the process that started them.
    another = learn(service, epochs=5000)
    wait_for(lambda: (service.job(another).progress or {}).get("done", 0) > 66)
    (rank,) = ranks(service)
    kill(service.worker_of(another))
    wait_for(lambda: not runs(rank))
