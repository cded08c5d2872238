"""Training as a job: what is learned from what, and what becomes of it."""

import hashlib
from typing import Any

import pytest
import torch
from torch import Tensor

from app.datasets.split import Part
from app.errors import ComputationError, InputError
from app.jobs.params import parse_params
from app.kinds.train import ResolvedFrozen, ResolvedTraining
from app.kinds.training_presets import PRESETS
from app.networks.catalogue import SHIPPED
from models.registry import build_network
from tests.support.learning import (
    CPU,
    colored,
    damaged,
    inputs_of,
    interrupted,
    members_of,
    resolved,
    run_training,
    weights_of,
)
from worker.contract.steps import Outcome, Step
from worker.networks.loading import NetworkLoader, cards_for, network_for
from worker.training import fitting
from worker.training.learning_set import decode_set, in_order
from worker.training.pictures import decoded_side
from worker.understanding.sets import Damage

pytestmark = pytest.mark.medium


def assert_same(one: Outcome, other: Outcome) -> None:
    assert one.result == other.result
    first, second = weights_of(one), weights_of(other)
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert torch.equal(weight, second[name]), name


def noise(count: int, classes: int) -> list[tuple[Tensor, str]]:
    """Pictures without any order, so that they can only be learned by heart."""
    generator = torch.Generator().manual_seed(3)
    return [(torch.rand(1, 3, 16, 16, generator=generator), f"c{place % classes}") for place in range(count)]


@pytest.mark.medium
def test_it_learns_20_pictures_by_heart() -> None:
    members = members_of(noise(20, 4), ["train"] * 20)
    params = resolved(architecture="cnn", size=14, epochs=30, batch_size=10, label_smoothing=0, average=0)
    outcome = run_training(params, inputs_of(members))
    assert outcome.result["part"] == "train"
    assert outcome.result["history"][-1]["accuracy"] == 1.0
    assert outcome.result["per_class"][0]["f1"] == 1.0
    assert (outcome.result["val_accuracy"], outcome.result["test_accuracy"]) == (None, None)
    # Nothing was there to choose an epoch, or a temperature, by.
    assert outcome.result["best_epoch"] is None
    assert outcome.network is not None
    assert outcome.network.card.temperature is None


COURSES: dict[str, dict[str, Any]] = {
    "sgd, average, plateau": {"schedule": "plateau", "plateau_patience": 1, "average": 0.9, "min_delta": 0.2},
    "adam, norms, mixup": {"architecture": "cnn", "optimizer": "adam", "mixup": 0.4, "cutmix": 0.5},
    "muon, crops": {"architecture": "cnn", "optimizer": "muon", "crop": 0.6, "color": 0.2, "flip": True},
    "triplet, attack-free": {"objective": "triplet", "embedding": 4, "optimizer": "adamw"},
    "dropout": {"architecture": "mlp", "architecture_params": {"dropout": 0.5}},
    "rate found first": {"find_learning_rate": True},
    "attack, L1": {"attack": 0.5, "l1": 1e-3},
    "restarts": {"restarts": 2},
    "folds": {"folds": 2, "restarts": 2},
    "search": {"search": {"learning_rate": [0.1, 0.01], "size": [8, 10]}},
}


@pytest.mark.medium
@pytest.mark.parametrize("name", COURSES)
def test_resumed_is_uninterrupted(name: str) -> None:
    params = resolved(**COURSES[name])
    inputs = inputs_of(members_of(colored(30)))
    count = 0

    def on_step(step: Step) -> None:
        nonlocal count
        count += 1

    whole = run_training(params, inputs, on_step=on_step)
    # While it decodes, at the begin and the end of epochs, and where the last run has ended.
    for after in sorted({1, 4, count // 2, count}):
        state = interrupted(params, inputs, after)
        assert_same(whole, run_training(params, inputs, state))


TRANSFERS: dict[str, dict[str, Any]] = {
    "head, folds": {"preset": "quick", "folds": 2},
    "last, triplet": {"preset": "fine-tune", "transfer": "last", "epochs": 1, "objective": "triplet"},
    "all": {"preset": "fine-tune", "epochs": 1, "average": 0.9},
}


@pytest.mark.slow
@pytest.mark.parametrize("name", TRANSFERS)
def test_a_resumed_transfer_is_uninterrupted(name: str) -> None:
    params = parse_params(
        "train", {"dataset": "digits", "base": "palette", "size": 32, **TRANSFERS[name]}, SHIPPED
    )
    assert isinstance(params, ResolvedTraining | ResolvedFrozen)
    loader = NetworkLoader()
    inputs = inputs_of(members_of(colored(14, 2)))
    inputs.cards = cards_for(params, loader)
    network = network_for(params, CPU, loader)
    count = 0

    def on_step(step: Step) -> None:
        nonlocal count
        count += 1

    whole = run_training(params, inputs, on_step=on_step, network=network)
    for after in {2, count // 2 + 1, count - 1}:
        state = interrupted(params, inputs, after, network=network)
        assert_same(whole, run_training(params, inputs, state, network=network))
    assert whole.network is not None
    assert whole.network.card.training is not None
    assert whole.network.card.training.base == "palette"
    assert build_network(whole.network.card, whole.network.weights).input_size == 32


@pytest.mark.medium
def test_progress_never_goes_back() -> None:
    params = resolved(restarts=2, patience=1, min_delta=1, epochs=4)
    inputs = inputs_of(members_of(colored(70)))
    for after in (1, 3, 12):
        state = interrupted(params, inputs, after)
        steps: list[Step] = []
        run_training(params, inputs, state, on_step=steps.append)
        done = [step.done for step in steps]
        assert done == sorted(done)
        assert done[0] >= state.values["shown"]
        assert all(step.done <= step.total for step in steps)
        assert steps[-1].done == steps[-1].total
        assert "validation.accuracy" in steps[-1].losses()


def seen_hashes(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Filled with the hashes of the pictures that are learned from."""
    seen: set[str] = set()

    def watched(pictures: Tensor, *given: Any) -> Tensor:
        seen.update(hashlib.sha256(each.numpy().tobytes()).hexdigest() for each in pictures)
        return original(pictures, *given)

    original = fitting.augment
    monkeypatch.setattr(fitting, "augment", watched)
    return seen


@pytest.mark.parametrize("several", [{}, {"folds": 3}, {"restarts": 2}])
def test_no_test_picture_is_learned_from(several: dict[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    members = members_of(colored(40))
    seen = seen_hashes(monkeypatch)
    run_training(resolved(crop=0.5, **several), inputs_of(members))
    decoding = decode_set(members, 8, Damage(members), CPU.device)
    while True:
        try:
            next(decoding)
        except StopIteration as stop:
            data = stop.value
            break

    def hashes(part: Part) -> set[str]:
        squares = data.pictures.take(data.places(part))
        return {hashlib.sha256(each.numpy().tobytes()).hexdigest() for each in squares}

    assert decoded_side(8) == 9
    assert len(hashes("test")) == 6
    assert not seen & hashes("test")
    assert hashes("train") <= seen
    # Those of other folds are learned from.
    assert bool(seen & hashes("validation")) == ("folds" in several)


def test_the_network_is_what_was_trained() -> None:
    """Its batch norms are folded, and its accuracies are those that the training reports."""
    members = members_of(colored(60))
    outcome = run_training(resolved(architecture="cnn", epochs=3), inputs_of(members))
    made = outcome.network
    assert made is not None
    network = build_network(made.card, made.weights)
    assert made.card.name == "tests-cnn"
    assert made.card.classes == ["c000", "c001", "c002"]
    assert made.card.input_size == 8
    assert network.temperature == outcome.result["calibration"]["temperature"]
    best = outcome.result["history"][outcome.result["best_epoch"] - 1]
    assert outcome.result["val_accuracy"] == pytest.approx(best["validation_accuracy"])
    right = [
        network.classes[int(network.logits(picture[..., :8, :8]).argmax())] == label
        for picture, label in colored(60)
    ]
    assert sum(right) / 60 > 0.9
    training = made.card.training
    assert training is not None
    assert training.split == {"train": 42, "validation": 9, "test": 9}
    assert training.balance == {"c000": 14, "c001": 14, "c002": 14}
    assert training.dataset == "tests"
    assert len(training.history) == 3
    assert training.params["learning_rate"] == PRESETS["from-scratch"].learning_rate


def test_an_epoch_is_chosen_by_the_validation_part() -> None:
    """With a rate that is far too high the measures jump about."""
    params = resolved(learning_rate=30, schedule="constant", epochs=6, average=0, metric="loss")
    outcome = run_training(params, inputs_of(members_of(colored(40))))
    losses = [row["validation_loss"] for row in outcome.result["history"]]
    assert outcome.result["best_epoch"] == 1 + losses.index(min(losses))
    assert losses[-1] > min(losses)


def test_reading_is_a_small_part_of_the_steps() -> None:
    steps: list[Step] = []
    params = resolved(epochs=3)
    run_training(params, inputs_of(members_of(colored(70))), on_step=steps.append)
    # 70 pictures are read in 3 chunks, and 50 of them are learned from in 7 batches; the report is the last.
    assert {step.total for step in steps} == {3 + 3 * 7 + 1}
    assert [step.done for step in steps] == list(range(1, 26))


def test_few_pictures_are_shown_until_there_are_steps_enough() -> None:
    # 21 pictures to learn from are three batches.
    inputs = inputs_of(members_of(colored(30)))
    for least, epochs in ((0, 2), (6, 2), (7, 3), (10, 4)):
        outcome = run_training(resolved(least_steps=least), inputs)
        assert outcome.result["epochs"] == epochs


def test_patience_ends_it() -> None:
    params = resolved(epochs=50, patience=2, min_delta=1)
    outcome = run_training(params, inputs_of(members_of(colored(30))))
    # The first is progress, and no epoch can be better by 1.
    assert outcome.result["epochs"] == 3


@pytest.mark.parametrize("after", [1, 3, 6])
def test_finished_early_it_keeps_the_best(after: int) -> None:
    params = resolved(epochs=50, restarts=3)
    steps: list[Step] = []

    def on_step(step: Step) -> None:
        steps.append(step)
        if len(steps) == after:
            assert step.finish is not None
            step.finish()

    outcome = run_training(params, inputs_of(members_of(colored(30))), on_step=on_step)
    assert outcome.network is not None
    assert outcome.result["ended_early"]
    assert outcome.result["runs"] == []
    assert 1 <= outcome.result["epochs"] <= 3
    assert steps[-1].done == steps[-1].total
    assert len(steps) <= after + 2


@pytest.mark.medium
def test_a_class_of_one_picture() -> None:
    pictures = [*colored(20, 2), (torch.zeros(1, 3, 9, 9), "rare")]
    for several in ({}, {"folds": 2}):
        outcome = run_training(resolved(**several), inputs_of(members_of(pictures)))
        assert outcome.result["classes"] == ["c000", "c001", "rare"]
        (rare,) = [row for row in outcome.result["per_class"] if row["class"] == "rare"]
        assert rare["support"] == 0


def test_two_pictures_in_all() -> None:
    outcome = run_training(resolved(architecture="cnn", epochs=3), inputs_of(members_of(colored(2, 2))))
    assert outcome.result["split"] == {"train": 2, "validation": 0, "test": 0}
    assert outcome.network is not None


@pytest.mark.medium
def test_1000_classes() -> None:
    generator = torch.Generator().manual_seed(0)
    pictures = [(torch.rand(1, 3, 9, 9, generator=generator), f"c{place // 2}") for place in range(2000)]
    outcome = run_training(resolved(epochs=1, batch_size=256), inputs_of(members_of(pictures)))
    assert len(outcome.result["classes"]) == 1000
    assert outcome.network is not None
    assert len(outcome.network.card.classes) == 1000


def test_damaged_pictures_are_left_out_and_named() -> None:
    members = members_of(colored(40))
    broken = [damaged(each) if place in (3, 17) else each for place, each in enumerate(members)]
    outcome = run_training(resolved(), inputs_of(broken))
    assert outcome.result["damaged"]["count"] == 2
    assert outcome.result["damaged"]["pictures"][0] == {"name": "0003.png", "error": "0003.png is damaged"}
    assert sum(outcome.result["split"].values()) == 38


def refusal(members: list[Any], **params: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        run_training(resolved(**params), inputs_of(members))
    return caught.value


def test_what_cannot_be_learned_is_refused() -> None:
    one = refusal(members_of(colored(10, 1)))
    assert (one.field, "'c000'" in one.detail) == ("dataset", True)
    unlabelled = refusal(members_of([(picture, None) for picture, _ in colored(4)]))
    assert (unlabelled.field, "label" in unlabelled.detail) == ("dataset", True)
    members = members_of(colored(6, 2))
    broken = refusal([damaged(each) for each in members])
    assert (broken.field, "decoded: 0000.png is damaged" in broken.detail) == ("dataset", True)
    half = refusal([damaged(each) if each.label == "c001" else each for each in members])
    assert half.field == "dataset"
    few = refusal(members_of(colored(6, 2)), folds=20)
    assert few.field == "folds"


def test_a_loss_that_is_not_finite_says_so() -> None:
    params = resolved(
        optimizer="sgd",
        learning_rate=100,
        architecture="cnn",
        batch_norm=False,
        epochs=30,
        objective="quadratic",
    )
    with pytest.raises(ComputationError, match="Try a lower learning rate"):
        run_training(params, inputs_of(members_of(colored(40))))


def test_classes_are_in_order() -> None:
    assert in_order({"10", "9", "2"}) == ("2", "9", "10")
    assert in_order({"b", "10", "a"}) == ("10", "a", "b")
