"""Transfer as a job: from a base and a set to a network that can be a base again."""

from typing import Any

import pytest
import torch
from torch import Tensor

from app.jobs.params import parse_params
from app.kinds.train import ResolvedFrozen, ResolvedTraining
from app.networks.catalogue import SHIPPED, get_card
from models.network import Network
from models.registry import build_network, load_network
from tests.support.learning import colored, inputs_of, interrupted, members_of, run_training
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step
from worker.training import features as features_module

pytestmark = pytest.mark.medium

BASE = load_network("palette")
SIDE = 16

WAYS: dict[str, dict[str, Any]] = {
    "svm": {"preset": "quick", "transfer": "svm", "feature_layer": "relu3_1"},
    "head": {"preset": "quick", "feature_layer": "pool3", "compare_layers": ["relu1_1", "relu2_1"]},
    "head, folds": {"preset": "quick", "feature_layer": "relu2_1", "folds": 2},
    "last": {"preset": "fine-tune", "transfer": "last", "feature_layer": "pool3", "last_blocks": 1},
    "all": {"preset": "fine-tune", "feature_layer": "pool3", "rate_decay": 0.5},
    "triplet": {"preset": "fine-tune", "feature_layer": "relu2_1", "objective": "triplet", "embedding": 4},
}


def resolved(**params: Any) -> ResolvedTraining | ResolvedFrozen:
    given = {"dataset": "digits", "base": "palette", "size": SIDE, **params}
    if params["preset"] == "fine-tune":
        given |= {"epochs": 2, "batch_size": 5}
    made = parse_params("train", given, SHIPPED)
    assert isinstance(made, ResolvedTraining | ResolvedFrozen)
    return made


def inputs(count: int = 30) -> Inputs:
    """Pictures in three colors, enlarged, of which the base knows nothing."""
    found = inputs_of(members_of(colored(count)))
    found.cards = {"palette": get_card("palette")}
    return found


def learn(params: ResolvedTraining | ResolvedFrozen, **given: Any) -> Outcome:
    return run_training(params, inputs(), network=BASE, **given)


def weights_of(outcome: Outcome) -> dict[str, Tensor]:
    assert outcome.network is not None
    return dict(outcome.network.weights)


def network_of(outcome: Outcome) -> Network:
    assert outcome.network is not None
    return build_network(outcome.network.card, outcome.network.weights)


@pytest.mark.slow
@pytest.mark.parametrize("name", WAYS)
def test_resumed_is_uninterrupted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features_module, "BATCH", 8)
    monkeypatch.setattr(features_module, "PART", 16)
    params = resolved(**WAYS[name])
    steps: list[Step] = []
    whole = learn(params, on_step=steps.append)
    for after in sorted({3, len(steps) // 2, len(steps) - 1}):
        state = interrupted(params, inputs(), after, network=BASE)
        again = learn(params, resume=state)
        assert again.result == whole.result, after
        for weight, other in zip(weights_of(whole).values(), weights_of(again).values(), strict=True):
            assert torch.equal(weight, other)


@pytest.mark.medium
@pytest.mark.parametrize("name", WAYS)
def test_the_network_has_the_layers_of_the_base_and_those_that_were_tuned_differ(name: str) -> None:
    # Else the best is what tuning begins with, as a linear classifier tells colors apart.
    apart = {"objective": "triplet"} if name in ("last", "all") else {}
    params = resolved(**{**WAYS[name], **apart})
    outcome = learn(params)
    network = network_of(outcome)
    layers = list(network.stack)
    assert layers[: layers.index(params.feature_layer or "") + 1] == list(BASE.stack)[: len(layers) - 2]
    assert layers[-1] == "logits"
    assert network.classes == ("c000", "c001", "c002")
    assert network.input_size == SIDE
    assert "palette" in network.source
    if not isinstance(params, ResolvedTraining):
        assert outcome.result["test_accuracy"] == 1.0
    same = {
        layer: torch.equal(network.stack[layer].weight, BASE.stack[layer].weight)
        for layer in layers
        if layer.startswith("conv")
    }
    if params.transfer == "all":
        assert not any(same.values())
    elif name == "last":
        assert same == {layer: not layer.startswith("conv3") for layer in same}
    else:
        assert all(same.values())


def test_folds_share_the_features_of_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = 0
    original = Network.features

    def counted(self: Network, pictures: Tensor, layers: Any) -> dict[str, Tensor]:
        nonlocal seen
        seen += len(pictures)
        return original(self, pictures, layers)

    monkeypatch.setattr(Network, "features", counted)
    found = inputs()
    outcome = learn(resolved(**WAYS["head, folds"]))
    members = found.members("dataset")
    held = [member for member in members if member.part != "train"]
    tested = [member for member in members if member.part == "test"]
    # Once a picture, once a mirror image of what folds train on, and the report on what is not trained on.
    assert seen == 2 * len(members) - len(tested) + len(held)
    assert len(outcome.result["runs"]) == 3


def test_the_result_says_what_was_compared_and_what_is_suggested() -> None:
    result = learn(resolved(**WAYS["head"])).result
    assert [row["layer"] for row in result["compare_layers"]] == ["relu1_1", "relu2_1"]
    assert result["suggestion"]["pictures_per_class"] == 6
    assert result["suggestion"]["transfer"] == "head"
    assert result["transfer"]["layer"] == "pool3"


@pytest.mark.medium
def test_what_was_trained_can_be_a_base_again() -> None:
    first = learn(resolved(**WAYS["svm"]))
    assert first.network is not None
    card = first.network.card

    class Catalogue:
        def find(self, name: str, sha256: str | None = None) -> Any:
            del sha256
            return card if name == card.name else SHIPPED.find(name)

        def names(self) -> list[str]:
            return [card.name, *SHIPPED.names()]

    given = {"dataset": "digits", "preset": "quick", "base": card.name}
    params = parse_params("train", given, Catalogue())  # type: ignore[arg-type]
    assert isinstance(params, ResolvedFrozen)
    assert params.feature_layer == "relu3_1"
    assert params.size == SIDE
    found = inputs()
    found.cards = {card.name: card}
    second = run_training(params, found, network=network_of(first))
    assert second.network is not None
    assert second.network.card.layer_names == card.layer_names
    assert second.network.card.architecture_params["features"] == "relu3_1"
    assert second.result["test_accuracy"] == 1.0
