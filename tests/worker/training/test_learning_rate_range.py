from typing import Any

import pytest
import torch

from app.errors import InputError
from app.jobs.errors import ParamsError
from app.jobs.params import parse_params
from app.kinds.learning_rate_range import TAKEN, RateRange
from app.kinds.train import ResolvedTraining, TrainParams
from app.networks.catalogue import SHIPPED
from tests.support.learning import CPU, colored, inputs_of, members_of
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, run_steps
from worker.training.learning_rate_range import learning_rate_range
from worker.training.rate_figure import rate_figure
from worker.training.rate_finder import RatePoint

LINEAR = {"dataset": "digits", "architecture": "linear", "size": 8, "batch_size": 8, "optimizer": "sgd"}


def resolved(**asked: Any) -> RateRange:
    params = parse_params("learning_rate_range", {**LINEAR, **asked}, SHIPPED)
    assert isinstance(params, RateRange)
    return params


def run(params: RateRange, inputs: Inputs) -> Outcome:
    return run_steps(learning_rate_range(params, inputs, None, CPU), lambda step: step.losses())


@pytest.mark.medium
def test_the_rate_to_use_lies_before_the_lowest_loss() -> None:
    inputs = inputs_of(members_of(colored(40)))
    done = []
    steps = learning_rate_range(resolved(), inputs, None, CPU)
    outcome = run_steps(steps, lambda step: done.append((step.done, step.total)))
    points, suggestion = outcome.result["points"], outcome.result["suggestion"]
    lowest = min(points, key=lambda point: point["smoothed"])
    assert suggestion["tenth_of_lowest"] == lowest["rate"] / 10
    assert 1e-6 < suggestion["learning_rate"] < lowest["rate"]
    assert done == sorted(done) and done[-1][0] <= done[-1][1]
    assert outcome.files["points"].data.decode().splitlines()[0] == "rate,loss,smoothed"
    assert outcome.images["image"].shape[1] == 3
    # The seed decides all.
    assert run(resolved(), inputs).result == outcome.result
    assert run(resolved(seed=1), inputs).result["points"] != points


@pytest.mark.medium
def test_an_optimizer_has_a_range_of_its_own() -> None:
    inputs = inputs_of(members_of(colored(40)))
    sgd, adam = (run(resolved(optimizer=name), inputs).result["points"] for name in ("sgd", "adam"))
    # At first it is one loss: the weights have hardly moved.
    assert sgd[0]["loss"] == pytest.approx(adam[0]["loss"])
    assert min(point["loss"] for point in adam) != min(point["loss"] for point in sgd)


def test_what_is_solved_for_has_no_learning_rate() -> None:
    with pytest.raises(ParamsError) as refused:
        parse_params(
            "learning_rate_range", {"dataset": "digits", "base": "palette", "transfer": "head"}, SHIPPED
        )
    assert [problem.field for problem in refused.value.errors] == ["transfer"]


def test_its_params_are_those_of_a_training() -> None:
    params = resolved(objective="hinge")
    training = params.as_training()
    assert isinstance(training, ResolvedTraining)
    assert (training.objective, training.optimizer, training.size) == ("hinge", "sgd", 8)
    for name in TAKEN:
        assert getattr(training, name) == getattr(params, name)
        if name != "preset":
            own, theirs = type(params).model_fields[name], TrainParams.model_fields[name]
            assert (own.description, own.annotation, own.default) == (
                theirs.description,
                theirs.annotation,
                theirs.default,
            )


def test_a_set_without_labels_is_refused() -> None:
    with pytest.raises(InputError) as refused:
        run(resolved(), inputs_of([]))
    assert refused.value.field == "dataset"


@pytest.mark.parametrize("points", [[], [RatePoint(1e-7, 2.0, 2.0)], [RatePoint(1e-7, 0.0, 0.0)] * 2])
def test_few_points_are_drawn_too(points: list[RatePoint]) -> None:
    picture = rate_figure(points, None)
    assert bool(torch.isfinite(picture).all())
