"""A job that was interrupted ends with the very picture, or network, of one that was not."""

import pytest

from app.jobs.states import State
from tests.faults.conftest import Deploy, mostly
from tests.support.deployment import Deployment, Mode, kill
from tests.support.service import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.server]

# Long enough to be interrupted on any machine; the seed makes them alike.
PAINTING = {"size": 48, "steps": 200, "seed": 3}


def uninterrupted(service: Deployment) -> str:
    """A job that was left alone, and has ended."""
    job_id = service.paint(**PAINTING)
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    assert service.job(job_id).attempt == 1
    return job_id


def check_went_on(service: Deployment, job_id: str, saved: int) -> None:
    """Assert that the second attempt went on after ``saved`` steps, and left the files of one painting."""
    check_progress(service, job_id, saved + 1)
    service.check_made_once(job_id)


def check_progress(service: Deployment, job_id: str, least: int) -> None:
    """Assert that the second attempt began with ``least`` steps at least, and only went on."""
    assert service.job(job_id).attempt == 2
    events = service.events(job_id)
    second = next(event.seq for event in events if event.data.get("attempt") == 2)
    done = [event.data["done"] for event in events if event.type == "progress" and event.seq > second]
    assert done[0] >= least
    assert done == sorted(done)


@mostly("celery")
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


# Two trainings, with a moving average, batch norms and random changes of the pictures.
TRAINING = {
    "dataset": "digits",
    "preset": "from-scratch",
    "size": 12,
    "epochs": 16,
    "restarts": 2,
    "optimizer": "adam",
    "schedule": "plateau",
    "mixup": 0.2,
}


def learn(service: Deployment) -> str:
    return str(service.request("POST", "/v1/train", json=TRAINING)["id"])


@pytest.mark.parametrize(
    ("mode", "share"), [("embedded", 0.3), pytest.param("celery", 0.55, marks=pytest.mark.long)]
)
def test_a_training_after_kill_9_of_the_worker(deploy: Deploy, mode: Mode, share: float) -> None:
    service = deploy(mode, IMPASTO_CHECKPOINT_SECONDS="0.3", IMPASTO_LANES="training")
    alone = learn(service)
    assert service.wait_for_job(alone, "succeeded", "failed")["state"] == "succeeded"
    job_id = learn(service)

    def far_enough() -> bool:
        job = service.job(job_id)
        assert job.state is not State.SUCCEEDED, "it was too fast to be interrupted"
        if job.checkpoint is None or job.progress is None:
            return False
        return bool(job.checkpoint["done"] > share * job.progress["total"])

    wait_for(far_enough)
    kill(service.worker_of(job_id))
    job = service.wait_for_row(job_id, "queued")
    assert job.checkpoint is not None
    assert service.wait_for_job(job_id, "succeeded", "failed")["state"] == "succeeded"
    check_progress(service, job_id, job.checkpoint["done"])
    first, second = (service.job(each).result or {} for each in (alone, job_id))
    for name in ("history", "runs", "val_accuracy", "test_accuracy", "calibration"):
        assert first[name] == second[name], name
    names = [result["network"] for result in (first, second)]
    assert names == ["digits-cnn", "digits-cnn-2"]
    cards = [service.request("GET", f"/v1/networks/{name}") for name in names]
    assert cards[0]["sha256"] == cards[1]["sha256"]
