import json
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.feature_inversion import FeatureInversionParams
from models.network import Network
from tests.support.networks import identity_network, make_classifier, silenced
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.feature_inversion import feature_inversion

NETWORK = make_classifier()


def make_params(**values: Any) -> FeatureInversionParams:
    given = {"image": "x", "layers": ["relu1", "pool2"], "size": 24, "steps": 6, **values}
    return FeatureInversionParams.model_validate(given)


def run(
    params: FeatureInversionParams, network: Network, picture: Tensor, resume: StepState | None = None
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], StepState]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    seen: list[tuple[Step, Tensor, dict[str, float], StepState]] = []
    compute = Compute(torch.device("cpu"), network.dtype)
    steps = feature_inversion(params, Inputs.of({"image": [picture]}), network, compute, resume)
    outcome = run_steps(steps, lambda step: seen.append((step, step.image(), step.losses(), step.state())))
    return outcome, seen


def test_a_run_from_step_to_outcome(content: Tensor) -> None:
    outcome, seen = run(make_params(variations=2, seed=4), NETWORK, content)

    assert [step.done for step, _, _, _ in seen] == list(range(1, 25))
    assert {step.total for step, _, _, _ in seen} == {24}
    assert [step.done for step, _, _, _ in seen if step.milestone] == [6, 12, 18, 24]
    for step, picture, losses, _ in seen:
        # Three columns, the picture and two layers, in two rows.
        assert picture.shape == (1, 3, 37, 74)
        layer = "relu1" if step.done <= 12 else "pool2"
        assert losses.keys() == {f"feature.{layer}", "p_norm", "tv", "total"}
        assert losses["total"] == pytest.approx(sum(losses.values()) - losses["total"])
        assert all(value >= 0 for value in losses.values())

    assert list(outcome.images) == ["image", "image_0", "image_1", "image_2", "image_3"]
    strip = outcome.images["image"]
    for row in range(2):
        for column in range(1, 3):
            part = strip[..., 19 * row : 19 * row + 18, 25 * column : 25 * column + 24]
            assert torch.equal(part, outcome.images[f"image_{2 * (column - 1) + row}"])
    small = torch.nn.functional.interpolate(content, (18, 24), mode="bicubic", antialias=True).clamp(0, 1)
    assert torch.equal(strip[..., :18, :24], small)
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    assert (result["width"], result["height"]) == (24, 18)
    reports = result["pictures"]
    assert [(each["layer"], each["seed"]) for each in reports] == [
        ("relu1", 4),
        ("relu1", 5),
        ("pool2", 4),
        ("pool2", 5),
    ]
    for place, report in enumerate(reports):
        layer = report["layer"]
        wanted = NETWORK.features(small, (layer,))[layer]
        found = NETWORK.features(outcome.images[f"image_{place}"], (layer,))[layer]
        error = float((found - wanted).norm() / wanted.norm())
        assert report["relative_error"]["end"] == pytest.approx(error, rel=1e-3)
        assert report["relative_error"]["end"] < 0.8 * report["relative_error"]["start"]


@pytest.mark.medium
@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("parametrization", ["pixels", "fourier"])
def test_a_network_that_changes_nothing_gives_the_picture_back(
    optimizer: str, parametrization: str, content: Tensor
) -> None:
    # Away from 0 and 1, which a spectrum's picture cannot reach.
    picture = 0.2 + 0.6 * content[..., :30, :40]
    steps = 300 if (optimizer, parametrization) == ("adam", "fourier") else 150
    params = make_params(
        layers=["conv1"],
        p_weight=0.0,
        tv_weight=0.0,
        optimizer=optimizer,
        parametrization=parametrization,
        steps=steps,
        size=40,
    )

    outcome, _ = run(params, identity_network(), picture)

    error = float((outcome.images["image_0"] - picture).abs().mean())
    assert error < (0.001 if parametrization == "pixels" else 0.01)
    norm = (outcome.images["image_0"] - picture).norm() / picture.norm()
    assert outcome.result["pictures"][0]["relative_error"]["end"] == pytest.approx(float(norm), rel=1e-3)


@pytest.mark.medium
def test_what_a_pool_has_lost_is_left_to_the_penalties(content: Tensor) -> None:
    params = make_params(
        layers=["conv1", "pool1"],
        parametrization="pixels",
        tv_weight=1e-4,
        p_weight=0.0,
        steps=100,
        size=60,
    )
    outcome, _ = run(params, identity_network(), content[..., :44, :])

    whole, pooled = outcome.images["image_0"], outcome.images["image_1"]
    means = torch.nn.functional.avg_pool2d(content[..., :44, :], 2)
    assert float((torch.nn.functional.avg_pool2d(pooled, 2) - means).abs().max()) < 0.02
    assert float(pooled.diff(dim=3).abs().mean()) < float(whole.diff(dim=3).abs().mean()) + 1e-3


def test_penalties_calm_the_picture(content: Tensor) -> None:
    rough, calm = (
        run(make_params(layers=["pool2"], tv_weight=weight, steps=30), NETWORK, content)[0].images["image_0"]
        for weight in (0.0, 0.1)
    )

    assert float(calm.diff(dim=3).abs().mean()) < 0.7 * float(rough.diff(dim=3).abs().mean())


@pytest.mark.medium
def test_deeper_layers_know_less(content: Tensor) -> None:
    params = make_params(layers=["conv1", "pool2", "logits"], steps=60, p_weight=0.001, tv_weight=0.001)
    outcome, _ = run(params, NETWORK, content)

    small = outcome.images["image"][..., :18, :24]
    errors = [float((outcome.images[f"image_{place}"] - small).square().mean()) for place in range(3)]
    assert errors == sorted(errors)
    assert all(each["relative_error"]["end"] < 0.2 for each in outcome.result["pictures"])


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("after", [1, 5, 6, 7, 12])
def test_resume_gives_the_same_pictures(optimizer: str, after: int, content: Tensor) -> None:
    params = make_params(optimizer=optimizer)
    whole, seen = run(params, NETWORK, content)

    outcome, rest = run(params, NETWORK, content, from_bytes(to_bytes(seen[after - 1][3])))

    assert [step.done for step, _, _, _ in rest] == list(range(after + 1, 13))
    assert outcome.images.keys() == whole.images.keys()
    for name, picture in whole.images.items():
        assert torch.equal(outcome.images[name], picture), name
    assert outcome.result == whole.result
    for (_, picture, losses, _), (_, expected, expected_losses, _) in zip(rest, seen[after:], strict=True):
        assert torch.equal(picture, expected)
        assert losses == expected_losses


def test_the_seed_decides_and_nothing_else(content: Tensor) -> None:
    torch.manual_seed(1)
    first, _ = run(make_params(seed=1), NETWORK, content)
    torch.manual_seed(2)
    second, _ = run(make_params(seed=1), NETWORK, content)
    other, _ = run(make_params(seed=2), NETWORK, content)

    assert torch.equal(first.images["image"], second.images["image"])
    assert first.result == second.result
    assert not torch.equal(first.images["image"], other.images["image"])


@pytest.mark.medium
def test_rough_activations_do(content: Tensor) -> None:
    outcome, _ = run(make_params(steps=40), make_classifier(torch.bfloat16), content)

    for report in outcome.result["pictures"]:
        assert report["relative_error"]["end"] < 0.4 * report["relative_error"]["start"]


def test_class_scores(content: Tensor) -> None:
    outcome, _ = run(make_params(layers=["logits"], steps=30), NETWORK, content)

    assert outcome.images["image_0"].shape == (1, 3, 18, 24)
    assert outcome.result["pictures"][0]["relative_error"]["end"] < 0.1


def test_a_layer_that_says_nothing_is_named(content: Tensor) -> None:
    network = NETWORK
    for channel in range(8):
        network = silenced(network, "conv2", channel)

    with pytest.raises(InputError, match="The features of relu2 are all 0") as caught:
        run(make_params(layers=["conv1", "relu2"]), network, content)
    assert caught.value.field == "layers"
    with pytest.raises(InputError, match="conv2 is dead"):
        run(make_params(layers=["conv2"]), network, content)


def test_a_picture_too_small_for_a_layer(content: Tensor) -> None:
    narrow = content[..., :5, :]

    with pytest.raises(InputError, match="24×2 px, and pool2 needs 4 px") as caught:
        run(make_params(), NETWORK, narrow)
    assert caught.value.field == "size"
    works = int(caught.value.detail.rsplit("set size to ", 1)[1].split()[0])
    with pytest.raises(InputError):
        run(make_params(size=works - 1, steps=1), NETWORK, narrow)
    run(make_params(size=works, steps=1), NETWORK, narrow)
    with pytest.raises(InputError, match=r"or a less narrow picture\.$"):
        run(make_params(), NETWORK, content[..., :1, :].repeat(1, 1, 1, 50))


def test_nothing_is_left_on_the_network(content: Tensor) -> None:
    def untouched() -> bool:
        return not NETWORK.training and all(
            not each.requires_grad and each.grad is None for each in NETWORK.parameters()
        )

    run(make_params(), NETWORK, content)
    assert untouched()
    compute = Compute(torch.device("cpu"))
    steps = feature_inversion(make_params(), Inputs.of({"image": [content]}), NETWORK, compute)
    next(steps)
    steps.close()
    assert untouched()
