"""Noise that is believed, and a linear classifier fooled by its own weights."""

import json
from typing import Any

import pytest
import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.adversarial import AdversarialParams
from app.networks.catalogue import SHIPPED
from models.network import Network
from models.procedural import CLASSES as DRAWN
from models.procedural import draw
from tests.support.networks import CLASSES, make_classifier
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.adversarial import adversarial
from worker.synthesis.fooling import fool_linear_classifier


def surer(network: Network) -> Network:
    """The same network, with scores three times as far apart."""
    weights = {name: each.clone() for name, each in network.stack.state_dict().items()}
    weights["logits.weight"] *= 3
    return network.with_weights(weights)


NETWORK = surer(make_classifier())
COMPUTE = Compute(torch.device("cpu"))


def noise_params(**values: Any) -> AdversarialParams:
    """Params as if they had been resolved for a network that has no card."""
    target = values.pop("target", "cow")
    given = {"method": "fooling", "target": "zebra", "size": 24, **values}
    return AdversarialParams.model_validate(given).resolve(SHIPPED).model_copy(update={"target": target})


def fool(
    params: AdversarialParams, resume: StepState | None = None
) -> tuple[Outcome, list[tuple[Step, StepState]]]:
    seen: list[tuple[Step, StepState]] = []
    steps = adversarial(params, Inputs(), NETWORK, COMPUTE, resume)
    return run_steps(steps, lambda step: seen.append((step, step.state()))), seen


# No picture is a dog beyond doubt.
@pytest.mark.parametrize("target", [name for name in CLASSES if name != "dog"])
def test_noise_is_believed(target: str) -> None:
    outcome, seen = fool(noise_params(target=target))

    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    image, original, _ = outcome.images.values()
    # What the file keeps is believed, by another look at it.
    kept = (255 * image).round() / 255
    believed = float(NETWORK.logits(kept)[0].softmax(0)[CLASSES.index(target)])
    assert believed >= 0.996
    assert result["success"] is True
    assert result["confidence"] == pytest.approx(believed, rel=1e-6)
    assert result["after"]["class"] == target
    assert result["steps"] == len(seen) < 500
    # It began at uniform noise, and still is noise.
    assert float(original.mean()) == pytest.approx(0.5, abs=0.03)
    assert float(original.std()) == pytest.approx(12**-0.5, abs=0.03)
    assert 0 <= float(image.min()) <= float(image.max()) <= 1


def test_it_says_how_far_it_got() -> None:
    outcome, seen = fool(noise_params(target="dog", steps=40))

    assert len(seen) == 40
    result = outcome.result
    assert result["success"] is False
    place = CLASSES.index("dog")
    start, end = (
        float(NETWORK.logits(outcome.images[name])[0].softmax(0)[place]) for name in ("original", "image")
    )
    assert result["confidence"] == pytest.approx(end, rel=1e-6)
    assert 2 * start < result["confidence"] < 0.996
    # The best of all steps, but for what a file does not keep.
    best = max(step.losses()["probability"] for step, _ in seen)
    assert result["confidence"] == pytest.approx(best, rel=0.02)


def test_noise_that_is_believed_as_it_is() -> None:
    outcome, seen = fool(noise_params(confidence=1e-6))

    assert seen == []
    assert outcome.result["steps"] == 0
    assert outcome.result["success"] is True
    assert torch.equal(outcome.images["image"], outcome.images["original"])


def test_a_fooling_run_goes_on_where_it_was() -> None:
    params = noise_params(target="eel", step_size=0.5)
    whole, seen = fool(params)

    # The last one is that of a run that has nothing left to do.
    for after in (1, len(seen) // 2, len(seen)):
        outcome, rest = fool(params, from_bytes(to_bytes(seen[after - 1][1])))
        assert [step.done for step, _ in rest] == list(range(after + 1, len(seen) + 1))
        assert outcome.result == whole.result
        for name, image in whole.images.items():
            assert torch.equal(outcome.images[name], image)


def test_the_seed_decides_what_is_fooling() -> None:
    torch.manual_seed(1)
    first, _ = fool(noise_params(seed=1))
    torch.manual_seed(2)
    second, _ = fool(noise_params(seed=1))
    other, _ = fool(noise_params(seed=2))

    assert torch.equal(first.images["image"], second.images["image"])
    assert not torch.equal(first.images["image"], other.images["image"])


def linear_params(**values: Any) -> AdversarialParams:
    return AdversarialParams.model_validate({"method": "linear", **values}).resolve(SHIPPED)


def fool_linear(
    params: AdversarialParams,
    *given: Tensor,
    resume: StepState | None = None,
    side: int = 16,
    fitted: int = 30,
) -> tuple[Outcome, list[tuple[Step, StepState]]]:
    seen: list[tuple[Step, StepState]] = []
    steps = fool_linear_classifier(params, given, resume, side=side, fitted=fitted, tried=30)
    return run_steps(steps, lambda step: seen.append((step, step.state()))), seen


@pytest.mark.medium
def test_a_linear_classifier_is_fooled_by_its_weights() -> None:
    outcome, seen = fool_linear(linear_params(epsilon=80), side=32, fitted=60)

    assert [step.done for step, _ in seen] == [1, 2, 3, 4]
    assert all(step.losses() == {} and step.image is None for step, _ in seen)
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    assert result["success"] is True
    assert result["before"]["class"] == "mountains"
    assert result["after"]["class"] == "planet"
    assert result["before"]["score"] < 0 < result["after"]["score"]
    for said in (result["before"], result["after"], result["saved"]):
        assert sum(each["probability"] for each in said["top"]) == pytest.approx(1)
        planet = next(each["probability"] for each in said["top"] if each["class"] == "planet")
        assert planet == pytest.approx(1 / (1 + 2.718281828459045 ** -said["score"]))
    assert result["accuracy"] > 0.6
    assert result["norms"]["linf"] == pytest.approx(80, abs=1e-3)
    image, original, _ = outcome.images.values()
    assert image.shape == original.shape == (1, 3, 32, 32)


@pytest.mark.medium
def test_a_little_of_the_weights_is_a_little_of_the_way() -> None:
    little, more = (fool_linear(linear_params(epsilon=each))[0].result for each in (0.01, 10))

    assert little["before"] == more["before"]
    assert little["before"]["score"] < little["after"]["score"] < more["after"]["score"]
    assert little["success"] is False
    # Nothing of so little outlives the file.
    assert little["saved"] == little["before"]


@pytest.mark.medium
def test_a_picture_of_ones_own_is_changed() -> None:
    own = draw([DRAWN.index("mountains")], [77], 48)[..., :40, :]
    outcome, _ = fool_linear(linear_params(image="x", epsilon=60), own)
    before = outcome.result["before"]

    middle = torch.nn.functional.interpolate(own[..., 4:44], (16, 16), mode="bicubic", antialias=True)
    assert torch.allclose(outcome.images["original"], middle.clamp(0, 1), atol=0.51 / 255)
    assert before["class"] == "mountains"
    # The other way round it is there already.
    with pytest.raises(InputError, match="takes the picture for 'mountains' already") as caught:
        fool_linear(linear_params(image="x", target="mountains", against="planet"), own)
    assert caught.value.field == "target"


@pytest.mark.medium
def test_the_linear_classifier_goes_on_where_it_was() -> None:
    params = linear_params(seed=4)
    whole, seen = fool_linear(params)

    for after in (2, 4):
        outcome, rest = fool_linear(params, resume=from_bytes(to_bytes(seen[after - 1][1])))
        assert [step.done for step, _ in rest] == list(range(after + 1, 5))
        assert outcome.result == whole.result
        assert torch.equal(outcome.images["image"], whole.images["image"])
    other, _ = fool_linear(linear_params(seed=5))
    assert not torch.equal(other.images["image"], whole.images["image"])


@pytest.mark.medium
def test_no_network_is_needed_for_it() -> None:
    steps = adversarial(linear_params(), Inputs(), None, COMPUTE)
    assert next(steps).total == 12
    steps.close()
    with pytest.raises(TypeError, match="needs a network"):
        adversarial(noise_params(), Inputs(), None, COMPUTE)
