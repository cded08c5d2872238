import json
from typing import Any

import pytest
import torch
from torch import Tensor

from app.jobs.errors import InputError
from app.jobs.kinds.feature_visualization import FeatureVisualizationParams
from app.networks import LayerCard, NetworkCard
from models.network import Network
from tests.support.networks import make_classifier, silenced, stripes_network
from worker.checkpoints import from_bytes, to_bytes
from worker.steps import Compute, Outcome, State, Step, finish
from worker.synthesis.feature_visualization import feature_visualization

NETWORK = make_classifier()


def card_of(network: Network) -> NetworkCard:
    """The card of a network that is not in the catalogue."""
    return NetworkCard(
        name=network.name,
        title="",
        summary="",
        layers=[
            LayerCard(
                name=layer.name,
                kind=layer.kind,
                channels=layer.channels,
                stride=layer.stride,
                receptive_field=layer.receptive_field,
            )
            for layer in network.layers
        ],
        classes=list(network.classes),
        input_size=network.input_size,
        mean=(0.5, 0.5, 0.5),
        std=(0.25, 0.25, 0.25),
        parameters=1,
        source="",
        sha256="",
    )


def make_params(network: Network = NETWORK, **values: Any) -> FeatureVisualizationParams:
    """Params for a network without a card of its own, filled in as resolving does."""
    given = {"layer": "conv2", "channels": [0, 3], "size": 20, "steps": 6, "objective": "channel", **values}
    params = FeatureVisualizationParams.model_validate(given)
    return params.filled(card_of(network), params.units * len(params.sides) * params.variations)


def run(
    params: FeatureVisualizationParams, network: Network = NETWORK, resume: State | None = None
) -> tuple[Outcome, list[tuple[Step, Tensor, dict[str, float], State]]]:
    """The outcome, and of every step itself, its picture, its losses and its state."""
    seen: list[tuple[Step, Tensor, dict[str, float], State]] = []
    compute = Compute(torch.device("cpu"), network.dtype)
    outcome = finish(
        feature_visualization(params, {}, network, compute, resume),
        lambda step: seen.append((step, step.image(), step.losses(), step.state())),
    )
    return outcome, seen


def mean_of(outcome: Outcome, artifact: str, layer: str, channel: int, network: Network = NETWORK) -> float:
    return float(network.features(outcome.images[artifact], (layer,))[layer][0, channel].mean())


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
    steps = feature_visualization(make_params(), {}, NETWORK, Compute(torch.device("cpu")))
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
