"""Running a job on the real engine: success, failure, cancel, pause, resume."""

import json
import threading
import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.images.repository import delete_image
from app.jobs import claims, reaper, repository
from app.jobs.job import Job
from app.jobs.states import State
from app.jobs.submit import submit
from app.kinds.style_transfer import StyleTransferParams
from app.media import read_recipe
from app.networks.catalogue import SHIPPED
from tests.support import strange_pictures as strange
from tests.support.workshops import add_picture, run
from worker.contract.steps import State as StepState
from worker.runtime import checkpoints
from worker.runtime import run_job as runner
from worker.runtime.context import Workshop


def queue(workshop: Workshop, picture: bytes | None = None, **params: object) -> Job:
    values = {
        "content": add_picture(workshop, picture or strange.noise(seed=1, size=(40, 30))),
        "style": add_picture(workshop, strange.noise(seed=2, size=(40, 30))),
        "size": 40,
        "steps": 6,
    }
    made = StyleTransferParams.model_validate({**values, **params}).resolve(SHIPPED)
    return submit(workshop.engine, workshop.dispatcher, made)[0]


def once_begun(workshop: Workshop, job: Job, act: Callable[[], object]) -> threading.Thread:
    """Let ``act`` happen in the middle of a job that is about to run: when its first progress is written."""

    def watch() -> None:
        until = time.monotonic() + 60
        while repository.get_job(workshop.engine, job.id).progress is None and time.monotonic() < until:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def files(workshop: Workshop) -> set[str]:
    root = workshop.settings.data_dir / "files" / "jobs"
    return {path.name for path in root.rglob("*") if path.is_file()}


def artifact(workshop: Workshop, job: Job, name: str) -> bytes:
    found = repository.get_artifact(workshop.engine, job.id, name)
    assert found is not None
    with workshop.storage.open(found.key) as file:
        return file.read()


def pixels(workshop: Workshop, job: Job) -> bytes:
    return Image.open(BytesIO(artifact(workshop, job, "image"))).tobytes()


def test_success_leaves_a_picture_with_its_recipe(workshop: Workshop) -> None:
    queue(workshop)
    job = run(workshop)
    assert job.state is State.SUCCEEDED and job.error is None
    assert job.progress is not None and job.progress["done"] == job.progress["total"] == 6
    assert job.progress["eta_seconds"] == 0
    data = artifact(workshop, job, "image")
    assert Image.open(BytesIO(data)).size == (40, 30)
    recipe = read_recipe(BytesIO(data))
    assert job.result is not None and recipe == job.result["recipe"]
    assert json.loads(artifact(workshop, job, "recipe")) == recipe
    assert recipe["params"]["steps"] == 6 and recipe["network"]["name"] == "palette"
    assert files(workshop) == {"image.png", "recipe.json"}
    assert not runner.run_next(workshop, ["long"], threading.Event())


def test_a_recipe_fed_back_makes_the_same_picture(workshop: Workshop) -> None:
    queue(workshop, init="noise", seed=7)
    first = run(workshop)
    assert first.result is not None
    again = StyleTransferParams.model_validate(first.result["recipe"]["params"]).resolve(SHIPPED)
    submit(workshop.engine, workshop.dispatcher, again)
    second = run(workshop)
    assert first.id != second.id
    assert artifact(workshop, first, "image") == artifact(workshop, second, "image")


def test_transparency_of_the_content_is_kept(workshop: Workshop) -> None:
    picture = Image.new("RGBA", (40, 30), (200, 80, 40, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 20, 30))
    queue(workshop, picture=strange.encode(picture))
    painted = Image.open(BytesIO(artifact(workshop, run(workshop), "image")))
    assert painted.mode == "RGBA"
    assert painted.getpixel((2, 15))[3] == 0 and painted.getpixel((37, 15))[3] == 255  # type: ignore[index]


def test_a_picture_that_will_not_decode_fails_the_job_naming_the_field(workshop: Workshop) -> None:
    good = strange.noise(size=(40, 30))
    spoilt = good[:60] + bytes(20) + good[80:]
    queue(workshop, style=[add_picture(workshop, good), add_picture(workshop, spoilt)])
    job = run(workshop)
    assert job.state is State.FAILED and job.error is not None
    assert (job.error["type"], job.error["field"]) == ("input", "style")
    assert files(workshop) == set()


def test_a_picture_that_is_gone_fails_the_job_naming_the_field(workshop: Workshop) -> None:
    job = queue(workshop)
    delete_image(workshop.engine, job.params["content"])
    failed = run(workshop)
    assert failed.state is State.FAILED and failed.error is not None
    assert failed.error["field"] == "content" and "upload" in failed.error["detail"]


def test_a_picture_too_narrow_for_the_layers_names_the_size(workshop: Workshop) -> None:
    queue(workshop, picture=strange.plain(size=(64, 2)), size=32)
    job = run(workshop)
    assert job.error is not None and job.error["field"] == "size"


def test_a_job_may_paint_the_picture_of_another_job(workshop: Workshop) -> None:
    queue(workshop)
    first = run(workshop)
    queue(workshop, content=f"{first.id}/image")
    assert run(workshop).state is State.SUCCEEDED


def test_cancel_ends_a_running_job_and_leaves_no_file(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(workshop, steps=2000)
    monkeypatch.setattr("worker.runtime.heartbeat.BEAT_SECONDS", 0.05)
    once_begun(workshop, job, lambda: repository.request_cancel(workshop.engine, job.id))
    ended = run(workshop)
    assert ended.state is State.CANCELLED
    assert ended.progress is not None and ended.progress["done"] < 2000
    assert files(workshop) == set() and repository.list_artifacts(workshop.engine, [job.id])[job.id] == []


def test_a_stop_puts_the_job_back_and_the_next_run_goes_on_bit_for_bit(workshop: Workshop) -> None:
    queue(workshop, steps=12)
    whole = pixels(workshop, run(workshop))
    queue(workshop, steps=12)
    stop = threading.Event()
    stop.set()
    for attempt in range(1, 4):
        job = run(workshop, stop)
        assert (job.state, job.attempt, job.strikes) == (State.QUEUED, attempt, 0)
        assert job.checkpoint is not None and job.checkpoint["done"] == attempt
    done = run(workshop)
    assert done.state is State.SUCCEEDED and done.attempt == 4
    assert pixels(workshop, done) == whole
    assert files(workshop) == {"image.png", "recipe.json"}


def test_a_paused_job_goes_back_to_the_queue_and_waits(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(workshop, steps=2000)
    monkeypatch.setattr("worker.runtime.heartbeat.BEAT_SECONDS", 0.05)
    once_begun(workshop, job, lambda: repository.set_paused(workshop.engine, job.id, True))
    paused = run(workshop)
    assert (paused.state, paused.paused) == (State.QUEUED, True)
    assert not runner.run_next(workshop, ["long"], threading.Event())
    repository.set_paused(workshop.engine, job.id, False)
    assert claims.claim_next(workshop.engine, "w2", ["long"], 30) is not None


def test_who_lost_the_claim_in_the_middle_writes_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(workshop, steps=2000)
    monkeypatch.setattr("worker.runtime.heartbeat.BEAT_SECONDS", 0.05)

    def steal() -> None:
        reaper.expire_owner(workshop.engine, "w1", 3)
        assert claims.claim_next(workshop.engine, "thief", ["long"], 30) is not None

    thief = once_begun(workshop, job, steal)
    run(workshop)
    thief.join()
    stolen = repository.get_job(workshop.engine, job.id)
    assert (stolen.state, stolen.owner, stolen.attempt) == (State.RUNNING, "thief", 2)
    assert repository.get_artifact(workshop.engine, job.id, "image") is None


def test_a_state_goes_through_bytes_unchanged(tmp_path: Path) -> None:
    state = StepState(
        {"x": torch.randn(2, 3), "half": torch.randn(4).bfloat16(), "rng": torch.get_rng_state()},
        {"scale": 1, "losses": [1.5, 2.0]},
    )
    back = checkpoints.from_bytes(checkpoints.to_bytes(state))
    assert back.values == state.values and back.tensors.keys() == state.tensors.keys()
    assert all(torch.equal(back.tensors[name], state.tensors[name]) for name in state.tensors)
    with pytest.raises(ValueError, match="checkpoint"):
        checkpoints.from_bytes((2).to_bytes(8, "little") + b"{}")
