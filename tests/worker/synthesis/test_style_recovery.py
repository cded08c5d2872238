"""Style transfers whose loss goes wrong at some evaluation."""

from typing import ClassVar

import pytest
import torch
from torch import Tensor

from app.errors import ComputationError
from models.network import Network
from tests.support.style_runs import make_params, run
from worker.losses.loss_sum import LossSum
from worker.optim.descent import Evaluation
from worker.synthesis import style_transfer as module

# An evaluation is then one of Injected.
ONE_VIEW = ["picture"]


class Injected(LossSum):
    """The objective, with a loss that is wrong at some evaluations of the run."""

    count = 0
    wrong: ClassVar[dict[int, float]] = {}

    def __call__(self, picture: Tensor) -> Evaluation:
        evaluation = super().__call__(picture)
        Injected.count += 1
        factor = self.wrong.get(self.count, 1.0)
        return Evaluation(evaluation.total * factor, evaluation.gradient * factor, evaluation.terms)


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Factors of the loss and its gradient, by the number of the evaluation; empty to begin with."""
    monkeypatch.setattr(module, "LossSum", Injected)
    monkeypatch.setattr(Injected, "count", 0)
    monkeypatch.setattr(Injected, "wrong", {})
    return Injected.wrong


@pytest.mark.medium
@pytest.mark.parametrize("factor", [float("nan"), float("inf"), 1e6])
@pytest.mark.parametrize("optimizer", ["lbfgs", "preconditioned_lbfgs", "adam"])
def test_a_run_recovers_from_a_loss_gone_wrong(
    wrong: dict[int, float], factor: float, optimizer: str, network: Network, content: Tensor, style: Tensor
) -> None:
    params = make_params(optimizer=optimizer, size=64, steps=50, views=ONE_VIEW)
    sane, _ = run(params, network, content, style)
    Injected.count = 0
    wrong |= {15: factor, 40: factor}

    outcome, seen = run(params, network, content, style)

    assert outcome.result["rollbacks"] == 2
    assert len(seen) == 50
    assert all(torch.isfinite(picture).all() for _, picture, _, _ in seen)
    assert outcome.result["losses"]["total"] < 1.3 * sane.result["losses"]["total"]


def test_a_run_whose_loss_stays_wrong_fails(
    wrong: dict[int, float], network: Network, content: Tensor, style: Tensor
) -> None:
    wrong |= dict.fromkeys(range(20, 100), float("nan"))

    with pytest.raises(ComputationError, match="nan"):
        run(make_params(size=64, steps=60, views=ONE_VIEW), network, content, style)


@pytest.mark.medium
def test_rollbacks_outlive_a_resume(
    wrong: dict[int, float], network: Network, content: Tensor, style: Tensor
) -> None:
    params = make_params(steps=40, views=ONE_VIEW)
    wrong |= {15: float("nan"), 25: float("nan")}
    whole, seen = run(params, network, content, style)

    Injected.count = 16
    outcome, _ = run(params, network, content, style, resume=seen[15][3])

    assert outcome.result == whole.result
    assert outcome.result["rollbacks"] == 2
    assert torch.equal(outcome.images["image"], whole.images["image"])
