import json
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import ComputationError, InputError
from app.kinds.class_visualization import ClassVisualizationParams, ResolvedClassVisualization
from models.network import Network
from tests.support.networks import (
    CLASSES,
    card_of,
    color_network,
    make_classifier,
    silenced,
    stripes_network,
)
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.class_visualization import class_visualization

NETWORK = make_classifier()
PRESETS = ["lucid", "maco", "simonyan-2014", "yosinski-2015"]
presets = pytest.mark.parametrize("preset", PRESETS)


def make_params(network: Network = NETWORK, **values: Any) -> ResolvedClassVisualization:
    """Params resolved for a network that is in no catalogue."""
    given = {"target": ["cat"], "size": 24, "steps": 8, **values}
    params = ClassVisualizationParams.model_validate(given)
    resolved = params.resolved_as(ResolvedClassVisualization, params.maximization_values(card_of(network)))
    resolved.require_valid(len(params.target) * params.variations)
    return resolved


def run(
    params: ResolvedClassVisualization, network: Network = NETWORK, resume: StepState | None = None
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], StepState]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    seen: list[tuple[Step, Tensor, dict[str, float], StepState]] = []
    compute = Compute(torch.device("cpu"), network.dtype)
    outcome = run_steps(
        class_visualization(params, Inputs(), network, compute, resume),
        lambda step: seen.append((step, step.image(), step.losses(), step.state())),
    )
    return outcome, seen


def energy(picture: Tensor, angle: float) -> Tensor:
    """Energy of waves (H, W) that run within 20 degrees of a direction, from right to down."""
    down, right = (torch.fft.fftfreq(side) for side in picture.shape)
    degrees = torch.atan2(down[:, None].expand(picture.shape), right[None, :].expand(picture.shape)).rad2deg()
    near = ((degrees - angle + 90) % 180 - 90).abs() < 20
    return (torch.fft.fft2(picture - picture.mean()).abs().square() * near).sum()


@presets
def test_a_run_from_step_to_outcome(preset: str) -> None:
    outcome, seen = run(make_params(preset=preset, target=["cat", "eel"]))

    assert [step.done for step, _, _, _ in seen] == list(range(1, 9))
    assert {step.total for step, _, _, _ in seen} == {8}
    for _, picture, losses, _ in seen:
        assert picture.shape == (1, 3, 24, 49)
        assert 0 <= float(picture.min()) <= float(picture.max()) <= 1
        assert losses["total"] == pytest.approx(sum(losses.values()) - losses["total"])
    assert set(seen[0][2]) == {"objective", "total"} | ({"l2"} if preset == "simonyan-2014" else set())

    assert list(outcome.images) == ["image", "image_0", "image_1"]
    assert outcome.images["image"].shape == (1, 3, 24, 49)
    for place in range(2):
        part = outcome.images["image"][..., 25 * place : 25 * place + 24]
        assert torch.equal(part, outcome.images[f"image_{place}"])
    json.dumps(outcome.result, allow_nan=False)


def test_the_result_tells_what_the_network_makes_of_the_plain_picture() -> None:
    outcome, _ = run(make_params(target=["cat", "eel"], variations=2, seed=5, size=30))

    assert outcome.result["size"] == 30
    reports = outcome.result["pictures"]
    assert [(each["class"], each["index"], each["seed"]) for each in reports] == [
        ("cat", 2, 5),
        ("cat", 2, 6),
        ("eel", 5, 5),
        ("eel", 5, 6),
    ]
    for report in reports:
        logits = NETWORK.logits(outcome.images[report["artifact"]])[0]
        assert report["logit"] == pytest.approx(float(logits[report["index"]]), abs=1e-5)
        assert report["objective"]["end"] == pytest.approx(report["logit"], abs=1e-5)
        assert report["probability"] == pytest.approx(float(logits.softmax(0)[report["index"]]), abs=1e-5)
        ranked = logits.argsort(descending=True).tolist()
        assert [each["index"] for each in report["top"]] == ranked[:5]
        assert [each["class"] for each in report["top"]] == [CLASSES[index] for index in ranked[:5]]
    # Two rows of two, a class in each row.
    assert outcome.images["image"].shape == (1, 3, 61, 61)


def test_the_picture_is_judged_in_the_size_that_the_network_classifies() -> None:
    network = make_classifier(input_size=20)
    outcome, _ = run(make_params(), network)

    (report,) = outcome.result["pictures"]
    picture = outcome.images["image"]
    assert picture.shape[2] == 24
    seen = torch.nn.functional.interpolate(picture, (20, 20), mode="bicubic", antialias=True).clamp(0, 1)
    assert report["logit"] == pytest.approx(float(network.logits(seen)[0, 2]), abs=1e-5)
    assert report["objective"]["end"] == pytest.approx(float(network.logits(picture)[0, 2]), abs=1e-5)


@pytest.mark.medium
@pytest.mark.parametrize("preset", ["lucid", "simonyan-2014", "yosinski-2015"])
def test_stripes_are_found_and_no_random_picture_comes_near(preset: str) -> None:
    network = stripes_network()
    outcome, _ = run(make_params(preset=preset, target=["0", "1", "2", "3"], steps=60), network)

    generator = torch.Generator().manual_seed(1)
    random = torch.rand(500, 3, 24, 24, generator=generator)
    best = network.logits(random).amax(0)
    for place, report in enumerate(outcome.result["pictures"]):
        assert report["class"] == report["top"][0]["class"]
        assert report["probability"] > 0.6
        assert report["objective"]["start"] < 0.5
        assert report["objective"]["end"] > 2 * float(best[place])
        picture = outcome.images[report["artifact"]].mean(1)[0]
        # From the mean picture nothing but its edges leads anywhere, and these do not run aslant.
        if preset == "lucid" or place < 2:
            assert torch.stack([energy(picture, angle) for angle in (90, 0, 45, -45)]).argmax() == place


@pytest.mark.medium
@pytest.mark.parametrize("preset", ["lucid", "simonyan-2014", "yosinski-2015"])
def test_red_is_red(preset: str) -> None:
    network = color_network()
    outcome, _ = run(make_params(preset=preset, target=["0", "1", "2"], steps=120), network)

    for place, report in enumerate(outcome.result["pictures"]):
        assert report["class"] == report["top"][0]["class"] == ("red", "green", "blue")[place]
        means = outcome.images[report["artifact"]].mean((0, 2, 3))
        others = [float(means[other]) for other in range(3) if other != place]
        assert float(means[place]) > max(others) + 0.1
        assert report["logit"] == pytest.approx(10 * float(means[place] - means.mean()), abs=1e-4)


@presets
def test_the_same_seed_gives_the_same_picture(preset: str) -> None:
    params = make_params(preset=preset, seed=3)
    torch.manual_seed(1)
    first, _ = run(params)
    torch.manual_seed(2)
    second, _ = run(params)
    other, _ = run(make_params(preset=preset, seed=4))

    assert torch.equal(first.images["image"], second.images["image"])
    assert first.result == second.result
    # The lecture's method has nothing random: all seeds are one.
    assert torch.equal(first.images["image"], other.images["image"]) == (preset == "simonyan-2014")


@pytest.mark.medium
@presets
@pytest.mark.parametrize("after", [1, 4, 8])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resume_gives_the_same_picture(preset: str, after: int, dtype: torch.dtype) -> None:
    network = make_classifier(dtype)
    params = make_params(preset=preset, target=["cat", "dog"])
    whole, seen = run(params, network)

    outcome, rest = run(params, network, from_bytes(to_bytes(seen[after - 1][3])))

    assert [step.done for step, _, _, _ in rest] == list(range(after + 1, 9))
    assert torch.equal(outcome.images["image"], whole.images["image"])
    assert outcome.result == whole.result
    for (_, picture, losses, _), (_, expected, expected_losses, _) in zip(rest, seen[after:], strict=True):
        assert torch.equal(picture, expected)
        assert losses == expected_losses


@pytest.mark.medium
@pytest.mark.parametrize("optimizer", ["gradient", "adam", "nadam", "lbfgs"])
@pytest.mark.parametrize("parametrization", ["pixels", "fourier", "phase"])
def test_every_solver_climbs_with_every_parametrization(optimizer: str, parametrization: str) -> None:
    params = make_params(
        preset="simonyan-2014",
        optimizer=optimizer,
        parametrization=parametrization,
        transforms={},
        steps=25,
        l2_weight=0.1,
        tv_weight=0.1,
        p_weight=0.1,
        step_size=None
        if optimizer == "lbfgs"
        else {"pixels": 0.02, "fourier": 0.005, "phase": 0.2}[parametrization],
    )

    outcome, seen = run(params)

    assert set(seen[0][2]) == {"objective", "l2", "p_norm", "tv", "total"}
    assert seen[-1][2]["total"] > seen[0][2]["total"]
    (report,) = outcome.result["pictures"]
    assert report["objective"]["end"] > report["objective"]["start"] + 0.2


@pytest.mark.parametrize(
    "transform", ["roll=3", "pad=2", "jitter=2", "scale=0.1", "rotate=9", "crop=0.6", "noise=0.1"]
)
def test_every_transform_by_its_name(transform: str) -> None:
    name, extent = transform.split("=")
    plain, _ = run(make_params(transforms={}, looks=1, seed=1))
    through, _ = run(make_params(transforms={name: float(extent)}, seed=1))

    difference = float((plain.images["image"] - through.images["image"]).abs().mean())
    assert 1e-4 < difference < 0.2


@pytest.mark.medium
def test_penalties_keep_a_picture_calm() -> None:
    def picture(**weights: float) -> Tensor:
        params = make_params(preset="simonyan-2014", l2_weight=0.0, steps=40).model_copy(update=weights)
        return run(params)[0].images["image"]

    mean = NETWORK.mean
    free = picture()
    assert float((picture(l2_weight=300.0) - mean).square().mean()) < 0.5 * float(
        (free - mean).square().mean()
    )
    steps = [float(each.diff(dim=3).abs().mean()) for each in (free, picture(tv_weight=20.0))]
    assert steps[1] < 0.7 * steps[0]
    steps = [float(each.diff(dim=3).abs().mean()) for each in (free, picture(blur=1.0, blur_every=2))]
    assert steps[1] < 0.7 * steps[0]
    assert float((picture(decay=0.2) - mean).abs().mean()) < 0.7 * float((free - mean).abs().mean())


def test_a_batch_is_as_many_single_runs() -> None:
    network = make_classifier(torch.float64)
    together, _ = run(make_params(target=["cat", "dog"], variations=2), network)
    places = [("cat", 0), ("cat", 1), ("dog", 0), ("dog", 1)]
    for place, (name, seed) in enumerate(places):
        alone, _ = run(make_params(target=[name], seed=seed), network)
        difference = alone.images["image"] - together.images[f"image_{place}"]
        assert float(difference.abs().max()) < 1e-4
        assert alone.result["pictures"][0]["logit"] == pytest.approx(
            together.result["pictures"][place]["logit"], abs=1e-4
        )


def test_dead_classes_are_named() -> None:
    network = silenced(silenced(NETWORK, "logits", 1), "logits", 4)

    with pytest.raises(InputError, match="class 'bee', class 'dog'") as caught:
        run(make_params(target=["ant", "bee", "cat", "dog"]), network)
    assert caught.value.field == "target"


def test_an_objective_that_is_not_finite_is_no_picture() -> None:
    weights = {name: each.clone() for name, each in NETWORK.stack.state_dict().items()}
    weights["logits.bias"][2] = float("nan")

    with pytest.raises(ComputationError, match="is nan in step 1"):
        run(make_params(), NETWORK.with_weights(weights))


def test_a_size_too_small_names_the_one_that_works() -> None:
    deep = make_classifier()
    with pytest.raises(InputError, match=r"sees 2 px, and .* need 4 px: .* works is 18\.") as caught:
        run(make_params(size=16, transforms={"jitter": 14}), deep)
    assert caught.value.field == "size"
    run(make_params(size=18, transforms={"jitter": 14}, steps=1), deep)


def test_nothing_is_left_on_the_network() -> None:
    def untouched() -> bool:
        return (
            not NETWORK.training
            and all(not each._forward_hooks and not each._backward_hooks for each in NETWORK.modules())
            and all(not each.requires_grad and each.grad is None for each in NETWORK.parameters())
        )

    before = NETWORK.sha256, {name: each.clone() for name, each in NETWORK.stack.state_dict().items()}
    run(make_params())
    assert untouched()
    steps = class_visualization(make_params(), Inputs(), NETWORK, Compute(torch.device("cpu")))
    next(steps)
    steps.close()
    assert untouched()
    with pytest.raises(InputError):
        run(make_params(size=16, transforms={"jitter": 14}))
    assert untouched()
    assert all(torch.equal(each, before[1][name]) for name, each in NETWORK.stack.state_dict().items())
