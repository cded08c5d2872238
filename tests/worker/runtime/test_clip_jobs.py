"""Jobs that make videos, on the real runner: their files, and what is left of them when a worker is lost."""

import dataclasses
import threading
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
import torch
from PIL import Image

from app.jobs import reaper, repository
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds.deep_dream import DeepDreamParams
from app.kinds.style_transfer import StyleTransferParams
from app.media import read_recipe
from app.media.clips import is_clip, read_clip_header
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from app.storage import make_storage
from tests.support import clips
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, run, submit
from worker.contract.steps import Step, StepState
from worker.media.clips import open_clip
from worker.runtime import checkpoints
from worker.runtime.claimed_job import ClaimedJob
from worker.runtime.context import WorkerContext


def queue(context: WorkerContext, data: bytes, **params: Any) -> Job:
    image_id = add_picture(context, data, frames=2 if is_clip(data) else 1)
    values = {"image": image_id, "network": "vgg19-random", "layers": "relu2_1", "size": 32}
    made = DeepDreamParams.model_validate({**values, "octaves": 2, "steps": 2, **params}).resolve(SHIPPED)
    return submit(context, made)


def artifacts(context: WorkerContext, job: Job) -> dict[str, tuple[str, bytes]]:
    found = {}
    for artifact in repository.list_artifacts(context.engine, [job.id])[job.id]:
        with context.storage.open(artifact.key) as file:
            found[artifact.name] = (artifact.media_type, file.read())
    return found


def work_files(context: WorkerContext, job: Job) -> list[str]:
    folder = context.settings.data_dir / "files" / "jobs" / job.id / "work"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.mark.medium
def test_a_clip_in_gives_a_video_with_its_recipe(context: WorkerContext) -> None:
    queue(context, clips.gif(3))
    job = run(context)
    assert job.state is State.SUCCEEDED, job.error
    made = artifacts(context, job)
    assert {name: kind for name, (kind, _) in made.items()} == {
        "image": "image/png",
        "video": "video/mp4",
        "recipe": "application/json",
    }
    video = made["video"][1]
    assert open_clip(video, "video").count == 3
    assert job.result is not None and read_recipe(BytesIO(video)) == job.result["recipe"]
    assert (job.result["frames"], job.result["fps"]) == (3, 12.5)
    assert job.progress is not None and job.progress["total"] == 3 * 2 * 2
    assert work_files(context, job) == []


@pytest.mark.medium
@pytest.mark.parametrize(
    ("data", "params", "sound", "seconds"),
    [
        (lambda: clips.film_with_sound("aac", "mp4", 0.5), {}, "copied", 0.5),
        (lambda: clips.film_with_sound("libopus", "webm", 0.5), {}, "copied", 0.5),
        # As far as there are frames.
        (lambda: clips.film_with_sound("aac", "mp4", 0.5), {"frames": 3}, "copied", 0.25),
        # At another rate it would be longer or shorter than the film.
        (lambda: clips.film_with_sound("aac", "mp4", 0.5), {"fps": 24.0}, "left out", 0),
        (lambda: clips.film_with_sound("aac", "mp4", 0.5), {"format": "webp"}, "left out", 0),
        (lambda: clips.mp4(6), {}, "none", 0),
        (lambda: clips.gif(3), {}, "none", 0),
        (strange.noise, {"frames": 3}, None, 0),
    ],
    ids=["MP4", "WebM", "cut", "other rate", "WebP", "MP4 without", "GIF", "zoom"],
)
def test_a_dream_has_the_sound_of_its_clip(
    context: WorkerContext,
    data: Callable[[], bytes],
    params: dict[str, Any],
    sound: str | None,
    seconds: float,
) -> None:
    queue(context, data(), **{"steps": 1, "octaves": 1, **params})
    job = run(context)
    assert job.state is State.SUCCEEDED and job.result is not None, job.error
    assert job.result.get("sound") == sound
    kind, video = artifacts(context, job)["video"]
    assert kind == ("image/webp" if params.get("format") == "webp" else "video/mp4")
    if kind == "video/mp4":
        assert clips.sound_seconds(video) == pytest.approx(seconds, abs=0.05)
        assert read_clip_header(video).frames == job.result["frames"]


@pytest.mark.medium
def test_a_video_goes_on_from_its_last_frame_bit_for_bit(context: WorkerContext) -> None:
    picture = strange.noise(size=(40, 30), seed=3)
    queue(context, picture, frames=3, format="webp")
    whole = artifacts(context, run(context))
    job = queue(context, picture, frames=3, format="webp")
    stop = threading.Event()
    stop.set()
    parts = []
    for _ in range(9):
        assert run(context, stop).state is State.QUEUED
        parts.append([name for name in work_files(context, job) if "frame" in name])
    # Each frame that is done is stored once, under the name of the attempt that made it.
    assert parts[4 - 1] == []
    assert parts[5 - 1] == parts[8 - 1] == ["5-frame0000.png"]
    assert parts[9 - 1] == ["5-frame0000.png", "9-frame0001.png"]
    done = run(context)
    assert done.state is State.SUCCEEDED
    again = artifacts(context, done)
    # Their recipes differ in the picture's id alone.
    first, second = (Image.open(BytesIO(made["image"][1])).tobytes() for made in (whole, again))
    assert first == second
    films = [open_clip(made["video"][1], "video") for made in (whole, again)]
    assert all(torch.equal(a, b) for a, b in zip(*(film.frames() for film in films), strict=True))


@pytest.mark.medium
def test_a_timelapse_goes_on_without_a_frame_lost_or_doubled(context: WorkerContext) -> None:
    picture = add_picture(context, strange.noise(size=(40, 30), seed=3))
    values = {"content": picture, "style": picture, "network": "vgg19-random", "size": 32, "steps": 6}
    params = StyleTransferParams.model_validate({**values, "timelapse": "mp4"}).resolve(SHIPPED)
    submit(context, params)
    whole = artifacts(context, run(context))
    job = submit(context, params)
    stop = threading.Event()
    stop.set()
    for attempt in range(1, 6):
        assert run(context, stop).state is State.QUEUED
        frames = [name for name in work_files(context, job) if "frame" in name]
        assert frames == [f"{number + 1}-frame{number:04d}.png" for number in range(attempt)]
    done = run(context)
    assert done.state is State.SUCCEEDED, done.error
    again = artifacts(context, done)
    assert whole["image"] == again["image"]
    assert whole["timelapse"] == again["timelapse"]


def test_parts_are_stored_once_and_come_back(settings: Settings) -> None:
    storage = make_storage(settings)
    tensors = {"x": torch.arange(3)}
    kept = checkpoints.save(
        storage, "a/1", "deep_dream", StepState(tensors, {"n": 1}, {"p": b"one"}), {}, "a/first"
    )
    assert kept == {"p": "a/first-p"}
    later = StepState(tensors, {"n": 2}, {"p": b"changed, which parts never do", "q": b"two"})
    kept = checkpoints.save(storage, "a/2", "deep_dream", later, kept, "a/second")
    assert kept == {"p": "a/first-p", "q": "a/second-q"}
    state, keys = checkpoints.load(storage, "a/2", "deep_dream")
    assert keys == kept and state.values == {"n": 2} and torch.equal(state.tensors["x"], tensors["x"])
    assert state.parts == {"p": b"one", "q": b"two"}
    storage.delete("a/first-p")
    with pytest.raises(checkpoints.CheckpointError, match="a/first-p is missing"):
        checkpoints.load(storage, "a/2", "deep_dream")


@pytest.mark.medium
def test_a_clip_that_will_not_decode_names_the_param(context: WorkerContext) -> None:
    good = clips.mp4(12, size=(64, 48))
    # Whole in its structure, with nonsense for pictures.
    start = good.index(b"mdat") + 4
    queue(context, good[:start] + b"\xff" * (len(good) - start))
    job = run(context)
    assert job.state is State.FAILED and job.error is not None
    assert (job.error["type"], job.error["field"]) == ("input", "image")


@pytest.mark.medium
def test_transparency_is_kept_by_a_still_alone(context: WorkerContext) -> None:
    picture = strange.plain(size=(40, 30), mode="RGBA", color=(200, 80, 40, 128))
    modes = []
    for params in ({"octaves": 1}, {"octaves": 1, "frames": 2}):
        queue(context, picture, **params)
        job = run(context)
        # A plain picture has no contrast but at its edge, which is enough.
        assert job.state is State.SUCCEEDED, job.error
        modes.append(Image.open(BytesIO(artifacts(context, job)["image"][1])).mode)
    assert modes == ["RGBA", "RGB"]


class Killed(BaseException):
    """What no part of the worker catches, as nothing catches a SIGKILL."""


@pytest.mark.medium
def test_a_killed_worker_loses_the_frame_it_was_at_alone(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    # So that no checkpoint is due but for the frames.
    settings = context.settings.model_copy(update={"checkpoint_seconds": 1e6})
    context = dataclasses.replace(context, settings=settings)
    seen: list[int] = []
    report = ClaimedJob.report

    def die_at(number: int) -> Callable[..., None]:
        def count(job: ClaimedJob, step: Step, stop: threading.Event) -> None:
            seen.append(step.done)
            if step.done == number:
                raise Killed
            report(job, step, stop)

        return count

    picture = strange.noise(size=(40, 30), seed=3)
    queue(context, picture, frames=3, format="webp")
    whole = artifacts(context, run(context))
    queue(context, picture, frames=3, format="webp")
    # A frame takes milliseconds here, less than it may take to save one.
    monkeypatch.setattr("worker.runtime.schedule.CHECKPOINT_SHARE", 1e6)
    monkeypatch.setattr(ClaimedJob, "report", die_at(11))
    with pytest.raises(Killed):
        run(context)
    assert reaper.expire_worker(context.engine, "w1", 3)
    seen.clear()
    monkeypatch.setattr(ClaimedJob, "report", die_at(-1))
    done = run(context)
    assert (done.state, done.attempt) == (State.SUCCEEDED, 2)
    assert seen == [9, 10, 11, 12]
    films = [open_clip(made["video"][1], "video") for made in (whole, artifacts(context, done))]
    assert all(torch.equal(a, b) for a, b in zip(*(film.frames() for film in films), strict=True))
