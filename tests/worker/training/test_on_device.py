"""Trainings on a device that is not the CPU: nothing is mixed, and no float64 is made there."""

from typing import Any

import pytest
from torch import Tensor

from app.jobs.params import parse_params
from app.kinds.learning_rate_range import RateRange
from app.kinds.train import ResolvedFrozen, ResolvedTraining
from app.networks.catalogue import SHIPPED
from tests.support.fake_device import DEVICE, FakeDevice
from tests.support.learning import TINY, colored, inputs_of, members_of, resolved
from worker.contract.compute import Compute
from worker.contract.steps import Step, run_steps
from worker.networks.loading import NetworkLoader, cards_for, network_for
from worker.training.learning_rate_range import learning_rate_range
from worker.training.train import train

# Loading weights into `meta` does nothing, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:for .* which is a no-op:UserWarning")

ON_DEVICE = Compute(DEVICE)
PICTURES = members_of(colored(24))
ALL_AUGMENTATION = {
    "flip": True,
    "crop": 0.5,
    "shift": 0.1,
    "rotation": 10,
    "distortion": 0.1,
    "color": 0.2,
    "cutout": 0.3,
    "mixup": 0.4,
    "cutmix": 1,
}
CASES: dict[str, dict[str, Any]] = {
    "augmented": {**ALL_AUGMENTATION, "optimizer": "sgd", "l1": 1e-3, "l2": 1e-3, "average": 0.9},
    "muon, norms, attack": {
        "optimizer": "muon",
        "architecture": "cnn",
        "size": 16,
        "batch_norm": True,
        "attack": 0.5,
    },
    "triplet": {"objective": "triplet", "embedding": 4, "optimizer": "adam"},
    "hinge": {"objective": "squared_hinge", "optimizer": "adamw"},
    "auxiliary classifiers": {"architecture": "googlenet", "size": 32, "epochs": 1},
    "rate found, ensemble": {"find_learning_rate": True, "restarts": 2, "ensemble": 2},
}
TRANSFERS: list[dict[str, Any]] = [
    {"preset": "quick", "compare_layers": ["relu3_1"], "folds": 2},
    {"preset": "fine-tune", "transfer": "last", "epochs": 1},
    {"preset": "fine-tune", "transfer": "all", "epochs": 1},
]


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_training_mixes_no_devices_and_needs_no_float64(name: str) -> None:
    params = resolved(**CASES[name])

    def look(step: Step) -> None:
        assert all(isinstance(value, float | int) for value in step.losses().values())
        assert all(
            isinstance(each, Tensor) and each.device.type == "cpu" for each in step.state().tensors.values()
        )

    with FakeDevice():
        outcome = run_steps(train(params, inputs_of(PICTURES), None, ON_DEVICE), look)
    assert outcome.network is not None
    assert {each.device.type for each in outcome.network.weights.values()} == {"cpu"}


@pytest.mark.slow
@pytest.mark.parametrize("asked", TRANSFERS)
def test_a_transfer_mixes_no_devices(asked: dict[str, Any]) -> None:
    params = parse_params("train", {"dataset": "digits", "base": "palette", "size": 32, **asked}, SHIPPED)
    assert isinstance(params, ResolvedTraining | ResolvedFrozen)
    loader = NetworkLoader()
    inputs = inputs_of(PICTURES)
    inputs.cards = cards_for(params, loader)
    network = network_for(params, ON_DEVICE, loader)
    with FakeDevice():
        outcome = run_steps(train(params, inputs, network, ON_DEVICE), lambda step: step.state())
    assert outcome.network is not None
    assert {each.device.type for each in outcome.network.weights.values()} == {"cpu"}


@pytest.mark.slow
def test_a_range_test_mixes_no_devices() -> None:
    asked = {name: TINY[name] for name in ("dataset", "architecture", "size", "batch_size")}
    params = parse_params("learning_rate_range", asked, SHIPPED)
    assert isinstance(params, RateRange)
    with FakeDevice():
        outcome = run_steps(learning_rate_range(params, inputs_of(PICTURES), None, ON_DEVICE))
    assert outcome.result["points"]
