"""Several pictures of one job: each is what a single job makes of its seed."""

import json
from collections.abc import Mapping, Sequence
from io import BytesIO
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds import Params
from app.kinds.adversarial import ResolvedAttack, ResolvedFooling
from app.kinds.deep_dream import ResolvedDeepDream
from app.kinds.texture_synthesis import ResolvedTextureSynthesis
from models.network import Network
from tests.support.networks import make_classifier
from tests.support.networks import make_convolutions as make_network
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, Video, run_steps
from worker.media.clips import open_clip
from worker.media.pictures import load_picture
from worker.media.videos import encode_frame, encode_video
from worker.runtime.artifacts import encode
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.runtime.functions import steps_of
from worker.synthesis.adversarial import adversarial
from worker.synthesis.deep_dream import deep_dream
from worker.synthesis.texture_synthesis import texture_synthesis

CPU = Compute(torch.device("cpu"))
SIGHTED, CLASSIFIER = make_network(), make_classifier()
PICTURE = drawn(24, 30, 1)

# By kind: the function of a single picture, params as if they had been resolved for a network without a card,
# and the network.
CASES: dict[str, tuple[Any, Params, Network]] = {
    "deep_dream": (
        deep_dream,
        ResolvedDeepDream(image="i", layers={"relu3": 1.0}, size=30, steps=2, octaves=2, strongest=2),
        SIGHTED,
    ),
    "texture_synthesis": (
        texture_synthesis,
        ResolvedTextureSynthesis(image="i", layers={"relu1": 1.0, "relu2": 1.0}, size=58, steps=4),
        SIGHTED,
    ),
    "adversarial": (
        adversarial,
        ResolvedAttack(image="i", method="pgd-linf", size=16, epsilon=16, steps=3, step_size=8),
        CLASSIFIER,
    ),
    # Noise of these seeds is believed after five or six steps: each stops before its steps are over.
    "fooling": (
        adversarial,
        ResolvedFooling(method="fooling", target="cow", size=16, steps=30, step_size=4, confidence=0.9),
        CLASSIFIER,
    ),
}
EVERY = pytest.mark.parametrize("case", CASES)

Seen = tuple[Step, Tensor | None, dict[str, float], StepState]


def params_of(case: str, **values: Any) -> Params:
    return CASES[case][1].model_copy(update={"seed": 7, **values})


def run(
    case: str, params: Params, resume: StepState | None = None, alone: bool = False
) -> tuple[Outcome, list[Seen]]:
    """The outcome, and of every step itself, its picture, its losses and its state as read from files."""
    single, _, network = CASES[case]
    function = single if alone else steps_of
    pictures = {} if case == "fooling" else {"image": [PICTURE]}
    seen: list[Seen] = []

    def look(step: Step) -> None:
        state = step.state()
        state = StepState(
            from_bytes(to_bytes(state)).tensors, json.loads(json.dumps(state.values)), state.parts
        )
        seen.append((step, step.image() if step.image else None, step.losses(), state))

    return run_steps(function(params, Inputs.of(pictures), network, CPU, resume), look), seen


def assert_same_pictures(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    assert list(found) == list(expected)
    for name, picture in expected.items():
        assert torch.equal(found[name], picture), name


def assert_same_steps(found: Sequence[Seen], expected: Sequence[Seen]) -> None:
    for (step, image, losses, state), (other, other_image, other_losses, other_state) in zip(
        found, expected, strict=True
    ):
        assert (step.done, step.total, losses) == (other.done, other.total, other_losses)
        assert image is not None and other_image is not None and torch.equal(image, other_image)
        assert state.values == other_state.values and state.parts == other_state.parts
        assert state.tensors.keys() == other_state.tensors.keys()
        for name, tensor in other_state.tensors.items():
            assert torch.equal(state.tensors[name], tensor), name


@EVERY
def test_one_variation_is_what_it_was(case: str) -> None:
    outcome, seen = run(case, params_of(case, variations=1))
    expected, expected_seen = run(case, params_of(case), alone=True)

    assert_same_pictures(outcome.images, expected.images)
    assert outcome.result == expected.result
    assert_same_steps(seen, expected_seen)
    assert [step.milestone for step, *_ in seen] == [step.milestone for step, *_ in expected_seen]


@EVERY
def test_each_variation_is_what_its_seed_gives_alone(case: str) -> None:
    outcome, seen = run(case, params_of(case, variations=3))
    alone = [run(case, params_of(case, seed=seed), alone=True) for seed in (7, 8, 9)]

    names = [f"{name}_{number}" for name in alone[0][0].images for number in range(3)]
    assert list(outcome.images) == ["image", *names]
    for number, (single, _) in enumerate(alone):
        for name, picture in single.images.items():
            assert torch.equal(outcome.images[f"{name}_{number}"], picture), name
    assert not torch.equal(outcome.images["image_0"], outcome.images["image_1"])
    height, width = outcome.images["image_0"].shape[2:]
    corner = outcome.images["image"][:, :3, :height, :width]
    assert torch.equal(corner, outcome.images["image_0"])

    told = [(losses, image) for _, image, losses, _ in seen]
    expected = [(losses, image) for _, steps in alone for _, image, losses, _ in steps]
    assert [losses for losses, _ in told] == [losses for losses, _ in expected]
    for (_, image), (_, other) in zip(told, expected, strict=True):
        assert image is not None and other is not None and torch.equal(image, other)


@EVERY
def test_the_numbers_of_all_and_of_each(case: str) -> None:
    outcome, _ = run(case, params_of(case, variations=3))
    alone = [run(case, params_of(case, seed=seed), alone=True)[0].result for seed in (7, 8, 9)]

    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    rows = result.pop("pictures")
    assert [(row["artifact"], row["seed"]) for row in rows] == [
        ("image_0", 7),
        ("image_1", 8),
        ("image_2", 9),
    ]
    # Put together again they say what the single results do.
    for row, single in zip(rows, alone, strict=True):
        artifact = row.pop("artifact")
        del row["seed"]
        tables = {
            name: [
                {key: value for key, value in line.items() if key != "artifact"}
                for line in value
                if line["artifact"] == artifact
            ]
            for name, value in result.items()
            if isinstance(value, list) and value and "artifact" in value[0]
        }
        assert {**result, **row, **tables} == single


def test_what_is_the_same_is_told_once() -> None:
    found = {case: run(case, params_of(case, variations=2))[0].result for case in CASES}

    assert set(found["deep_dream"]) == {
        *("width", "height", "octaves", "octaves_left_out", "without_answer", "channels"),
        *("pictures", "objective"),
    }
    assert set(found["texture_synthesis"]) == {"width", "height", "texture", "dtype", "pictures", "scales"}
    assert set(found["adversarial"]) == set(found["fooling"]) == {"pictures"}


@EVERY
def test_steps_count_over_all_variations(case: str) -> None:
    _, seen = run(case, params_of(case, variations=3))
    alone = [run(case, params_of(case, seed=seed), alone=True)[1] for seed in (7, 8, 9)]

    each = alone[0][0][0].total
    assert {step.total for step, *_ in seen} == {3 * each}
    counts = [len(steps) for steps in alone]
    assert (case == "fooling") == (max(counts) < each)
    assert [step.done for step, *_ in seen] == [
        number * each + done for number, count in enumerate(counts) for done in range(1, count + 1)
    ]
    # Worth saving: where the state is the first that holds one more picture.
    first = {counts[0], counts[0] + counts[1]}
    assert {place for place, (step, *_) in enumerate(seen) if step.milestone} == first
    assert [len(state.parts) for *_, state in seen] == [
        number for number, count in enumerate(counts) for _ in range(count)
    ]


@pytest.mark.medium
@EVERY
def test_every_step_can_be_gone_on_from(case: str) -> None:
    params = params_of(case, variations=3)
    whole, seen = run(case, params)

    for place, (*_, state) in enumerate(seen):
        outcome, rest = run(case, params, state)
        assert_same_pictures(outcome.images, whole.images)
        assert outcome.result == whole.result
        assert_same_steps(rest, seen[place + 1 :])


def test_seeds_begin_anew_after_the_largest() -> None:
    outcome, _ = run("adversarial", params_of("adversarial", seed=2**63 - 1, variations=2))

    assert [row["seed"] for row in outcome.result["pictures"]] == [2**63 - 1, 0]


def test_each_picture_keeps_its_transparency_and_the_sheet_has_none() -> None:
    outcome, _ = run("deep_dream", params_of("deep_dream", variations=2))
    alpha = torch.zeros(1, 1, 24, 30)

    files = {product.name: product.data for product in encode(outcome, alpha, {})}

    assert {"image", "image_0", "image_1"} <= files.keys()
    for name, data in files.items():
        picture = load_picture(BytesIO(data), "image")
        assert (picture.alpha is None) == (name == "image")
    # An attack keeps no transparency, so that its sheet needs none.
    assert run("adversarial", params_of("adversarial", variations=2))[0].images["image"].shape[1] == 3


def test_a_clip_has_no_variations() -> None:
    frames = [encode_frame(drawn(24, 30, seed)) for seed in (1, 2)]
    clip = open_clip(encode_video(Video(frames, 10, "webp")), "image")
    params = params_of("deep_dream", variations=2)
    steps = steps_of(params, Inputs.of({"image": [clip]}), SIGHTED, CPU, None)

    with pytest.raises(InputError, match="Only a still picture has variations") as caught:
        run_steps(steps)
    assert caught.value.field == "variations"


def test_what_is_left_unfinished_leaves_nothing_on_the_network() -> None:
    params = params_of("deep_dream", variations=2)
    steps = steps_of(params, Inputs.of({"image": [PICTURE]}), SIGHTED, CPU, None)
    next(steps)
    steps.close()

    assert not any(module._forward_hooks for module in SIGHTED.modules())
    assert all(not each.requires_grad and each.grad is None for each in SIGHTED.parameters())
