"""Running a job on the real engine: success, failure, cancel, pause, resume."""

import json
import threading
import weakref
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from sqlalchemy import update
from torch import Tensor

from app.database.engine import write
from app.images.repository import image_key
from app.jobs import claims, reaper, repository
from app.jobs.job import Job
from app.jobs.states import State
from app.jobs.storage_keys import checkpoint_key
from app.jobs.tables import jobs
from app.kinds import Params
from app.kinds.style_transfer import StyleTransferParams
from app.media import read_recipe
from app.media.stills import read_header
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, drop_image, once_begun, run, submit
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Steps, StepState
from worker.runtime import checkpoints
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext


def queue(context: WorkerContext, picture: bytes | None = None, **params: object) -> Job:
    values = {
        "content": add_picture(context, picture or strange.noise(seed=1, size=(40, 30))),
        "style": add_picture(context, strange.noise(seed=2, size=(40, 30))),
        "size": 40,
        "steps": 6,
    }
    made = StyleTransferParams.model_validate({**values, **params}).resolve(SHIPPED)
    return submit(context, made)


def files(context: WorkerContext) -> set[str]:
    root = context.settings.data_dir / "files" / "jobs"
    return {path.name for path in root.rglob("*") if path.is_file()}


def artifact(context: WorkerContext, job: Job, name: str) -> bytes:
    found = repository.get_artifact(context.engine, job.id, name)
    assert found is not None
    with context.storage.open(found.key) as file:
        return file.read()


def pixels(context: WorkerContext, job: Job) -> bytes:
    return Image.open(BytesIO(artifact(context, job, "image"))).tobytes()


@pytest.mark.medium
def test_success_leaves_a_picture_with_its_recipe(context: WorkerContext) -> None:
    queue(context)
    job = run(context)
    assert job.state is State.SUCCEEDED and job.error is None
    assert job.progress is not None and job.progress["done"] == job.progress["total"] == 6
    assert job.progress["eta_seconds"] == 0
    data = artifact(context, job, "image")
    assert Image.open(BytesIO(data)).size == (40, 30)
    recipe = read_recipe(BytesIO(data))
    assert job.result is not None and recipe == job.result["recipe"]
    assert json.loads(artifact(context, job, "recipe")) == recipe
    assert recipe["params"]["steps"] == 6 and recipe["network"]["name"] == "palette"
    assert files(context) == {"image.png", "recipe.json"}
    assert not runner.run_next(context, ["long"], threading.Event())


@pytest.mark.medium
def test_format_and_depth_of_the_picture(context: WorkerContext) -> None:
    queue(context, format="tiff", bit_depth=16)
    job = run(context)
    made = repository.get_artifact(context.engine, job.id, "image")
    assert made is not None and made.media_type == "image/tiff"
    data = artifact(context, job, "image")
    header = read_header(data)
    assert (header.format, header.width, header.height, header.bits) == ("TIFF", 40, 30, 16)
    assert job.result is not None and read_recipe(BytesIO(data)) == job.result["recipe"]
    # And it may be painted again.
    queue(context, content=f"{job.id}/image")
    assert run(context).state is State.SUCCEEDED


@pytest.mark.medium
def test_a_recipe_fed_back_makes_the_same_picture(context: WorkerContext) -> None:
    queue(context, init="noise", seed=7)
    first = run(context)
    assert first.result is not None
    again = StyleTransferParams.model_validate(first.result["recipe"]["params"]).resolve(SHIPPED)
    submit(context, again)
    second = run(context)
    assert first.id != second.id
    assert artifact(context, first, "image") == artifact(context, second, "image")


@pytest.mark.medium
def test_transparency_of_the_content_is_kept(context: WorkerContext) -> None:
    picture = Image.new("RGBA", (40, 30), (200, 80, 40, 255))
    picture.paste((0, 0, 0, 0), (0, 0, 20, 30))
    queue(context, picture=strange.encode(picture))
    painted = Image.open(BytesIO(artifact(context, run(context), "image")))
    assert painted.mode == "RGBA"
    assert painted.getpixel((2, 15))[3] == 0 and painted.getpixel((37, 15))[3] == 255  # type: ignore[index]


@pytest.mark.medium
def test_a_picture_that_will_not_decode_fails_the_job_naming_the_field(context: WorkerContext) -> None:
    good = strange.noise(size=(40, 30))
    spoilt = good[:60] + bytes(20) + good[80:]
    queue(context, style=[add_picture(context, good), add_picture(context, spoilt)])
    job = run(context)
    assert job.state is State.FAILED and job.error is not None
    assert (job.error["type"], job.error["field"]) == ("input", "style.1")
    assert files(context) == set()


def test_a_picture_that_is_gone_fails_the_job_naming_the_field(context: WorkerContext) -> None:
    job = queue(context)
    drop_image(context, job.params["content"])
    failed = run(context)
    assert failed.state is State.FAILED and failed.error is not None
    assert failed.error["field"] == "content" and "upload" in failed.error["detail"]


@pytest.mark.parametrize("name", ["cliff.png", None])
def test_a_picture_whose_file_is_gone_is_called_by_its_name(context: WorkerContext, name: str | None) -> None:
    image_id = add_picture(context, strange.noise(), name)
    queue(context, content=image_id)
    context.storage.delete(image_key(image_id))
    failed = run(context)
    assert failed.state is State.FAILED and failed.error is not None
    assert failed.error["field"] == "content"
    assert failed.error["detail"] == f"The file of {name or image_id} is gone: send the picture again."


def test_a_picture_too_narrow_for_the_layers_names_the_size(context: WorkerContext) -> None:
    queue(context, picture=strange.plain(size=(64, 2)), size=32)
    job = run(context)
    assert job.error is not None and job.error["field"] == "size"


@pytest.mark.medium
def test_a_job_may_paint_the_picture_of_another_job(context: WorkerContext) -> None:
    queue(context)
    first = run(context)
    queue(context, content=f"{first.id}/image")
    assert run(context).state is State.SUCCEEDED


@pytest.mark.medium
def test_cancel_ends_a_running_job_and_leaves_no_file(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(context, steps=2000)
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.05)
    once_begun(context, job, lambda: repository.request_cancel(context.engine, job.id))
    ended = run(context)
    assert ended.state is State.CANCELLED
    assert ended.progress is not None and ended.progress["done"] < 2000
    assert files(context) == set() and repository.list_artifacts(context.engine, [job.id])[job.id] == []


@pytest.mark.medium
def test_a_stop_puts_the_job_back_and_the_next_run_goes_on_bit_for_bit(context: WorkerContext) -> None:
    queue(context, steps=12)
    whole = pixels(context, run(context))
    queue(context, steps=12)
    stop = threading.Event()
    stop.set()
    for attempt in range(1, 4):
        job = run(context, stop)
        assert (job.state, job.attempt, job.lost_attempts) == (State.QUEUED, attempt, 0)
        assert job.checkpoint is not None and job.checkpoint["done"] == attempt
    done = run(context)
    assert done.state is State.SUCCEEDED and done.attempt == 4
    assert pixels(context, done) == whole
    assert files(context) == {"image.png", "recipe.json"}


@pytest.mark.medium
def test_a_paused_job_goes_back_to_the_queue_and_waits(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(context, steps=2000)
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.05)
    once_begun(context, job, lambda: repository.set_paused(context.engine, job.id, True))
    paused = run(context)
    assert (paused.state, paused.paused) == (State.QUEUED, True)
    assert not runner.run_next(context, ["long"], threading.Event())
    repository.set_paused(context.engine, job.id, False)
    assert claims.claim_next(context.engine, "w2", ["long"], 30) is not None


@pytest.mark.medium
def test_a_cancel_that_no_heartbeat_has_told_of_ends_a_job_that_is_stopped(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 60.0)
    monkeypatch.setattr("worker.runtime.schedule.PROGRESS_SECONDS", 60.0)
    job = queue(context, steps=20_000)
    stop = threading.Event()

    def cancel_and_stop() -> None:
        repository.request_cancel(context.engine, job.id)
        stop.set()

    once_begun(context, job, cancel_and_stop)
    assert runner.run_next(context, ["long"], stop)
    ended = repository.get_job(context.engine, job.id)
    assert ended.state is State.CANCELLED and files(context) == set()


@pytest.mark.medium
def test_who_lost_the_claim_in_the_middle_writes_nothing(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = queue(context, steps=2000)
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.05)

    def steal() -> None:
        reaper.expire_worker(context.engine, "w1", 3)
        assert claims.claim_next(context.engine, "thief", ["long"], 30) is not None

    thief = once_begun(context, job, steal)
    run(context)
    thief.join()
    stolen = repository.get_job(context.engine, job.id)
    assert (stolen.state, stolen.worker_id, stolen.attempt) == (State.RUNNING, "thief", 2)
    assert repository.get_artifact(context.engine, job.id, "image") is None


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


def old_format(data: bytes) -> bytes:
    """A checkpoint as it was written before its header named a format and the kind."""
    return save_tensors(load_tensors(data), metadata={"impasto_values": "{}", "impasto_parts": "{}"})


def other_kind(data: bytes) -> bytes:
    """A checkpoint of another kind."""
    return checkpoints.to_bytes(
        checkpoints.from_bytes(data), {"impasto_kind": "deep_dream", "impasto_parts": "{}"}
    )


@pytest.mark.medium
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(old_format, id="old format"),
        pytest.param(other_kind, id="other kind"),
        pytest.param(lambda data: data[:-5], id="cut short"),
        pytest.param(lambda data: b"", id="empty"),
        pytest.param(lambda data: bytes(99), id="zeros"),
        pytest.param(None, id="missing"),
    ],
)
def test_a_checkpoint_that_is_of_no_use_starts_the_job_over(
    context: WorkerContext, caplog: pytest.LogCaptureFixture, spoil: Callable[[bytes], bytes] | None
) -> None:
    queue(context, steps=3)
    whole = pixels(context, run(context))
    queue(context, steps=3)
    stop = threading.Event()
    stop.set()
    run(context, stop)
    job = run(context, stop)
    assert job.checkpoint is not None and job.checkpoint["done"] == 2
    key = job.checkpoint["key"]
    with context.storage.open(key) as file:
        data = file.read()
    context.storage.delete(key)
    if spoil is not None:
        context.storage.put(key, spoil(data))
    again = run(context, stop)
    assert (again.state, again.lost_attempts) == (State.QUEUED, 0)
    assert again.checkpoint is not None and again.checkpoint["done"] == 1
    assert "starts from the beginning" in caplog.text
    done = run(context)
    assert done.state is State.SUCCEEDED and pixels(context, done) == whole
    assert files(context) == {"image.png", "recipe.json"}


@pytest.mark.medium
def test_a_job_that_starts_over_keeps_nothing_of_the_run_that_failed(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue(context, steps=3)
    stop = threading.Event()
    stop.set()
    run(context, stop)
    held: list[weakref.ref[Tensor]] = []
    begin = runner.steps_of

    def failing(
        params: Params,
        inputs: Inputs,
        network: Network | None,
        compute: Compute,
        resume: StepState | None = None,
    ) -> Steps:
        if resume is not None:
            made = torch.ones(3)
            held.append(weakref.ref(made))
            raise KeyError(f"one of {len(made)} that the state lacks")
        assert [each() for each in held] == [None]
        return (yield from begin(params, inputs, network, compute))

    monkeypatch.setattr(runner, "steps_of", failing)
    assert run(context).state is State.SUCCEEDED


@pytest.mark.medium
def test_progress_of_a_job_that_started_over_resets_its_lost_attempts(context: WorkerContext) -> None:
    queue(context, steps=3)
    stop = threading.Event()
    stop.set()
    run(context, stop)
    job = run(context, stop)
    assert job.checkpoint is not None
    context.storage.delete(job.checkpoint["key"])
    assert claims.claim_next(context.engine, "w1", ["long"], 30) is not None
    (lost,) = reaper.expire_worker(context.engine, "w1", 3)
    assert lost.lost_attempts == 1
    assert run(context, stop).lost_attempts == 0


@pytest.mark.medium
@pytest.mark.parametrize("named", [1, 3, None], ids=["newer files", "older files", "a row from before any"])
def test_a_job_goes_on_from_whichever_checkpoint_a_backup_has(
    context: WorkerContext, named: int | None
) -> None:
    """As where files and database of a backup were copied one after the other."""
    queue(context, steps=5)
    whole = pixels(context, run(context))
    job = queue(context, steps=5)
    stop = threading.Event()
    stop.set()
    run(context, stop)
    run(context, stop)
    kept = repository.get_job(context.engine, job.id).checkpoint
    assert kept is not None and kept["done"] == 2
    checkpoint = None if named is None else {"key": checkpoint_key(job.id, 9, named), "done": named}
    with write(context.engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id == job.id).values(checkpoint=checkpoint))
    again = run(context, stop)
    assert again.checkpoint is not None and again.checkpoint["done"] == 3
    done = run(context)
    assert done.state is State.SUCCEEDED and pixels(context, done) == whole
    assert files(context) == {"image.png", "recipe.json"}
