"""Jobs of classification that wait together, on a real database."""

import threading
from io import BytesIO

import pytest
from PIL import Image

from app.jobs import repository
from app.jobs.states import State
from app.kinds.classify import ClassifyParams
from app.networks.catalogue import SHIPPED
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, submit
from worker.runtime.context import WorkerContext
from worker.runtime.run_job import run_next


def color(levels: tuple[int, int, int]) -> bytes:
    file = BytesIO()
    Image.new("RGB", (40, 40), levels).save(file, "PNG")
    return file.getvalue()


@pytest.mark.medium
def test_they_are_computed_as_one_and_a_bad_picture_fails_alone(context: WorkerContext) -> None:
    files = [color((200, 30, 30)), strange.raw_png(24, 16, bytes(200)), strange.noise(size=(40, 40))]
    jobs = [
        submit(context, ClassifyParams(image=add_picture(context, file), network="palette").resolve(SHIPPED))
        for file in files
    ]
    assert run_next(context, ["short"], threading.Event())

    ended = [repository.get_job(context.engine, job.id) for job in jobs]
    assert [job.state for job in ended] == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    assert ended[1].error is not None and ended[1].error["field"] == "image"
    for job in (ended[0], ended[2]):
        assert job.result is not None and job.result["recipe"]["stack_size"] == 3
        # A job of its own says the same.
        image = job.params["image"]
        submit(context, ClassifyParams(image=image, network="palette").resolve(SHIPPED))
        assert run_next(context, ["short"], threading.Event())
        alone = repository.list_jobs(context.engine, limit=1)[0].result
        assert alone is not None and alone["recipe"]["stack_size"] == 1
        for mine, other in zip(job.result["top"], alone["top"], strict=True):
            assert mine["index"] == other["index"]
            assert mine["probability"] == pytest.approx(other["probability"], abs=1e-5)
