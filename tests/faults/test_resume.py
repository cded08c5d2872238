"""A style transfer that was interrupted ends with the very picture of one that was not."""

import pytest

from tests.faults.conftest import Deploy
from tests.support.deployment import Deployment, Mode, kill
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

# Long enough to be interrupted on any machine; the seed makes them alike.
PAINTING = {"size": 48, "steps": 300, "seed": 3}


def uninterrupted(service: Deployment) -> str:
    """A job that was left alone, and has ended."""
    job_id = service.paint(**PAINTING)
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    assert service.job(job_id).attempt == 1
    return job_id


def check_went_on(service: Deployment, job_id: str, saved: int) -> None:
    """Assert that the second attempt went on after ``saved`` steps, and did not begin again."""
    assert service.job(job_id).attempt == 2
    events = service.events(job_id)
    second = next(event.seq for event in events if event.data.get("attempt") == 2)
    done = [event.data["done"] for event in events if event.type == "progress" and event.seq > second]
    assert done[0] > saved
    assert done == sorted(done)
    service.check_made_once(job_id)


def test_after_sigterm_to_everything(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode)
    alone = uninterrupted(service)
    job_id = service.paint(**PAINTING)
    service.wait_for_progress(job_id)
    service.terminate()
    job = service.job(job_id)
    assert (job.state, job.lost_attempts) == ("queued", 0)
    assert job.checkpoint is not None and job.progress is not None
    assert job.checkpoint["done"] >= job.progress["done"]

    service.start()
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    check_went_on(service, job_id, job.checkpoint["done"])
    assert (service.pixels(job_id) == service.pixels(alone)).all()


def test_after_kill_9_of_the_worker(deploy: Deploy, mode: Mode) -> None:
    service = deploy(mode, IMPASTO_CHECKPOINT_SECONDS="0.3")
    alone = uninterrupted(service)
    job_id = service.paint(**PAINTING)
    wait_for(lambda: service.job(job_id).checkpoint)
    kill(service.worker_of(job_id))
    job = service.wait_for_row(job_id, "queued")
    assert job.checkpoint is not None

    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    check_went_on(service, job_id, job.checkpoint["done"])
    assert (service.pixels(job_id) == service.pixels(alone)).all()
