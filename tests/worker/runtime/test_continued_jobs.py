"""Jobs that continue others, on the real runner."""

from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from app.errors import ServiceError
from app.jobs import repository
from app.jobs.errors import JobInUse
from app.jobs.job import Artifact, Job
from app.jobs.preparing import Preparer
from app.jobs.repository import get_job
from app.jobs.states import State
from app.kinds import KINDS
from app.media.recipe_text import read_recipe
from tests.support import strange_pictures as strange
from tests.support.worker_context import add_picture, job_service, run
from worker.runtime.context import WorkerContext

# One scale, so that one job of all the steps is the longer run.
QUICK = {"network": "vgg19-random", "size": 32}


def create(context: WorkerContext, **params: Any) -> Job:
    return job_service(context).create("style_transfer", params, {})


def painted(context: WorkerContext, **params: Any) -> Job:
    """A job that has succeeded."""
    if "continue_from" not in params:
        picture = add_picture(context, strange.noise(size=(40, 30), seed=3))
        params = {**QUICK, "content": picture, "style": [picture], **params}
    create(context, **params)
    job = run(context)
    assert job.state is State.SUCCEEDED, job.error
    return job


def artifacts(context: WorkerContext, job: Job) -> dict[str, Artifact]:
    return {each.name: each for each in repository.list_artifacts(context.engine, [job.id])[job.id]}


def read(context: WorkerContext, job: Job, name: str) -> bytes:
    with context.storage.open(artifacts(context, job)[name].key) as file:
        return file.read()


def pixels(context: WorkerContext, job: Job) -> bytes:
    with Image.open(BytesIO(read(context, job, "image"))) as image:
        return image.tobytes()


@pytest.mark.medium
def test_a_kept_state_is_gone_on_from_bit_for_bit(context: WorkerContext) -> None:
    first = painted(context, steps=4, style_weight=30, seed=2, keep_state=True)
    made = artifacts(context, first)
    assert [*made] == ["image", "recipe", "state"]
    assert made["state"].media_type == "application/octet-stream"
    assert first.result is not None
    assert read_recipe(BytesIO(read(context, first, "state"))) == first.result["recipe"]

    second = painted(context, continue_from=first.id, steps=3)

    # All but what was asked for is as it was.
    reference = f"{first.id}/state"
    assert second.params == {**first.params, "continue_from": reference, "steps": 3, "init": None}
    assert second.result is not None
    assert second.result["recipe"]["inputs"]["continue_from"] == [made["state"].sha256]
    assert second.progress is not None and second.progress["total"] == 3
    whole = painted(context, steps=7, style_weight=30, seed=2, content=first.params["content"])
    assert pixels(context, second) == pixels(context, whole)
    # It has kept its own.
    assert pixels(context, painted(context, continue_from=second.id, steps=2)) != pixels(context, second)


@pytest.mark.medium
def test_without_a_state_it_goes_on_from_the_picture(context: WorkerContext) -> None:
    first = painted(context, steps=2)

    second = painted(context, continue_from=first.id, style_weight=60)

    assert second.params["continue_from"] == f"{first.id}/image"
    assert second.params == {
        **first.params,
        "continue_from": f"{first.id}/image",
        "init": None,
        "style_weight": 60,
    }
    assert second.result is not None
    hashes = second.result["recipe"]["inputs"]["continue_from"]
    assert hashes == [artifacts(context, first)["image"].sha256]


@pytest.mark.medium
def test_a_picture_of_anyone_s_can_be_gone_on_from(context: WorkerContext) -> None:
    picture = add_picture(context, strange.noise(size=(32, 24), seed=3))

    painted(context, **QUICK, content=picture, style=[picture], steps=1, continue_from=picture)


@pytest.mark.medium
def test_what_is_gone_on_from_is_kept_as_long_as_it_is_needed(context: WorkerContext) -> None:
    first = painted(context, steps=2, keep_state=True)
    service = job_service(context)
    second = create(context, continue_from=first.id)

    with pytest.raises(JobInUse, match=second.id):
        service.delete(first.id)
    again = run(context)
    service.delete(first.id)

    assert again.state is State.SUCCEEDED
    assert not (context.settings.data_dir / "files" / "jobs" / first.id).exists()
    assert pixels(context, again)
    # It cannot be made again, and says so.
    with pytest.raises(ServiceError, match=r"There is no job .* send the picture that it made") as caught:
        service.retry(get_job(context.engine, again.id))
    assert caught.value.field == "continue_from"


@pytest.mark.medium
def test_lines_of_a_batch_continue_jobs(context: WorkerContext) -> None:
    first = painted(context, steps=2)
    preparer = Preparer(context.engine, context.settings)

    params = [
        preparer.parse("style_transfer", {"continue_from": first.id, "style_weight": weight})
        for weight in (5, 60)
    ]

    checked = preparer.check(params)
    assert not any(isinstance(each, ServiceError) for each in checked)
    assert [each.pictures()["content"] for each in params] == [[first.params["content"]]] * 2
    # They are computed together with each other, and not with jobs that begin at the first scale.
    sides = {first.params["content"]: (40, 30)}
    keys = {each.stack_key(sides) for each in params}
    alone = KINDS["style_transfer"].load(first.params).stack_key(sides)
    assert len(keys) == 1 and alone not in keys


@pytest.mark.medium
def test_what_cannot_be_continued_names_the_remedy(context: WorkerContext) -> None:
    first = painted(context, steps=1)
    waiting = create(context, continue_from=first.id)
    dream = job_service(context).create("deep_dream", {"image": first.params["content"]}, {})
    failed = create(context, continue_from=first.id)
    job_service(context).cancel(failed.id)
    unknown = "0198c0de-0000-7000-8000-000000000000"
    cases = [
        ({"continue_from": unknown}, "continue_from", "There is no job"),
        ({"continue_from": f"{unknown}/state"}, "continue_from", "There is no job"),
        ({"continue_from": "painted.png"}, "continue_from", "not the id of a job"),
        ({"continue_from": waiting.id}, "continue_from", "is queued: wait"),
        ({"continue_from": failed.id}, "continue_from", "ended as cancelled: retry it"),
        ({"continue_from": dream.id}, "continue_from", "is of kind deep_dream"),
        ({"continue_from": f"{first.id}/state"}, "continue_from", "has no artifact 'state'"),
        ({"continue_from": first.id, "size": 64}, "size", "has 32"),
        ({"continue_from": first.id, "preset": "gatys-2016"}, "preset", "has impasto"),
    ]
    for params, field, detail in cases:
        with pytest.raises(ServiceError, match=detail) as caught:
            create(context, **params)
        assert caught.value.field == field, params
    # What says the same is no change.
    create(context, continue_from=first.id, size=32, preset="impasto", style_weight=None)
    create(context, continue_from=first.id, size="32")


@pytest.mark.medium
def test_null_takes_away_what_the_job_had(context: WorkerContext) -> None:
    picture = add_picture(context, strange.noise(size=(40, 30), seed=3))
    had = {
        "style_masks": [picture, picture],
        "content_mask": picture,
        "content_weight_map": picture,
        "fine_style": picture,
        "style_weights": [1, 3],
        "style_size": 24,
    }
    first = painted(context, style=[picture, picture], steps=1, style_weight=3, **had)

    for name in had:
        without = create(context, continue_from=first.id, **{name: None})
        equal = [1, 1] if name == "style_weights" else None
        went_on = {"continue_from": f"{first.id}/image", "init": None, name: equal}
        assert without.params == {**first.params, **went_on}
    by_preset = create(context, continue_from=first.id, style_weight=None)
    assert by_preset.params["style_weight"] == KINDS["style_transfer"].presets["impasto"].style_weight  # type: ignore[attr-defined]
    # Nor does it come back when that job is tried again.
    service = job_service(context)
    service.cancel(by_preset.id)
    service.cancel(without.id)
    assert service.retry(get_job(context.engine, without.id)).params == without.params


@pytest.mark.medium
def test_other_styles_have_shares_of_their_own(context: WorkerContext) -> None:
    picture = add_picture(context, strange.noise(size=(40, 30), seed=3))
    first = painted(context, style=[picture, picture], style_weights=[1, 3], steps=1)

    same = create(context, continue_from=first.id)
    other = create(context, continue_from=first.id, style=[picture])

    assert (same.params["style_weights"], other.params["style_weights"]) == ([1, 3], [1])
