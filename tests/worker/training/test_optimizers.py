import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from app.kinds.optimizing import USUAL_RATES
from app.kinds.training_presets import Optimizer as OptimizerName
from worker.training.muon import ADAM_SHARE
from worker.training.optimizers import OptimizerSettings, make_optimizer

ALL: tuple[OptimizerName, ...] = ("sgd", "adam", "adamw", "muon")


def small_model() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 16),
        nn.ReLU(),
        nn.Linear(16, 4),
    )


def loss_of(model: nn.Module) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    pictures = torch.rand(12, 3, 6, 6, generator=generator)
    return nn.functional.cross_entropy(model(pictures), torch.arange(12) % 4)


def descend(model: nn.Module, optimizer: torch.optim.Optimizer, steps: int = 4) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        loss_of(model).backward()  # type: ignore[no-untyped-call]
        optimizer.step()


def in_two_groups(model: nn.Module, decay: float) -> list[dict[str, object]]:
    parameters = list(model.parameters())
    return [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": decay},
        {"params": [each for each in parameters if each.ndim == 1], "weight_decay": 0.0},
    ]


@pytest.mark.parametrize(
    ("name", "reference"),
    [
        ("sgd", lambda groups: torch.optim.SGD(groups, lr=0.02, momentum=0.8)),
        ("adam", lambda groups: torch.optim.Adam(groups, lr=0.02)),
        ("adamw", lambda groups: torch.optim.AdamW(groups, lr=0.02)),
    ],
)
def test_steps_are_those_of_torch_without_decay_of_biases_and_norms(
    name: OptimizerName, reference: Callable[[list[dict[str, object]]], torch.optim.Optimizer]
) -> None:
    ours = small_model()
    theirs = copy.deepcopy(ours)
    descend(ours, make_optimizer(ours, OptimizerSettings(name, 0.02, momentum=0.8, weight_decay=0.1)))
    descend(theirs, reference(in_two_groups(theirs, 0.1)))
    for found, expected in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_one_step_of_sgd_by_hand() -> None:
    layer = nn.Linear(1, 1)
    nn.init.constant_(layer.weight, 2.0)
    nn.init.constant_(layer.bias, 3.0)
    optimizer = make_optimizer(layer, OptimizerSettings("sgd", 0.1, momentum=0.9, weight_decay=0.5))
    layer(torch.tensor([[4.0]])).sum().backward()
    optimizer.step()
    # The gradients are 4 and 1, and one step is one step.
    assert float(layer.weight) == pytest.approx(2 - 0.1 * (4 + 0.5 * 2))
    assert float(layer.bias) == pytest.approx(3 - 0.1)


@pytest.mark.parametrize("name", ALL)
def test_the_loss_falls(name: OptimizerName) -> None:
    model = small_model()
    before = float(loss_of(model))
    descend(model, make_optimizer(model, OptimizerSettings(name, USUAL_RATES[name])), steps=40)
    assert float(loss_of(model)) < 0.5 * before


@pytest.mark.parametrize("name", ALL)
def test_shares_of_the_rate_by_name(name: OptimizerName) -> None:
    model = small_model()
    before = copy.deepcopy(model)
    optimizer = make_optimizer(
        model,
        OptimizerSettings(name, 0.01, weight_decay=0.1),
        share=lambda parameter: {"0": 0.0, "1": 0.0, "4": 0.5}.get(parameter.split(".")[0], 1.0),
    )
    rates = {id(each): group["lr"] for group in optimizer.param_groups for each in group["params"]}
    adam = ADAM_SHARE if name == "muon" else 1
    assert rates[id(model[4].weight)] == pytest.approx(0.005)
    assert rates[id(model[6].weight)] == pytest.approx(0.01 * adam)
    descend(model, optimizer)
    for layer in (0, 1):
        torch.testing.assert_close(model[layer].weight, before[layer].weight, rtol=0, atol=0)
    assert float((model[4].weight - before[4].weight).abs().max()) > 0


def test_frozen_parameters_are_not_optimized() -> None:
    model = small_model()
    model[0].requires_grad_(False)
    optimizer = make_optimizer(model, OptimizerSettings("adamw", 0.01, weight_decay=0.1))
    optimized = {id(each) for group in optimizer.param_groups for each in group["params"]}
    assert optimized == {id(each) for layer in (1, 4, 6) for each in model[layer].parameters()}


def test_muon_changes_matrices_before_the_last_layer_by_the_rate() -> None:
    model = small_model()
    before = copy.deepcopy(model)
    optimizer = make_optimizer(model, OptimizerSettings("muon", 0.02))
    descend(model, optimizer, steps=1)
    for layer in (0, 4):
        change = float((model[layer].weight - before[layer].weight).norm())
        rows = len(model[layer].weight)
        assert 0.5 * 0.02 * rows**0.5 < change < 1.3 * 0.02 * rows**0.5
    # Adam's first step is as long as its rate in every coordinate.
    last = (model[6].bias - before[6].bias).abs()
    torch.testing.assert_close(last, torch.full_like(last, 0.02 * ADAM_SHARE), rtol=1e-3, atol=0)


def test_muon_takes_weight_decay_from_weights_alone() -> None:
    model = small_model()
    before = copy.deepcopy(model)
    optimizer = make_optimizer(model, OptimizerSettings("muon", 0.1, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    torch.testing.assert_close(model[0].weight, before[0].weight * (1 - 0.1 * 0.5))
    torch.testing.assert_close(model[6].weight, before[6].weight * (1 - 0.1 * ADAM_SHARE * 0.5))
    torch.testing.assert_close(model[1].weight, before[1].weight)
    torch.testing.assert_close(model[0].bias, before[0].bias)


def test_muon_of_a_linear_network_is_adam() -> None:
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Flatten(), nn.Linear(3 * 6 * 6, 4))
    theirs = copy.deepcopy(ours)
    descend(ours, make_optimizer(ours, OptimizerSettings("muon", 0.02)))
    descend(theirs, torch.optim.Adam(theirs.parameters(), lr=0.02 * ADAM_SHARE))
    torch.testing.assert_close(ours[1].weight, theirs[1].weight)


def test_depthwise_convolutions_are_no_matrices() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 3, groups=3), nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(4, 2))
    optimizer = make_optimizer(model, OptimizerSettings("muon", 0.02))
    by_muon = {id(each) for group in optimizer.param_groups if group["muon"] for each in group["params"]}
    assert by_muon == {id(model[1].weight)}
