"""Jobs that explain a picture on the real runner: their lane, stops after every step, and their files."""

import threading
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from app.jobs import repository
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds.class_map import ClassMapParams
from app.kinds.saliency import SaliencyParams
from app.networks.catalogue import SHIPPED
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, run, submit
from worker.runtime.context import WorkerContext

VALUES = {"network": "palette", "size": 64, "samples": 3}
METHODS = ["gradient", "smooth_grad", "grad_cam"]


def queue(context: WorkerContext) -> Job:
    image_id = add_picture(context, strange.noise(size=(90, 70), seed=3))
    params = SaliencyParams.model_validate({"image": image_id, **VALUES, "methods": METHODS})
    return submit(context, params.resolve(SHIPPED))


def files(context: WorkerContext, job: Job) -> dict[str, bytes]:
    found = {}
    for artifact in repository.list_artifacts(context.engine, [job.id])[job.id]:
        with context.storage.open(artifact.key) as file:
            found[artifact.name] = file.read()
    return found


@pytest.mark.medium
def test_its_files_are_its_pictures_and_numbers_and_do_not_depend_on_stops(context: WorkerContext) -> None:
    job = queue(context)
    assert job.lane == "short"
    whole = run(context, threading.Event())
    assert whole.state is State.SUCCEEDED, whole.error
    made = files(context, whole)
    pictures = {name for method in METHODS for name in (method, f"{method}_overlay")}
    assert set(made) == {"image", "view", "maps", "recipe"} | pictures
    sizes = {name: Image.open(BytesIO(made[name])).size for name in {"view"} | pictures}
    assert set(sizes.values()) == {(64, 64)}
    assert set(np.load(BytesIO(made["maps"]))) == set(METHODS)
    assert whole.result is not None and whole.result["recipe"]["dtype"] == "float32"

    stopped, stop = queue(context), threading.Event()
    stop.set()
    for _ in METHODS:
        assert run(context, stop).state is State.QUEUED
    done = run(context, threading.Event())
    assert done.id == stopped.id and done.state is State.SUCCEEDED, done.error
    again = files(context, done)
    for name in METHODS:
        assert Image.open(BytesIO(again[name])).tobytes() == Image.open(BytesIO(made[name])).tobytes()


def test_a_class_map_says_how_large_a_picture_has_to_be(context: WorkerContext) -> None:
    image_id = add_picture(context, strange.noise(size=(90, 60), seed=3))
    params = ClassMapParams.model_validate({"image": image_id, "network": "palette", "size": 150})
    submit(context, params.resolve(SHIPPED))
    failed = run(context, threading.Event())
    assert failed.state is State.FAILED and failed.error is not None
    assert failed.error["field"] == "size" and "smallest size that works is 192" in failed.error["detail"]
