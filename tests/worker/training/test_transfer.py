"""Transfer: features computed once, classifiers on them, and blocks that are tuned or frozen."""

from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from app.datasets.split import Part
from app.errors import InputError
from models.architectures import build_stack
from models.network import Network
from models.registry import load_network
from models.trainable import plain_weights
from tests.support.networks import make_classifier
from worker.contract.steps import Step, StepState, run_steps
from worker.training import features as features_module
from worker.training.features import collect_features
from worker.training.linear_heads import LinearHead
from worker.training.objectives import softmax
from worker.training.optimizers import OptimizerSettings, make_optimizer
from worker.training.transfer import (
    LabelledPictures,
    TransferSettings,
    compare_layers,
    early_layer,
    features_for,
    learn_head,
    new_model,
    rate_shares,
    suggestion,
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
    place = torch.arange(count) // len(classes) % 6
    places: dict[Part, Tensor] = {
        "train": (place < 4).nonzero()[:, 0],
        "validation": (place == 4).nonzero()[:, 0],
        "test": (place == 5).nonzero()[:, 0],
    }
    return LabelledPictures(lambda some: squares[some], places, labels, classes)


def settings_of(**values: object) -> TransferSettings:
    return TransferSettings(**{"transfer": "head", "feature_layer": "pool2", **values})  # type: ignore[arg-type]


@pytest.mark.parametrize("layers", [["pool1", "pool2"], ["logits"]])
def test_features_are_those_of_each_picture_alone(layers: list[str]) -> None:
    pictures = colored()
    places = torch.tensor([7, 2, 29, 0, 11])
    mirrored = torch.tensor([True, False, True, False, False])
    made = run_steps(collect_features(NETWORK, layers, pictures.view, places, mirrored, 5))
    for layer in layers:
        for place in places.tolist():
            with torch.no_grad():
                alone = code_of(NETWORK.features(pictures.view(torch.tensor([place])), [layer])[layer])
            torch.testing.assert_close(made.of(layer, torch.tensor([place])), alone, rtol=1e-5, atol=1e-6)
        with torch.no_grad():
            flipped = NETWORK.features(pictures.view(torch.tensor([29, 7])).flip(3), [layer])[layer]
        both = made.mirrored_of(layer, torch.tensor([29, 7]))
        torch.testing.assert_close(both, code_of(flipped), rtol=1e-5, atol=1e-6)


def test_a_killed_job_goes_on_from_whole_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_module, "BATCH", 2)
    monkeypatch.setattr(features_module, "PART", 4)
    pictures = colored()
    places = torch.arange(11)
    seen: list[int] = []

    def view(some: Tensor) -> Tensor:
        seen.extend(some.tolist())
        return pictures.view(some)

    def steps(resume: StepState | None = None):  # type: ignore[no-untyped-def]
        return collect_features(NETWORK, ["pool2"], view, places, places % 2 == 0, 11, resume)

    whole = run_steps(steps())
    assert seen == places.tolist()
    states: list[StepState] = []
    done: list[int] = []

    def keep(step: Step) -> None:
        states.append(step.state())
        done.append(step.done)

    run_steps(steps(), keep)
    assert done == [2, 4, 6, 8, 10, 11]
    for at, state in zip(done, states, strict=True):
        seen.clear()
        resumed = run_steps(steps(state))
        # What it computes again are less than a part.
        assert seen == places[at // 4 * 4 if at < 11 else 11 :].tolist()
        assert torch.equal(resumed.of("pool2", places), whole.of("pool2", places))
        assert torch.equal(resumed.mirrored["pool2"], whole.mirrored["pool2"])


@pytest.mark.parametrize("way", ["svm", "head"])
@pytest.mark.parametrize("flip", [False, True])
def test_the_network_says_what_the_classifier_says_of_cached_features(way: str, flip: bool) -> None:
    pictures, settings = colored(), settings_of(transfer=way, flip=flip)
    features = run_steps(features_for(NETWORK, settings, pictures, 30))
    fitted = run_steps(learn_head(features, "pool2", settings, pictures, softmax))
    model = new_model(NETWORK, "pool2", fitted.head).eval()
    every = torch.arange(30)
    with torch.no_grad():
        logits = model(pictures.view(every))
    torch.testing.assert_close(logits, fitted.head(features.of("pool2", every)), rtol=1e-3, atol=1e-3)
    test = pictures.of("test")
    assert (logits[test].argmax(1) == pictures.labels[test]).all()


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
        logits = model(pictures.view(torch.arange(6)))
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
    settings = settings_of(compare_layers=("conv1", "pool2"))
    features = run_steps(features_for(NETWORK, settings, pictures, 30))
    rows = run_steps(compare_layers(features, settings, pictures, softmax))
    assert [(row.layer, row.channels) for row in rows] == [("conv1", 6), ("pool2", 8)]
    validation = pictures.of("validation")
    fitted = run_steps(learn_head(features, "pool2", settings, pictures, softmax))
    right = fitted.head(features.of("pool2", validation)).argmax(1) == pictures.labels[validation]
    assert rows[1].accuracy == float(right.float().mean())


def test_the_suggestion_says_what_it_was_judged_by() -> None:
    pictures, settings = colored(), settings_of()
    features = run_steps(features_for(NETWORK, settings, pictures, 30))
    found = suggestion(NETWORK, features, settings, pictures, [])
    assert found["pictures_per_class"] == 8
    assert found["similarity"]["early_layer"] == early_layer(NETWORK, "pool2") == "pool1"
    assert found["similarity"]["last_layer"] == "pool2"
    assert found["transfer"] == "head"


def test_the_test_part_is_used_for_no_choice() -> None:
    pictures, settings = colored(), settings_of(compare_layers=("conv1",))
    scrambled = pictures.labels.clone()
    scrambled[pictures.of("test")] = 0
    found = []
    for labels in (pictures.labels, scrambled):
        each = LabelledPictures(pictures.view, pictures.places, labels, COLORS)
        features = run_steps(features_for(NETWORK, settings, each, 30))
        fitted = run_steps(learn_head(features, "pool2", settings, each, softmax))
        rows = run_steps(compare_layers(features, settings, each, softmax))
        found.append(
            (
                fitted.best,
                fitted.head.weight.tolist(),
                rows,
                suggestion(NETWORK, features, settings, each, rows),
            )
        )
    assert found[0] == found[1]


def test_a_class_without_a_picture_to_learn_from_is_refused() -> None:
    pictures = colored()
    lacking = LabelledPictures(pictures.view, pictures.places, pictures.labels, (*COLORS, "grey"))
    with pytest.raises(InputError, match="'grey' has no picture to learn from") as caught:
        run_steps(features_for(NETWORK, settings_of(), lacking, 30))
    assert caught.value.field == "dataset"
    with pytest.raises(InputError, match="two classes"):
        run_steps(features_for(NETWORK, settings_of(), colored(classes=("red",)), 30))
