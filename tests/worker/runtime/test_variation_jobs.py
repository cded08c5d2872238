"""A job of several pictures on the real runner, stopped after every step."""

import threading
from io import BytesIO

import pytest
from PIL import Image

from app.jobs import repository
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds.deep_dream import DeepDreamParams
from app.networks.catalogue import SHIPPED
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, run, submit
from worker.runtime.context import WorkerContext


def queue(context: WorkerContext) -> Job:
    image_id = add_picture(context, strange.noise(size=(40, 30), seed=3))
    values = {"network": "vgg19-random", "layers": "relu2_1", "size": 32, "octaves": 1, "steps": 2}
    params = DeepDreamParams.model_validate({"image": image_id, **values, "variations": 3})
    return submit(context, params.resolve(SHIPPED))


def pixels(context: WorkerContext, job: Job) -> dict[str, bytes]:
    """The pictures that a job made; their recipes differ in the picture's id."""
    found = {}
    for artifact in repository.list_artifacts(context.engine, [job.id])[job.id]:
        if artifact.media_type == "image/png":
            with context.storage.open(artifact.key) as file:
                found[artifact.name] = Image.open(BytesIO(file.read())).tobytes()
    return found


@pytest.mark.medium
def test_variations_go_on_bit_for_bit_and_each_is_stored_once(context: WorkerContext) -> None:
    queue(context)
    whole = run(context, threading.Event())
    assert whole.state is State.SUCCEEDED, whole.error
    job = queue(context)
    work = context.settings.data_dir / "files" / "jobs" / job.id / "work"
    stop = threading.Event()
    stop.set()
    stored = []
    for _ in range(5):
        assert run(context, stop).state is State.QUEUED
        stored.append(sorted(path.name for path in work.glob("*-variation*")))

    done = run(context, threading.Event())

    first, second = "3-variation00.safetensors", "5-variation01.safetensors"
    assert stored == [[], [], [first], [first], [first, second]]
    assert done.state is State.SUCCEEDED, done.error
    made = pixels(context, done)
    assert set(made) == {"image", "image_0", "image_1", "image_2"}
    assert made == pixels(context, whole)
    assert whole.result is not None and done.result is not None
    assert done.result["pictures"] == whole.result["pictures"]
    assert done.result["objective"] == whole.result["objective"]
