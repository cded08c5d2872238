"""Timelapses of style transfers: which steps they show, and that nothing else depends on them."""

from io import BytesIO
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import settings as limits
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from app.kinds.style_transfer import ResolvedStyleTransfer, StyleTransferParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from tests.support.stacks import ends_of
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs, Source
from worker.contract.stacks import StackedJob
from worker.contract.steps import Outcome, StepState, run_steps
from worker.media.clips import open_clip
from worker.media.pictures import Picture
from worker.media.videos import encode_video
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.style_transfer import style_transfer, style_transfer_jobs
from worker.synthesis.timelapse import LONGEST_SIDE, MOST_FRAMES, Timelapse, frame_steps

CPU = Compute(torch.device("cpu"))


def make_params(**values: Any) -> ResolvedStyleTransfer:
    layers = {"content_layers": {"relu2": 1.0}, "style_layers": {"relu1": 1.0, "relu3": 1.0}}
    given = {"content": "c", "style": ["s"], "size": 128, "steps": 12, "timelapse": "mp4", **values}
    return StyleTransferParams.model_validate(given).resolve(SHIPPED).model_copy(update=layers)


def run(
    params: ResolvedStyleTransfer, network: Network, inputs: Inputs, resume: StepState | None = None
) -> tuple[Outcome, list[StepState]]:
    states: list[StepState] = []
    steps = style_transfer(params, inputs, network, CPU, resume)
    return run_steps(steps, lambda step: states.append(step.state())), states


@pytest.fixture
def inputs(content: Tensor, style: Tensor) -> Inputs:
    return Inputs.of({"content": [content], "style": [style]})


def levels(frame: bytes) -> Tensor:
    with Image.open(BytesIO(frame)) as image:
        data = torch.frombuffer(bytearray(image.convert("RGB").tobytes()), dtype=torch.uint8)
        return data.view(image.height, image.width, 3)


def test_steps_of_the_frames_known_by_hand() -> None:
    assert frame_steps(1) == frame_steps(2) == [1]
    assert frame_steps(5) == [1, 2, 3, 4]
    assert frame_steps(60) == [*range(1, 60)]
    found = frame_steps(200)
    assert found[:10] == [*range(1, 11)]
    assert found[-1] == 199


@limits(deadline=None)
@given(st.integers(1, 20_000))
def test_frames_are_few_and_ever_farther_apart(total: int) -> None:
    steps = frame_steps(total)
    gaps = [after - before for before, after in pairwise(steps)]
    assert steps[0] == 1
    assert steps[-1] == max(1, total - 1)
    assert len(steps) == min(MOST_FRAMES - 1, max(1, total - 1))
    assert all(gap > 0 for gap in gaps)
    # Up to rounding to whole steps.
    assert all(later >= earlier - 1 for earlier, later in pairwise(gaps))


@pytest.mark.medium
def test_a_timelapse_leaves_the_picture_as_it_is(network: Network, inputs: Inputs) -> None:
    without, _ = run(make_params(timelapse="none"), network, inputs)
    outcome, _ = run(make_params(), network, inputs)

    assert torch.equal(outcome.images["image"], without.images["image"])
    assert (without.videos, outcome.result) == ({}, without.result)
    video = outcome.videos["timelapse"]
    assert (video.format, video.hold) == ("mp4", 1.0)
    # Eleven steps, and the finished picture; those of the first scale as large as it.
    assert len(video.frames) == 12
    assert {levels(frame).shape for frame in video.frames} == {(96, 128, 3)}
    finished = outcome.images["image"][0].permute(1, 2, 0).mul(255).round().to(torch.uint8)
    assert torch.equal(levels(video.frames[-1]), finished)


@pytest.mark.medium
@pytest.mark.parametrize("after", [1, 6, 12])
def test_no_frame_is_lost_or_doubled_by_a_resume(network: Network, inputs: Inputs, after: int) -> None:
    whole, states = run(make_params(), network, inputs)
    kept = states[after - 1]
    resume = StepState(*_tensors_and_values(kept), kept.parts)

    outcome, rest = run(make_params(), network, inputs, resume)

    assert outcome.videos == whole.videos
    assert [len(state.parts) for state in states] == [*range(1, 12), 11]
    assert [state.parts for state in rest] == [state.parts for state in states[after:]]


def _tensors_and_values(state: StepState) -> tuple[dict[str, Tensor], dict[str, Any]]:
    read = from_bytes(to_bytes(state))
    return read.tensors, read.values


@pytest.mark.medium
def test_jobs_of_a_stack_have_a_timelapse_each(network: Network, inputs: Inputs) -> None:
    params = [make_params(), make_params(timelapse="none"), make_params(style_weight=50.0)]
    jobs = [StackedJob(each, inputs) for each in params]

    ends = ends_of(style_transfer_jobs(jobs, network, CPU))

    counts = [len(end.videos["timelapse"].frames) if end.videos else 0 for end in outcomes(ends, 3)]
    assert counts == [12, 0, 12]


def outcomes(ends: Any, count: int) -> list[Outcome]:
    found = [ends[place] for place in range(count)]
    assert all(isinstance(each, Outcome) for each in found)
    return found


def test_frames_of_a_large_picture_are_smaller() -> None:
    timelapse = Timelapse("webp", (600, 1200), None, None)

    video = timelapse.video(torch.zeros(1, 3, 600, 1200))

    assert levels(video.frames[0]).shape == (LONGEST_SIDE // 2, LONGEST_SIDE, 3)


def test_a_transparent_picture_lies_on_white(network: Network, content: Tensor, style: Tensor) -> None:
    alpha = torch.ones(1, 1, *content.shape[2:])
    alpha[..., :20, :] = 0
    sources = {
        "content": [Source("", lambda: Picture(content, alpha))],
        "style": [Source("", lambda: Picture(style))],
    }

    outcome, _ = run(make_params(steps=2), network, Inputs(sources))

    for frame in outcome.videos["timelapse"].frames:
        assert (levels(frame)[:30] == 255).all()
        assert not (levels(frame)[50:] == 255).all()


@pytest.mark.parametrize("format_", ["mp4", "webp"])
def test_the_finished_picture_is_shown_for_a_second_longer(
    format_: str, network: Network, inputs: Inputs
) -> None:
    outcome, _ = run(make_params(timelapse=format_, steps=4), network, inputs)

    data = encode_video(outcome.videos["timelapse"])

    if format_ == "mp4":
        assert open_clip(data, "image").count == 4 + 12
    else:
        with Image.open(BytesIO(data)) as image:
            durations = []
            for number in range(image.n_frames):  # type: ignore[attr-defined]
                image.seek(number)
                image.load()
                durations.append(image.info["duration"])
        # Frames that look the same become one.
        assert (sum(durations), durations[-1]) == (4 * 83 + 1000, 1083)
