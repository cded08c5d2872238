import json
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from app.errors import InputError
from app.kinds.feature_visualization import FeatureVisualizationParams, ResolvedFeatureVisualization
from models.network import Network
from tests.support.networks import card_of, make_classifier, silenced, stripes_network
from tests.worker.conftest import drawn
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, StepState, run_steps
from worker.runtime.checkpoints import from_bytes, to_bytes
from worker.synthesis.feature_visualization import feature_visualization

NETWORK = make_classifier()


def make_params(network: Network = NETWORK, **values: Any) -> ResolvedFeatureVisualization:
    """Params resolved for a network that is in no catalogue."""
    given = {"layer": "conv2", "channels": [0, 3], "size": 20, "steps": 6, "objective": "channel", **values}
    params = FeatureVisualizationParams.model_validate(given)
    resolved = params.resolved_as(ResolvedFeatureVisualization, params.maximization_values(card_of(network)))
    resolved.require_valid(resolved.units * len(resolved.sides) * resolved.variations)
    return resolved


def run(
    params: ResolvedFeatureVisualization,
    network: Network = NETWORK,
    resume: StepState | None = None,
    example: Tensor | None = None,
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], StepState]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    pictures = {} if example is None else {"image": [example]}
    seen: list[tuple[Step, Tensor, dict[str, float], StepState]] = []
    compute = Compute(torch.device("cpu"), network.dtype)
    outcome = run_steps(
        feature_visualization(params, Inputs.of(pictures), network, compute, resume),
        lambda step: seen.append((step, step.image(), step.losses(), step.state())),
    )
    return outcome, seen


def mean_of(outcome: Outcome, artifact: str, layer: str, channel: int, network: Network = NETWORK) -> float:
    return float(network.features(outcome.images[artifact], (layer,))[layer][0, channel].mean())


def make_example(network: Network = NETWORK, **values: Any) -> ResolvedFeatureVisualization:
    """Params of a caricature, filled in, if nothing else is asked for."""
    given = {"objective": "caricature", "layer": "relu2", "channels": None, "image": "given", **values}
    return make_params(network, **given)


def features_of(picture: Tensor, layer: str, network: Network = NETWORK) -> Tensor:
    return network.features(picture, (layer,))[layer]


def cosine(one: Tensor, other: Tensor) -> float:
    return float(cosine_similarity(one.flatten(), other.flatten(), dim=0))


def stripes(along: str) -> Tensor:
    """A picture (1, 3, 20, 20) of stripes of a period of 4 pixels, lying or standing."""
    wave = 0.5 + 0.5 * torch.cos(torch.pi / 2 * torch.arange(20.0))
    return (wave[:, None] if along == "lying" else wave[None, :]).expand(1, 3, 20, 20)


def test_a_run_from_step_to_outcome() -> None:
    outcome, seen = run(make_params(channels=[0, 3, 5], sign="both", variations=2, seed=7))

    assert [step.done for step, _, _, _ in seen] == list(range(1, 7))
    # A row for each channel: two seeds of one side, then of the other.
    assert {picture.shape for _, picture, _, _ in seen} == {(1, 3, 62, 83)}
    assert set(seen[0][2]) == {"objective", "total"}
    assert list(outcome.images) == ["image", *(f"image_{place}" for place in range(12))]
    reports = json.loads(json.dumps(outcome.result, allow_nan=False))["pictures"]
    assert [(each["unit"], each["side"], each["seed"]) for each in reports[:5]] == [
        ("conv2:0", "positive", 7),
        ("conv2:0", "positive", 8),
        ("conv2:0", "negative", 7),
        ("conv2:0", "negative", 8),
        ("conv2:3", "positive", 7),
    ]
    for report in reports:
        channel = int(report["unit"][-1])
        sign = 1 if report["side"] == "positive" else -1
        value = mean_of(outcome, report["artifact"], "conv2", channel)
        assert report["objective"]["end"] == pytest.approx(sign * value, abs=1e-5)


@pytest.mark.medium
@pytest.mark.parametrize("preset", ["lucid", "simonyan-2014", "yosinski-2015"])
def test_both_sides_go_beyond_any_random_picture(preset: str) -> None:
    params = make_params(preset=preset, channels=list(range(8)), sign="both", steps=80, l2_weight=0.0)
    outcome, _ = run(params)

    random = torch.rand(400, 3, 20, 20, generator=torch.Generator().manual_seed(1))
    means = NETWORK.features(random, ("conv2",))["conv2"].mean((2, 3))
    for report in outcome.result["pictures"]:
        channel = int(report["unit"][-1])
        best = means[:, channel].max() if report["side"] == "positive" else -means[:, channel].min()
        assert report["objective"]["end"] > float(best)
        assert report["objective"]["end"] > report["objective"]["start"] + 0.1


def test_a_neuron_moves_only_what_it_sees() -> None:
    params = make_params(
        preset="simonyan-2014", objective="neuron", channels=[2], size=40, steps=10, l2_weight=0.0
    )
    outcome, _ = run(params)

    changed = (outcome.images["image"] - NETWORK.mean).abs().sum(1)[0] > 0
    # The middle of 20 positions is the eleventh; it sees 8 pixels from the 20th on, less one of the padding.
    rows, columns = changed.any(1).nonzero().flatten(), changed.any(0).nonzero().flatten()
    receptive_field = next(layer.receptive_field for layer in NETWORK.layers if layer.name == "conv2")
    for span in (rows, columns):
        assert 3 <= int(span[-1] - span[0]) + 1 <= receptive_field
        assert 15 <= int(span[0]) <= int(span[-1]) <= 27
    assert outcome.result["pictures"][0]["unit"] == "conv2:2:neuron"


def test_a_relu_is_looked_at_before_it_is_silent() -> None:
    weights = {name: each.clone() for name, each in NETWORK.stack.state_dict().items()}
    weights["conv2.bias"][3] = -3
    network = NETWORK.with_weights(weights)
    params = make_params(layer="relu2", channels=[3], steps=80, step_size=0.1)
    outcome, _ = run(params, network)

    (report,) = outcome.result["pictures"]
    assert report["unit"] == "relu2:3"
    assert report["objective"]["start"] < -2
    assert report["objective"]["end"] > report["objective"]["start"] + 0.5
    assert float(network.features(outcome.images["image"], ("relu2",))["relu2"][0, 3].max()) > 0


def test_a_whole_layer() -> None:
    params = make_params(objective="layer", channels=None, layer="relu2", steps=30, step_size=0.1)
    outcome, _ = run(params)

    (report,) = outcome.result["pictures"]
    energy = NETWORK.features(outcome.images["image"], ("relu2",))["relu2"].square().mean()
    assert list(outcome.images) == ["image"]
    assert report["unit"] == "relu2"
    assert report["objective"]["end"] == pytest.approx(float(energy), rel=1e-4)
    assert report["objective"]["end"] > 2 * report["objective"]["start"]


def test_a_sum_of_units() -> None:
    network = stripes_network()
    params = make_params(
        network,
        layer=None,
        channels=None,
        objective=None,
        terms={"conv1:0": 1, "relu1:1": 1, "logits:2": -0.05, "relu1": 0},
        steps=60,
    )
    outcome, _ = run(params, network)

    (report,) = outcome.result["pictures"]
    assert report["unit"] == "1 conv1:0 + 1 relu1:1 + -0.05 logits:2"
    found = network.features(outcome.images["image"], ("conv1", "logits"))
    # A ReLU's channel is that of the convolution before it.
    value = found["conv1"][0, :2].mean((1, 2)).sum() - 0.05 * found["logits"][0, 2]
    assert report["objective"]["end"] == pytest.approx(float(value), abs=1e-5)
    assert report["objective"]["end"] > 1.5 * report["objective"]["start"]


@pytest.mark.medium
def test_diversity_makes_the_variations_differ() -> None:
    def likeness(weight: float) -> float:
        params = make_params(channels=[1, 4], variations=3, diversity=weight, steps=60, step_size=0.1)
        outcome, seen = run(params)
        assert set(seen[0][2]) == {"objective", "total"}
        features = NETWORK.features(
            torch.cat([outcome.images[f"image_{place}"] for place in range(6)]), ("conv2",)
        )["conv2"].flatten(2)
        grams = torch.einsum("nap,nbp->nab", features, features).flatten(1)
        units = torch.nn.functional.normalize(grams, dim=1)
        return (
            float(sum((units[a] * units[b]).sum() for a, b in [(0, 1), (0, 2), (1, 2), (3, 4), (4, 5)])) / 5
        )

    assert likeness(10.0) < likeness(0.0) - 0.05


@pytest.mark.medium
@pytest.mark.parametrize(
    ("layer", "preset"), [("relu2", "lucid"), ("conv2", "maco"), ("relu2", "simonyan-2014")]
)
def test_a_caricature_is_like_its_example_and_like_no_other(layer: str, preset: str) -> None:
    # Cut out of the middle, and none of it is resized.
    examples = [drawn(20, 32, seed) for seed in (1, 2)]
    wanted = [features_of(example[..., 6:26], layer) for example in examples]
    grey = features_of(NETWORK.mean.expand(1, 3, 20, 20), layer)
    # What lucid sees of so small a picture moves too far for features to stay in their places.
    transforms = {"pad": 2, "jitter": 2} if preset == "lucid" else None
    params = make_example(layer=layer, preset=preset, transforms=transforms, steps=100, l2_weight=0.0)

    for place in (0, 1):
        outcome, _ = run(params, example=examples[place])
        (report,) = outcome.result["pictures"]
        found = features_of(outcome.images["image"], layer)
        assert report["unit"] == layer
        assert report["cosine"] == pytest.approx(cosine(found, wanted[place]), abs=1e-5)
        assert report["cosine"] > cosine(found, wanted[1 - place]) + 0.1
        assert report["cosine"] > cosine(grey, wanted[place]) + 0.1
        assert report["objective"]["end"] > report["objective"]["start"] + 0.1


def test_a_caricature_starts_where_its_relu_is_silent() -> None:
    network = stripes_network()
    weights = {name: each.clone() for name, each in network.stack.state_dict().items()}
    weights["conv1.bias"].fill_(-0.1)
    network = network.with_weights(weights)
    params = make_example(network, layer="relu1", preset="simonyan-2014", steps=40, l2_weight=0.0)
    assert not features_of(network.mean.expand(1, 3, 20, 20), "relu1", network).any()

    outcome, _ = run(params, network, example=stripes("standing"))

    wanted = features_of(stripes("standing"), "relu1", network)
    assert cosine(features_of(outcome.images["image"], "relu1", network), wanted) > 0.8


@pytest.mark.medium
def test_a_direction_by_hand() -> None:
    network = stripes_network()
    params = make_example(network, objective="direction", layer="conv1", sign="both", steps=60)
    outcome, _ = run(params, network, example=stripes("standing"))

    mean = features_of(stripes("standing"), "conv1", network).mean((0, 2, 3))
    for report, sign in zip(outcome.result["pictures"], (1, -1), strict=True):
        found = features_of(outcome.images[report["artifact"]], "conv1", network)[0].flatten(1).T
        along = found @ mean / mean.norm()
        value = sign * float((along * (along / found.norm(dim=1)).clamp_min(0.1)).mean())
        assert report["objective"]["end"] == pytest.approx(value, abs=1e-5)
        assert report["objective"]["end"] > report["objective"]["start"]
        assert report["cosine"] == pytest.approx(cosine(found.mean(0), mean), abs=1e-5)


@pytest.mark.medium
def test_a_direction_is_what_there_is_and_not_where() -> None:
    network = stripes_network()
    params = make_example(
        network, objective="direction", layer="relu1", steps=100, variations=2, step_size=0.1
    )
    for place, along in enumerate(("lying", "standing")):
        outcome, _ = run(params, network, example=stripes(along))
        for report in outcome.result["pictures"]:
            found = features_of(outcome.images[report["artifact"]], "relu1", network).mean((0, 2, 3))
            assert int(found.argmax()) == place
            assert found[place] > 1.5 * found[1 - place]
            assert report["cosine"] > 0.9


@pytest.mark.parametrize("objective", ["caricature", "direction"])
def test_a_layer_that_sees_all_at_once_has_an_example_too(objective: str) -> None:
    params = make_example(objective=objective, layer="logits", steps=60)
    outcome, _ = run(params, example=drawn(40, 30, 1))

    (report,) = outcome.result["pictures"]
    assert report["cosine"] > 0.9
    assert report["objective"]["end"] > report["objective"]["start"]


@pytest.mark.parametrize("objective", ["caricature", "direction"])
def test_an_example_that_excites_nothing_is_refused(objective: str) -> None:
    network = NETWORK
    for channel in range(8):
        network = silenced(network, "conv2", channel)

    with pytest.raises(InputError, match="The features of relu2 are all 0") as caught:
        run(make_example(objective=objective), network, example=drawn(20, 20, 1))
    assert caught.value.field == "image"


@pytest.mark.parametrize("values", [{}, {"objective": "channel", "channels": [0], "image": None}])
def test_grey_around_a_picture_does_not_make_it_large_enough(values: dict[str, Any]) -> None:
    stack = {"conv1": torch.nn.Conv2d(3, 4, 1), "pool1": torch.nn.AvgPool2d(24)}
    network = Network("coarse", stack, mean=(0.5,) * 3, std=(1.0,) * 3, source="a test")
    params = make_example(network, layer="pool1", size=20, transforms={"pad": 12}, **values)

    with pytest.raises(InputError, match="the smallest size that works is 24") as caught:
        run(params, network, example=drawn(20, 20, 1))
    assert caught.value.field == "size"


def test_a_batch_is_as_many_single_runs() -> None:
    network = make_classifier(torch.float64)
    together, _ = run(make_params(channels=[0, 3], sign="both"), network)
    for place, (channel, sign) in enumerate(
        [(0, "positive"), (0, "negative"), (3, "positive"), (3, "negative")]
    ):
        alone, _ = run(make_params(channels=[channel], sign=sign), network)
        difference = alone.images["image"] - together.images[f"image_{place}"]
        assert float(difference.abs().max()) < 1e-4


@pytest.mark.parametrize("after", [1, 3, 6])
def test_resume_gives_the_same_pictures(after: int) -> None:
    params = make_params(sign="both", variations=2, diversity=1.0)
    whole, seen = run(params)

    outcome, rest = run(params, resume=from_bytes(to_bytes(seen[after - 1][3])))

    assert [step.done for step, _, _, _ in rest] == list(range(after + 1, 7))
    for name, picture in whole.images.items():
        assert torch.equal(outcome.images[name], picture), name
    assert outcome.result == whole.result


@pytest.mark.parametrize(
    "values",
    [{"diversity": 1.0}, {"objective": "direction", "layer": "conv2", "sign": "both", "preset": "maco"}],
)
def test_resume_gives_the_same_pictures_of_an_example(values: dict[str, Any]) -> None:
    params = make_example(variations=2, **values)
    whole, seen = run(params, example=drawn(30, 40, 1))

    outcome, _ = run(params, resume=from_bytes(to_bytes(seen[2][3])), example=drawn(30, 40, 1))

    for name, picture in whole.images.items():
        assert torch.equal(outcome.images[name], picture), name
    assert outcome.result == whole.result


def test_the_seed_decides_and_nothing_else() -> None:
    torch.manual_seed(1)
    first, _ = run(make_params(seed=1))
    torch.manual_seed(2)
    second, _ = run(make_params(seed=1))
    other, _ = run(make_params(seed=2))

    assert torch.equal(first.images["image"], second.images["image"])
    assert not torch.equal(first.images["image"], other.images["image"])


def test_dead_channels_are_named() -> None:
    network = silenced(silenced(NETWORK, "conv2", 3), "conv2", 6)

    with pytest.raises(InputError, match=r"Dead: channel 3 of relu2, channel 6 of relu2\.") as caught:
        run(make_params(layer="relu2", channels=list(range(8)), variations=2), network)
    assert caught.value.field == "channels"


def test_nothing_is_left_on_the_network() -> None:
    def untouched() -> bool:
        return not NETWORK.training and all(
            not each.requires_grad and each.grad is None for each in NETWORK.parameters()
        )

    run(make_params())
    assert untouched()
    steps = feature_visualization(make_params(), Inputs(), NETWORK, Compute(torch.device("cpu")))
    next(steps)
    steps.close()
    assert untouched()


def test_the_order_of_names_in_params_is_none() -> None:
    transforms = {"pad": 2.0, "jitter": 3.0, "scale": 0.1, "rotate": 10.0, "noise": 0.01}
    one, other = (
        run(make_params(transforms=dict(items)))[0].images["image"]
        for items in (transforms.items(), sorted(transforms.items()))
    )

    assert torch.equal(one, other)
