"""Trainings on scikit-learn's digits, by the kind itself: accuracies of five folds, and demonstrations."""

import math
from functools import cache
from typing import Any

import pytest
import torch

from app.kinds.train import TrainParams
from app.networks.catalogue import SHIPPED
from app.settings import Settings
from benchmarks.training import CNN
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import run_steps
from worker.datasets.local import LocalSet, open_local
from worker.training.train import train

# 8 hidden layers of 64 units, as deep as it takes for a bad initialization to show.
DEEP = {"depth": 8, "width": 64}
# Pictures as they are, small steps.
PLAIN: dict[str, Any] = {
    "preset": "from-scratch",
    "optimizer": "sgd",
    "attack": 0.0,
    "size": 8,
    "batch_size": 64,
    "batch_norm": False,
    "average": 0.0,
    "label_smoothing": 0.0,
    "crop": 1.0,
    "shift": 0.0,
    "color": 0.0,
}


@cache
def _digits() -> LocalSet:
    return open_local("digits", "dataset", (None, None), Settings())


def trained(**params: Any) -> dict[str, Any]:
    """The result of a training on digits."""
    found = _digits()
    resolved = TrainParams(dataset="digits", **params).resolve(SHIPPED)
    inputs = Inputs(sets={"dataset": found.members}, set_hashes={"dataset": found.sha256})
    outcome = run_steps(train(resolved, inputs, None, Compute(torch.device("cpu"))))
    return outcome.result


def mean_of_folds(**params: Any) -> float:
    """The mean accuracy of five folds of all that is not in the test part; nothing is chosen by them."""
    spread = trained(**params, folds=5)["spread"]
    assert spread["trainings"] == 5
    mean: float = spread["mean"]
    return mean


@pytest.mark.slow
@pytest.mark.parametrize(("objective", "rate", "least"), [("hinge", 0.001, 0.95), ("softmax", 0.02, 0.96)])
def test_a_linear_classifier(objective: str, rate: float, least: float) -> None:
    params = PLAIN | {
        "architecture": "linear",
        # Twice the side of the digits: a center that is cut out of 18 px loses half a pixel at each edge.
        "size": 16,
        "objective": objective,
        "epochs": 30,
        "learning_rate": rate,
        "weight_decay": 0.01,
    }
    assert mean_of_folds(**params) >= least


@pytest.mark.slow
def test_a_multilayer_perceptron() -> None:
    params = PLAIN | {"architecture": "mlp", "epochs": 40, "learning_rate": 0.05, "weight_decay": 1e-3}
    assert mean_of_folds(**params) >= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_a_convolutional_network(seed: int) -> None:
    assert mean_of_folds(**CNN, seed=seed) >= 0.985


@pytest.mark.slow
@pytest.mark.parametrize(("activation", "good"), [("tanh", "xavier"), ("relu", "he")])
def test_small_weights_of_one_deviation_get_stuck(activation: str, good: str) -> None:
    params = PLAIN | {
        "architecture": "mlp",
        "architecture_params": DEEP | {"activation": activation},
        "epochs": 15,
        "learning_rate": 0.02,
        "weight_decay": 0.0,
    }
    stuck = trained(**params, initialization="constant", initial_std=0.01)
    # What a guess costs, from the first epoch to the last.
    assert all(row["loss"] == pytest.approx(math.log(10), abs=0.01) for row in stuck["history"])
    learned = trained(**params, initialization=good)
    assert learned["history"][-1]["loss"] < 0.5
    assert learned["test_accuracy"] > 0.9


@pytest.mark.slow
def test_shortcuts_let_a_deep_network_learn() -> None:
    params = PLAIN | {
        "architecture_params": {"width": 0.25},
        "epochs": 6,
        "learning_rate": 0.02,
        "weight_decay": 0.0,
    }
    plain, residual = (
        trained(**params, architecture=name)["history"][-1]["loss"] for name in ("plain44", "resnet44")
    )
    # Of what they are trained on: it is not overfitting that holds the plain one back.
    assert residual < plain - 0.5
