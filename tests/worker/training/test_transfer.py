"""Transfer: features computed once, classifiers on them, and blocks that are tuned or frozen."""

import json
from collections.abc import Generator, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.datasets.split import Part
from models.architectures import build_stack
from models.network import Network
from models.registry import load_network
from models.trainable import plain_weights
from tests.support.networks import make_classifier
from worker.contract.steps import Step, StepState, run_steps
from worker.training import features as features_module
from worker.training.features import Features, collect_features
from worker.training.linear_heads import LinearHead
from worker.training.objectives import softmax
from worker.training.optimizers import OptimizerSettings, make_optimizer
from worker.training.transfer import (
    LabelledPictures,
    Learned,
    TransferSettings,
    early_layer,
    learn_from_features,
    new_model,
    rate_shares,
    transfer_report,
    tune,
)
from worker.understanding.codes import code_of

SIDE = 16
COLORS = ("red", "green", "blue")
NETWORK = make_classifier()


def colored(count: int = 30, classes: Sequence[str] = COLORS) -> LabelledPictures:
    """Noise on a color each, by turns; of each six rounds four are in training."""
    generator = torch.Generator().manual_seed(1)
    labels = torch.arange(count) % len(classes)
    squares = torch.rand(count, 3, SIDE, SIDE, generator=generator) * 0.6
    squares[torch.arange(count), labels % 3] += 0.4
    rounds: tuple[Part, ...] = ("train", "train", "train", "train", "validation", "test")
    parts = [rounds[place // len(classes) % 6] for place in range(count)]
    return LabelledPictures(lambda first, end: squares[first:end], labels, parts, classes)


def settings_of(**values: object) -> TransferSettings:
    return TransferSettings(**{"transfer": "head", "feature_layer": "pool2", **values})  # type: ignore[arg-type]


def learn(pictures: LabelledPictures, settings: TransferSettings, base: Network = NETWORK) -> Learned:
    return run_steps(learn_from_features(base, settings, pictures, softmax, len(pictures.parts)))


@pytest.mark.parametrize("layers", [["pool1", "pool2"], ["logits"]])
def test_features_are_those_of_each_picture_alone(layers: list[str]) -> None:
    pictures = colored()
    mirror = torch.arange(30) % 3 != 1
    made = run_steps(collect_features(NETWORK, layers, pictures.show, mirror, 30))
    for layer in layers:
        for place in range(30):
            alone = pictures.show(place, place + 1)
            with torch.no_grad():
                plain, flipped = (
                    code_of(NETWORK.features(each, [layer])[layer]) for each in (alone, alone.flip(3))
                )
            torch.testing.assert_close(made.plain[layer][place : place + 1], plain, rtol=1e-5, atol=1e-6)
            if mirror[place]:
                found = made.mirrored_of(layer, torch.tensor([place]))
                torch.testing.assert_close(found, flipped, rtol=1e-5, atol=1e-6)
        assert len(made.mirrored[layer]) == 20


def test_a_killed_job_goes_on_from_whole_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_module, "BATCH", 2)
    monkeypatch.setattr(features_module, "PART", 4)
    pictures = colored()
    seen: list[int] = []

    def show(first: int, end: int) -> Tensor:
        seen.extend(range(first, end))
        return pictures.show(first, end)

    def steps(
        resume: StepState | None = None, layers: Sequence[str] = ("pool2",)
    ) -> Generator[Step, None, Features]:
        return collect_features(NETWORK, layers, show, torch.arange(11) % 2 == 0, 6, resume)

    made: list[tuple[int, StepState]] = []
    whole = run_steps(steps(), lambda step: made.append((step.done, step.state())))
    # The side is that of the first.
    assert seen == [0, *range(11)]
    assert [done for done, _ in made] == [1, 2, 3, 4, 5, 6]
    for done, state in made:
        seen.clear()
        resumed = run_steps(steps(state))
        # Less than a part is computed again.
        assert seen == [0, *range(done // 2 * 4 if done < 6 else 11, 11)]
        assert torch.equal(resumed.plain["pool2"], whole.plain["pool2"])
        assert torch.equal(resumed.mirrored["pool2"], whole.mirrored["pool2"])
    seen.clear()
    run_steps(steps(whole.state, ("pool1", "pool2")))
    assert len(seen) == 12


@pytest.mark.parametrize("way", ["svm", "head"])
@pytest.mark.parametrize("flip", [False, True])
def test_the_network_says_what_the_classifier_says_of_cached_features(way: str, flip: bool) -> None:
    pictures, settings = colored(), settings_of(transfer=way, flip=flip)
    learned = learn(pictures, settings)
    model = new_model(NETWORK, "pool2", learned.fitted.head).eval()
    with torch.no_grad():
        logits = model(pictures.show(0, 30))
    torch.testing.assert_close(logits, learned.logits, rtol=1e-3, atol=1e-3)
    test = pictures.places("test")
    assert (logits[test].argmax(1) == pictures.labels[test]).all()


def test_mirror_images_are_learned_from() -> None:
    """Bars at the left are of one class, and at the right of another: mirrored they are both."""
    squares = torch.zeros(24, 3, SIDE, SIDE)
    labels = torch.arange(24) % 2
    squares[labels == 0, :, :, :4] = 1
    squares[labels == 1, :, :, -4:] = 1
    base = make_classifier()
    with torch.no_grad():
        # An edge with the light at its left is not one with the light at its right.
        conv = base.stack["conv1"]
        conv.weight[0] = torch.tensor([1.0, 0.0, -1.0]).expand(3, 3, 3)
        conv.weight[1] = -conv.weight[0]
    pictures = LabelledPictures(
        lambda first, end: squares[first:end], labels, ["train"] * 24, ("left", "right")
    )
    for flip in (False, True):
        learned = learn(pictures, settings_of(feature_layer="pool1", flip=flip), base)
        likely = learned.logits.softmax(1).gather(1, labels[:, None])
        assert (likely > 0.7).all() if not flip else ((likely - 0.5).abs() < 0.01).all()


def test_the_network_is_a_card_and_weights() -> None:
    base = load_network("palette")
    head = LinearHead(torch.randn(3, 128), torch.randn(3))
    model = new_model(base, "relu3_4", head).eval()
    weights = plain_weights(model)
    params = {"classes": 3, "features": "relu3_4"}
    stack = build_stack("palette", params)
    network = Network(
        "new",
        stack,
        mean=base.mean.flatten().tolist(),
        std=base.std.flatten().tolist(),
        source="a test",
        classes=COLORS,
    ).with_weights(weights)
    pictures = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        torch.testing.assert_close(network.logits(pictures), model(pictures), rtol=1e-5, atol=1e-5)
        means = base.features(pictures, ["relu3_4"])["relu3_4"].mean((2, 3))
    torch.testing.assert_close(network.logits(pictures), head(means), rtol=1e-4, atol=1e-4)
    assert torch.equal(weights["conv1_1.weight"], base.stack["conv1_1"].weight.contiguous())


def train_a_step(
    settings: TransferSettings, optimizer: str = "adamw"
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights before and after some steps with weight decay."""
    head = LinearHead(torch.randn(3, 8, generator=torch.Generator().manual_seed(0)), torch.zeros(3))
    model = new_model(NETWORK, "pool2", head).train()
    share = tune(model, rate_shares(NETWORK, settings))
    before = {name: each.clone() for name, each in model.state_dict().items()}
    made = make_optimizer(model, OptimizerSettings(optimizer, 0.01, weight_decay=0.1), share)  # type: ignore[arg-type]
    pictures = colored()
    for _ in range(2):
        made.zero_grad()
        logits = model(pictures.show(0, 6))
        F.cross_entropy(logits, pictures.labels[:6]).backward()
        made.step()
    return before, model.state_dict()


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_frozen_layers_do_not_change_by_a_bit(optimizer: str) -> None:
    before, after = train_a_step(settings_of(transfer="last", last_blocks=1), optimizer)
    for name in before:
        same = torch.equal(before[name], after[name])
        assert same == name.startswith("stack.conv1."), name


def test_all_layers_change_where_all_are_tuned() -> None:
    before, after = train_a_step(settings_of(transfer="all", rate_decay=0.5))
    assert not any(torch.equal(before[name], after[name]) for name in before)


def test_rates_fall_towards_the_picture() -> None:
    base = load_network("palette")
    shares = rate_shares(base, settings_of(transfer="all", feature_layer="pool5", rate_decay=0.5))
    assert shares["conv5_4"] == shares["conv5_1"] == 0.5
    assert shares["relu1_1"] == shares["conv1_1"] == 0.5**5
    last = rate_shares(base, settings_of(transfer="last", feature_layer="pool5", last_blocks=2))
    assert {layer for layer, share in last.items() if share and layer.startswith("conv")} == {
        f"conv{stage}_{place}" for stage in (4, 5) for place in (1, 2, 3, 4)
    }
    frozen = rate_shares(base, settings_of(transfer="head", feature_layer="pool5"))
    assert set(frozen.values()) == {0.0}


def test_nothing_runs_backward_through_frozen_layers() -> None:
    model = new_model(NETWORK, "pool2", LinearHead(torch.zeros(3, 8), torch.zeros(3)))
    tune(model, rate_shares(NETWORK, settings_of(transfer="last", last_blocks=1)))
    x = (torch.rand(1, 3, SIDE, SIDE) - model.mean) / model.std
    gradients = {}
    for name, module in model.stack.items():
        x = module(x)
        gradients[name] = x.requires_grad
    assert [name for name, needed in gradients.items() if not needed] == ["conv1", "relu1", "pool1"]


def test_layers_are_compared_on_the_validation_part() -> None:
    pictures = colored()
    learned = learn(pictures, settings_of(compare_layers=("conv1", "pool2")))
    assert [(row.layer, row.channels) for row in learned.layers] == [("conv1", 6), ("pool2", 8)]
    validation = pictures.places("validation")
    right = learned.logits[validation].argmax(1) == pictures.labels[validation]
    assert learned.layers[1].accuracy == float(right.float().mean())


def test_the_report_says_what_it_was_judged_by() -> None:
    pictures, settings = colored(), settings_of(transfer="svm", compare_layers=("conv1",))
    report = transfer_report(learn(pictures, settings), settings, pictures)
    suggested = report["suggestion"]
    assert suggested["transfer"] == "head"
    assert suggested["pictures_per_class"] == 8
    assert suggested["similarity"]["early_layer"] == early_layer(NETWORK, "pool2") == "pool1"
    assert suggested["similarity"]["last_layer"] == "pool2"
    assert report["compare_layers"][0]["layer"] == "conv1"
    chosen = [
        each for each in report["transfer"]["trials"] if each["strength"] == report["transfer"]["strength"]
    ]
    assert chosen[0]["accuracy"] == max(each["accuracy"] for each in report["transfer"]["trials"])
    json.dumps(report, allow_nan=False)


@pytest.mark.medium
def test_the_test_part_is_used_for_no_choice() -> None:
    pictures, settings = colored(), settings_of(compare_layers=("conv1",), flip=True)
    scrambled = pictures.labels.clone()
    scrambled[pictures.places("test")] = 0
    found = []
    for labels in (pictures.labels, scrambled):
        each = LabelledPictures(pictures.show, labels, pictures.parts, COLORS)
        learned = learn(each, settings)
        found.append((learned.fitted.head.weight.tolist(), transfer_report(learned, settings, each)))
    assert found[0] == found[1]
