"""Several trainings in one job: folds, searches, restarts, ensembles."""

import pytest
import torch

from app.kinds.training_runs import variants
from models.registry import build_network
from tests.support.learning import (
    colored,
    inputs_of,
    members_of,
    resolved,
    run_training,
    weights_of,
)
from worker.contract.steps import Step

pytestmark = pytest.mark.medium


def test_finished_within_the_folds_it_keeps_one_of_them() -> None:
    params = resolved(folds=3)
    inputs = inputs_of(members_of(colored(30)))

    def on_step(step: Step) -> None:
        if step.finish is not None and step.losses().get("run") == 2:
            step.finish()

    outcome = run_training(params, inputs, on_step=on_step)
    assert outcome.result["ended_early"]
    assert [row["fold"] for row in outcome.result["runs"]] == [1, 2]
    assert [row["kept"] for row in outcome.result["runs"]].count(True) == 1
    # What it was not trained on: a third of the pictures outside of the test part.
    assert outcome.result["split"] == {"train": 16, "validation": 8, "test": 6}


def test_folds_leave_the_test_part_and_all_the_rest_to_be_measured_once() -> None:
    params = resolved(folds=3)
    outcome = run_training(params, inputs_of(members_of(colored(31))))
    assert [row.get("fold") for row in outcome.result["runs"]] == [1, 2, 3, None]
    assert outcome.result["spread"]["trainings"] == 3
    assert outcome.result["split"]["validation"] == 6
    # Nothing is chosen in a fold, so that its measure is honest.
    assert [row["best_epoch"] is None for row in outcome.result["runs"]] == [True, True, True, False]


def test_the_best_of_a_search_is_kept() -> None:
    params = resolved(search={"learning_rate": [1e-6, 0.1]}, epochs=4, average=0)
    outcome = run_training(params, inputs_of(members_of(colored(40))))
    rows = outcome.result["runs"]
    assert [row["learning_rate"] for row in rows] == [1e-6, 0.1]
    assert [row["kept"] for row in rows] == [False, True]
    assert rows[1]["accuracy"] > rows[0]["accuracy"]
    alone = run_training(resolved(learning_rate=0.1, epochs=4, average=0), inputs_of(members_of(colored(40))))
    for name, weight in weights_of(alone).items():
        assert torch.equal(weight, weights_of(outcome)[name])


def test_restarts_differ_by_their_seed() -> None:
    inputs = inputs_of(members_of(colored(40)))
    outcome = run_training(resolved(restarts=3, seed=2**63 - 2), inputs)
    assert [row["seed"] for row in outcome.result["runs"]] == [2**63 - 2, 2**63 - 1, 0]
    assert len({row["loss"] for row in outcome.result["runs"]}) == 3
    assert outcome.result["spread"]["min"] <= outcome.result["spread"]["mean"]


def test_an_ensemble_is_a_network_of_the_best() -> None:
    params = resolved(restarts=3, ensemble=2, epochs=3, architecture="cnn")
    outcome = run_training(params, inputs_of(members_of(colored(40))))
    rows = [row for row in outcome.result["runs"] if row["kept"]]
    assert len(rows) == 2
    made = outcome.network
    assert made is not None
    assert made.card.architecture == "ensemble"
    together = build_network(made.card, made.weights)
    pictures = torch.cat([picture[..., :8, :8] for picture, _ in colored(9)])
    alone = []
    for row in rows:
        one = run_training(
            resolved(seed=row["seed"], epochs=3, architecture="cnn"), inputs_of(members_of(colored(40)))
        ).network
        assert one is not None
        alone.append(build_network(one.card, one.weights).logits(pictures).softmax(1))
    torch.testing.assert_close(together.logits(pictures).softmax(1), torch.stack(alone).mean(0))


def test_an_optimizer_that_is_searched_has_its_own_rate() -> None:
    params = resolved(search={"optimizer": ["sgd", "adam"]})
    assert [run.params.learning_rate for run in variants(params)] == [0.05, 1e-3]
