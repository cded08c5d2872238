"""A network is trained by a job, and other kinds use it at once."""

import pytest
from PIL import Image

from app.jobs import repository
from app.jobs.job import Job
from app.jobs.states import State
from app.networks.catalogue import Catalogue
from app.networks.repository import list_networks
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, job_service, once_begun, queue_import, run, run_lanes
from tests.support.zips import zipped
from worker.runtime.context import WorkerContext

SIDE = 16
TRAINING = {
    "dataset": "colors",
    "preset": "from-scratch",
    "architecture_params": {"width": 4, "units": 8},
    "size": SIDE,
    "epochs": 1,
}


@pytest.fixture
def trained(context: WorkerContext) -> Job:
    """A training on pictures that are red or blue."""
    pictures = {
        f"{label}/{number}.png": strange.encode(
            Image.new("RGB", (SIDE, SIDE), tuple(level + number for level in color))
        )
        for label, color in (("red", (200, 20, 20)), ("blue", (20, 20, 200)))
        for number in range(12)
    }
    queue_import(context, zipped(pictures), "colors")
    assert run(context).state is State.SUCCEEDED
    return train(context)


def train(context: WorkerContext, **params: object) -> Job:
    job_service(context).create("train", {**TRAINING, **params}, {})
    return run_lanes(context, "training")


@pytest.mark.medium
def test_other_kinds_use_it_at_once(context: WorkerContext, trained: Job) -> None:
    assert trained.state is State.SUCCEEDED, trained.error
    assert trained.result is not None
    name = trained.result["network"]
    card = Catalogue(context.engine).find(name)
    assert card is not None and card.training is not None and card.temperature is not None
    assert card.classes == ["blue", "red"] and sum(card.training.split.values()) == 24
    picture = add_picture(context, strange.noise(size=(32, 24)))
    quick = {"size": SIDE, "steps": 2}
    for kind, params in (
        ("classify", {"image": picture}),
        ("saliency", {"image": picture, "methods": "grad_cam"}),
        ("class_visualization", {"target": ["red"], **quick}),
        ("deep_dream", {"image": picture, "octaves": 1, **quick}),
        ("style_transfer", {"content": picture, "style": [picture], **quick}),
        ("evaluate", {"dataset": "colors"}),
        ("architecture", {}),
        ("export_network", {}),
        (
            "train",
            {
                **TRAINING,
                "preset": "quick",
                "base": name,
                "architecture_params": None,
                "epochs": None,
                "name": "next",
            },
        ),
    ):
        network = {} if kind == "train" else {"network": name}
        job_service(context).create(kind, {**params, **network}, {})
        job = run_lanes(context, "short", "long", "training")
        assert job.state is State.SUCCEEDED, (kind, job.error)
    following = Catalogue(context.engine).find("next")
    assert following is not None and following.training is not None
    assert (following.training.base, following.training.base_sha256) == (name, card.sha256)


@pytest.mark.medium
def test_one_that_is_ended_early_is_kept(
    context: WorkerContext, trained: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.02)
    job = job_service(context).create("train", {**TRAINING, "epochs": 5000}, {})
    once_begun(context, job, lambda: job_service(context).finish(job.id))
    ended = run_lanes(context, "training")
    assert ended.state is State.SUCCEEDED and ended.result is not None, ended.error
    assert ended.result["ended_early"] and len(ended.result["history"]) < 5000
    assert trained.result is not None
    names = {network.card.name for network in list_networks(context.engine)}
    assert names == {trained.result["network"], ended.result["network"]} and len(names) == 2
    assert repository.get_job(context.engine, job.id).finish_requested_at is not None
