import json
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.adversarial import AdversarialParams
from app.networks.catalogue import SHIPPED
from models.architectures.vgg import PooledLinear
from models.network import Network
from tests.support.networks import CLASSES, make_classifier
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.adversarial import adversarial

NETWORK = make_classifier()
ATTACKS = ("fgsm", "bim", "pgd-linf", "pgd-l2")
EVERY = pytest.mark.parametrize("method", ATTACKS)


def make_params(**values: Any) -> AdversarialParams:
    """Params as if they had been resolved for a network that has no card."""
    target = values.pop("target", None)
    few = {"steps": 12} if values.get("method", "").startswith("pgd") else {}
    given = {"image": "x", "network": "palette", "size": 24, **few, **values}
    return AdversarialParams.model_validate(given).resolve(SHIPPED).model_copy(update={"target": target})


def run(
    params: AdversarialParams, network: Network, picture: Tensor, resume: StepState | None = None
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], StepState]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    seen: list[tuple[Step, Tensor, dict[str, float], StepState]] = []
    compute = Compute(torch.device("cpu"), network.dtype)
    steps = adversarial(params, Inputs.of({"image": [picture]}), network, compute, resume)

    def look(step: Step) -> None:
        assert step.image is not None
        seen.append((step, step.image(), step.losses(), step.state()))

    return run_steps(steps, look), seen


def picture(seed: int = 1, height: int = 24, width: int = 24) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 5, 6, generator=generator)
    return nn.functional.interpolate(coarse, (height, width), mode="bicubic").clamp(0, 1)


def others(network: Network, seen: Tensor) -> list[str]:
    """The classes that a picture is not taken for."""
    taken = int(network.logits(seen).argmax())
    return [name for place, name in enumerate(network.classes) if place != taken]


def linear_network(dtype: torch.dtype) -> tuple[Network, Tensor]:
    """Classes no and yes of pictures of 16 px: the logit of yes is linear in the pixels, that of no is 0.

    Also the weights of a pixel in [0, 1].
    """
    logits = PooledLinear(3, 16, 2)
    generator = torch.Generator().manual_seed(5)
    weights = torch.randn(3, 16, 16, generator=generator)
    with torch.no_grad():
        logits.weight.zero_()
        logits.weight[1] = weights.flatten() / 50
        logits.bias.zero_()
    network = Network(
        "linear",
        {"logits": logits},
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.25, 0.5),
        source="a test",
        classes=("no", "yes"),
    )
    std = torch.tensor([0.2, 0.25, 0.5]).view(3, 1, 1)
    return network.prepared(torch.device("cpu"), dtype), (weights / 50 / std).double()


@EVERY
def test_a_run_from_step_to_outcome(method: str) -> None:
    target = others(NETWORK, picture())[0]
    params = make_params(method=method, target=target, epsilon=20 if method != "pgd-l2" else 400, seed=3)
    outcome, seen = run(params, NETWORK, picture(1, 30, 24))

    assert [step.done for step, _, _, _ in seen] == list(range(1, (params.steps or 1) + 1))
    assert {step.total for step, _, _, _ in seen} == {params.steps or 1}
    assert all(losses.keys() == {"total"} for _, _, losses, _ in seen)
    assert list(outcome.images) == ["image", "original", "perturbation"]
    image, original, perturbation = outcome.images.values()
    # The middle, cut out.
    assert torch.allclose(original, picture(1, 30, 24)[..., 3:27, :], atol=0.5 / 255 + 1e-6)
    result = json.loads(json.dumps(outcome.result, allow_nan=False))
    for name, shown in (("before", original), ("after", image)):
        probabilities = NETWORK.logits(shown)[0].softmax(0)
        assert result[name]["class"] == CLASSES[int(probabilities.argmax())]
        assert result[name]["probability"] == pytest.approx(float(probabilities.max()), rel=1e-5)
        found = [each["probability"] for each in result[name]["top"]]
        assert found == pytest.approx(sorted(probabilities.tolist(), reverse=True)[:5], rel=1e-5)
    assert result["success"] == (result["after"]["class"] == target)
    change = image - original
    assert result["norms"]["linf"] == pytest.approx(255 * float(change.abs().max()))
    assert result["norms"]["l2"] == pytest.approx(255 * float(change.norm()))
    expected = (0.5 + result["amplification"] * change).clamp(0, 1)
    assert torch.allclose(perturbation, expected, atol=1e-5)
    assert float((perturbation - 0.5).abs().max()) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("epsilon", [0.3, 4.0, 30.0])
@EVERY
def test_changes_obey_their_norm_and_the_range(method: str, epsilon: float) -> None:
    stark = (3 * picture(2) - 1).clamp(0, 1)
    for target in (None, others(NETWORK, stark)[1]):
        given = {"step_size": epsilon} if method != "fgsm" else {}
        outcome, _ = run(make_params(method=method, epsilon=epsilon, target=target, **given), NETWORK, stark)
        image, original, _ = outcome.images.values()
        change = (image - original).double()
        size = change.norm() if method == "pgd-l2" else change.abs().max()
        assert 0 < float(size) <= epsilon / 255 + 1e-6
        assert 0 <= float(image.min()) <= float(image.max()) <= 1


def test_a_linear_score_moves_by_epsilon_times_the_norm_of_its_weights() -> None:
    network, weights = linear_network(torch.float64)
    inside = 0.2 + 0.6 * picture(3, 16, 16).double()
    target = others(network, inside)[0]
    params = make_params(method="fgsm", epsilon=2, size=16, target=target)
    steps = adversarial(
        params, Inputs.of({"image": [inside]}), network, Compute(torch.device("cpu"), torch.float64)
    )

    outcome = run_steps(steps)

    scores = [float(network.logits(outcome.images[name].double())[0, 1]) for name in ("original", "image")]
    moved = abs(scores[1] - scores[0])
    assert moved == pytest.approx(2 / 255 * float(weights.abs().sum()), rel=1e-5)
    assert outcome.result["norms"]["linf"] == pytest.approx(2, abs=1e-4)
    assert outcome.result["success"]
    # The Euclidean way moves it by the radius times the Euclidean norm.
    params = make_params(method="pgd-l2", epsilon=40, step_size=400, size=16, target=target)
    steps = adversarial(
        params, Inputs.of({"image": [inside]}), network, Compute(torch.device("cpu"), torch.float64)
    )
    images = run_steps(steps).images
    scores = [float(network.logits(images[name].double())[0, 1]) for name in ("original", "image")]
    assert abs(scores[1] - scores[0]) == pytest.approx(40 / 255 * float(weights.norm()), rel=1e-4)


@pytest.mark.medium
def test_projected_gradients_reach_more_targets_than_one_step() -> None:
    reached = dict.fromkeys(("fgsm", "bim", "pgd-linf"), 0)
    nearer = 0
    for seed in range(2):
        seen = picture(seed)
        for target in others(NETWORK, seen):
            index = CLASSES.index(target)
            believed = {}
            for method in reached:
                params = make_params(method=method, target=target, epsilon=24)
                outcome, _ = run(params, NETWORK, seen)
                reached[method] += outcome.result["success"]
                believed[method] = float(NETWORK.logits(outcome.images["image"])[0].log_softmax(0)[index])
            nearer += believed["pgd-linf"] >= believed["fgsm"]

    assert reached["pgd-linf"] >= reached["bim"] >= reached["fgsm"]
    assert reached["pgd-linf"] > reached["fgsm"]
    assert nearer == 10


@EVERY
def test_untargeted_attacks_lead_away_from_what_was_seen(method: str) -> None:
    outcome, seen = run(
        make_params(method=method, epsilon=600 if method == "pgd-l2" else 30), NETWORK, picture()
    )

    result = outcome.result
    assert result["success"]
    assert result["after"]["class"] != result["before"]["class"]
    place = result["before"]["index"]
    assert (
        float(NETWORK.logits(outcome.images["image"])[0].softmax(0)[place]) < result["before"]["probability"]
    )
    assert max(losses["total"] for _, _, losses, _ in seen) >= seen[0][2]["total"]


def test_an_attack_that_fails_says_so() -> None:
    target = others(NETWORK, picture())[0]
    outcome, _ = run(make_params(method="pgd-linf", epsilon=0.01, target=target), NETWORK, picture())

    assert outcome.result["success"] is False
    assert outcome.result["after"]["class"] == outcome.result["before"]["class"]
    # Nothing of it outlives the file.
    assert outcome.result["saved"] == outcome.result["before"]


@EVERY
def test_what_the_file_keeps_is_told(method: str) -> None:
    outcome, _ = run(make_params(method=method), NETWORK, picture())

    kept = (255 * outcome.images["image"]).round() / 255
    top = NETWORK.logits(kept)[0].softmax(0).max()
    assert outcome.result["saved"]["probability"] == pytest.approx(float(top), rel=1e-6)
    if method == "fgsm":
        # Whole levels of whole levels.
        assert torch.allclose(kept, outcome.images["image"], atol=1e-6)


def test_a_picture_that_is_taken_for_the_target_already() -> None:
    taken = CLASSES[int(NETWORK.logits(picture()).argmax())]

    with pytest.raises(InputError, match=f"takes the picture for '{taken}' already") as caught:
        run(make_params(target=taken), NETWORK, picture())
    assert caught.value.field == "target"


def test_a_size_too_small_for_the_network() -> None:
    stack = {"conv1": nn.Conv2d(3, 4, 40), "logits": PooledLinear(4, 1, 6)}
    network = Network("far", stack, mean=(0.5,) * 3, std=(0.2,) * 3, source="a test", classes=CLASSES)

    with pytest.raises(InputError, match="needs 40 px") as caught:
        run(make_params(), network, picture())
    assert caught.value.field == "size"


@pytest.mark.parametrize("after", [1, 3, 9, 10])
@pytest.mark.parametrize("method", ["bim", "pgd-linf", "pgd-l2"])
def test_resume_gives_the_same_picture(method: str, after: int) -> None:
    params = make_params(method=method, target=others(NETWORK, picture())[2], steps=10)
    whole, seen = run(params, NETWORK, picture())

    outcome, rest = run(params, NETWORK, picture(), from_bytes(to_bytes(seen[after - 1][3])))

    assert [step.done for step, _, _, _ in rest] == list(range(after + 1, 11))
    assert outcome.result == whole.result
    for name, image in whole.images.items():
        assert torch.equal(outcome.images[name], image), name
    for (_, image, losses, _), (_, expected, expected_losses, _) in zip(rest, seen[after:], strict=True):
        assert torch.equal(image, expected)
        assert losses == expected_losses


@EVERY
def test_the_seed_decides_and_nothing_else(method: str) -> None:
    torch.manual_seed(1)
    first, _ = run(make_params(method=method, seed=1), NETWORK, picture())
    torch.manual_seed(2)
    second, _ = run(make_params(method=method, seed=1), NETWORK, picture())
    other, _ = run(make_params(method=method, seed=2), NETWORK, picture())

    assert torch.equal(first.images["image"], second.images["image"])
    assert first.result == second.result
    # Only a random start has anything to draw.
    same = torch.equal(first.images["image"], other.images["image"])
    assert same == (method in ("fgsm", "bim"))


@EVERY
def test_rough_activations_do(method: str) -> None:
    network = make_classifier(torch.bfloat16)
    target = others(network, picture())[0]
    outcome, _ = run(
        make_params(method=method, epsilon=600 if method == "pgd-l2" else 40, target=target),
        network,
        picture(),
    )

    index = CLASSES.index(target)
    before, after = (
        float(network.logits(outcome.images[name])[0].float().softmax(0)[index])
        for name in ("original", "image")
    )
    assert after > before


def test_nothing_is_left_on_the_network() -> None:
    def untouched() -> bool:
        hooks = [each for module in NETWORK.modules() for each in module._forward_hooks]
        plain = all(not each.requires_grad and each.grad is None for each in NETWORK.parameters())
        return plain and not hooks and not NETWORK.training

    params = make_params()
    run(params, NETWORK, picture())
    assert untouched()
    steps = adversarial(params, Inputs.of({"image": [picture()]}), NETWORK, Compute(torch.device("cpu")))
    next(steps)
    steps.close()
    assert untouched()
    with pytest.raises(InputError):
        run(make_params(target=CLASSES[int(NETWORK.logits(picture()).argmax())]), NETWORK, picture())
    assert untouched()
