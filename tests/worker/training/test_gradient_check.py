import json
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.gradient_check import GradientCheckParams
from app.kinds.training_presets import Objective
from app.networks.catalogue import SHIPPED
from models.activations import Maxout
from models.relu import ReLU
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, StepState, run_steps
from worker.training.gradient_check import check_numbers, gradient_check, relative_error, verdict_of, watched

CPU = Compute(torch.device("cpu"))
OBJECTIVES: tuple[Objective, ...] = ("softmax", "logistic", "hinge", "squared_hinge", "quadratic", "triplet")


def check(resume: StepState | None = None, **asked: Any) -> Outcome:
    params = GradientCheckParams.model_validate({"samples": 5, **asked}).resolve(SHIPPED)
    return run_steps(gradient_check(params, Inputs(), None, CPU, resume))


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_has_the_gradient_that_is_backpropagated(objective: Objective) -> None:
    result = check(architecture="mlp", size=8, objective=objective).result
    assert result["verdict"] in ("good", "ok")
    assert result["relative_error"] < 1e-6
    assert [row["layer"] for row in result["layers"]] == ["fc1", "logits"]
    assert all(row["gradient"] > 0 for row in result["layers"])


@pytest.mark.parametrize("penalties", [{"l1": 0.01}, {"l2": 0.1}, {"l1": 0.01, "l2": 0.1}])
def test_penalties_are_part_of_the_gradient(penalties: dict[str, float]) -> None:
    plain, penalized = (check(architecture="linear", size=4, **each).result for each in ({}, penalties))
    assert penalized["loss"] > plain["loss"]
    assert penalized["verdict"] == "good"


@pytest.mark.medium
@pytest.mark.parametrize(
    "asked",
    [
        {"architecture": "cnn", "size": 8, "batch_norm": True},
        {"architecture": "cnn", "size": 8, "architecture_params": {"activation": "maxout", "pooling": "l2"}},
        {"architecture": "cnn", "size": 8, "architecture_params": {"activation": "elu", "pooling": "none"}},
        {"architecture": "mlp", "size": 6, "architecture_params": {"activation": "leaky_relu", "depth": 2}},
        {"architecture": "mlp", "size": 6, "architecture_params": {"activation": "sigmoid"}},
    ],
    ids=str,
)
def test_every_type_of_layer_has_the_gradient_that_is_backpropagated(asked: dict[str, Any]) -> None:
    assert check(**asked).result["relative_error"] < 1e-5


@pytest.mark.medium
def test_large_steps_cross_kinks_and_those_are_left_out() -> None:
    small, large = (check(architecture="cnn", size=8, samples=20, step=step).result for step in (1e-7, 1e-3))
    assert small["kinks"] < large["kinks"]
    assert large["relative_error"] < 1e-4


class Doubled(torch.autograd.Function):
    """The identity with a backward that is wrong."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return 1.05 * gradient


@pytest.mark.parametrize(("wrong", "verdict"), [(False, "good"), (True, "wrong")])
def test_a_wrong_backward_is_found(wrong: bool, verdict: str) -> None:
    weight = torch.linspace(0.5, 2, 6, dtype=torch.float64).view(2, 3).requires_grad_()

    def loss() -> Tensor:
        given: Tensor = Doubled.apply(weight) if wrong else weight  # type: ignore[no-untyped-call]
        return given.sin().sum()

    @torch.no_grad()
    def value() -> tuple[float, Sequence[Tensor]]:
        return float(loss()), []

    loss().backward()  # type: ignore[no-untyped-call]
    before = weight.detach().clone()
    found = check_numbers("w", weight, value, samples=99, h=1e-5, generator=torch.Generator())
    assert torch.equal(weight.detach(), before)
    assert sorted(each.index for each in found) == [[row, column] for row in (0, 1) for column in (0, 1, 2)]
    assert {verdict_of(each.relative_error) for each in found} == {verdict}
    if wrong:
        assert found[0].relative_error == pytest.approx(0.05 / 1.05, rel=1e-6)


def test_a_step_over_a_kink_is_noticed() -> None:
    weight = torch.tensor([1e-6, 0.3], dtype=torch.float64, requires_grad=True)

    @torch.no_grad()
    def value() -> tuple[float, Sequence[Tensor]]:
        return float(weight.abs().sum()), [weight.detach() > 0]

    weight.abs().sum().backward()  # type: ignore[no-untyped-call]
    found = check_numbers("w", weight, value, samples=2, h=1e-5, generator=torch.Generator())
    assert {each.index[0]: each.kink for each in found} == {0: True, 1: False}


def test_pools_and_activations_tell_their_sides() -> None:
    model = nn.Sequential(ReLU(), nn.MaxPool2d(2), Maxout(1))
    with watched(model) as sides:
        model(torch.tensor([[[[1.0, -1], [3, 2]], [[9.0, -1], [3, 2]]]]))
    assert [side.flatten().tolist() for side in sides] == [
        [True, False, True, True, True, False, True, True],
        [2, 0],
        [1],
    ]


def test_relative_errors_by_hand() -> None:
    assert relative_error(1.0, 1.0) == 0
    assert relative_error(1.0, 0.9) == pytest.approx(0.1)
    assert relative_error(-1.0, 1.0) == 2
    assert relative_error(0.0, 0.0) == 0
    assert relative_error(1e-9, 2e-9, floor=1e-3) == pytest.approx(1e-6)
    assert [verdict_of(error) for error in (1e-8, 1e-6, 1e-3, 0.1)] == ["good", "ok", "suspicious", "wrong"]


def test_a_resumed_check_finds_the_same() -> None:
    params = GradientCheckParams(architecture="mlp", size=6, samples=3).resolve(SHIPPED)
    states = []
    whole = run_steps(
        gradient_check(params, Inputs(), None, CPU),
        lambda step: states.append(json.dumps(step.state().values)),
    )
    assert len(states) == 4
    resumed = run_steps(gradient_check(params, Inputs(), None, CPU, StepState({}, json.loads(states[1]))))
    assert resumed.result == whole.result
    assert torch.equal(resumed.images["image"], whole.images["image"])
    assert whole.files["numbers"].data.count(b"\n") == 1 + whole.result["checked"]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"objective": "hinge", "label_smoothing": 0.1}, "label_smoothing"),
        ({"architecture": "mlp", "architecture_params": {"depht": 3}}, "architecture_params.depht"),
        ({"architecture": "lenet", "size": 8}, "size"),
    ],
)
def test_what_cannot_be_checked_is_said_before_it_runs(asked: dict[str, Any], field: str) -> None:
    with pytest.raises(InputError) as refused:
        GradientCheckParams.model_validate(asked).resolve(SHIPPED)
    assert refused.value.field == field
