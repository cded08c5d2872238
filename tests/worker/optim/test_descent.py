import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor

from app.errors import ComputationError
from worker.optim.descent import PATIENCE, Descent, Evaluation, LossFunction
from worker.optim.optimizers.adam import Adam, NAdam
from worker.optim.optimizers.base import Optimizer
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.optimizers.preconditioned_lbfgs import PreconditionedLBFGS

OPTIMUM = 0.2 + 0.6 * torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(1))
START = torch.rand(1, 3, 4, 4, generator=torch.Generator().manual_seed(2))
CURVATURE = torch.linspace(1, 30, 48).view(1, 3, 4, 4)
SCALE = float((CURVATURE * OPTIMUM.square()).sum())

optimizers = pytest.mark.parametrize("optimizer", [LBFGS, Adam])


def quadratic(picture: Tensor) -> Evaluation:
    loss = (CURVATURE * (picture - OPTIMUM).square()).sum()
    return Evaluation(loss, 2 * CURVATURE * (picture - OPTIMUM), {"distance": loss})


def failing(at: set[int], damage: Callable[[Evaluation], Evaluation]) -> LossFunction:
    """The quadratic, whose evaluations of these numbers are damaged."""
    count = 0

    def objective(picture: Tensor) -> Evaluation:
        nonlocal count
        count += 1
        evaluation = quadratic(picture)
        return damage(evaluation) if count in at else evaluation

    return objective


def not_a_number(evaluation: Evaluation) -> Evaluation:
    return Evaluation(evaluation.total * math.nan, evaluation.gradient * math.nan, evaluation.terms)


def exploded(evaluation: Evaluation) -> Evaluation:
    return Evaluation(evaluation.total + 1e9, evaluation.gradient * 1e9, evaluation.terms)


def gradient_lost(evaluation: Evaluation) -> Evaluation:
    return Evaluation(evaluation.total, evaluation.gradient * math.nan, evaluation.terms)


@optimizers
def test_the_best_picture_has_the_lowest_loss(optimizer: Callable[[], Optimizer]) -> None:
    descent, losses, pictures = Descent(START, optimizer(), SCALE), [], []
    for _ in range(30):
        descent.step(quadratic)
        losses.append(float(quadratic(descent.current).total))
        pictures.append(descent.current)

    assert torch.equal(pictures[0], START)
    assert descent.lowest == [min(losses)]
    assert min(losses) < 0.05 * losses[0]
    assert torch.equal(descent.best, pictures[losses.index(min(losses))])
    assert float(descent.best_terms["distance"]) == min(losses)
    assert descent.rollbacks == 0


@optimizers
@pytest.mark.parametrize("damage", [not_a_number, exploded, gradient_lost])
def test_it_recovers_from_a_bad_evaluation(
    optimizer: Callable[[], Optimizer], damage: Callable[[Evaluation], Evaluation]
) -> None:
    descent, objective = Descent(START, optimizer(), SCALE), failing({5}, damage)
    for _ in range(100):
        descent.step(objective)
        assert torch.isfinite(descent.current).all()

    assert descent.rollbacks == 1
    assert descent.lowest[0] < 0.01 * float(quadratic(START).total)


def test_it_goes_back_to_the_best_picture_and_takes_shorter_steps() -> None:
    descent, objective = Descent(START, Adam(lr=0.02), SCALE), failing({6}, not_a_number)
    for _ in range(5):
        descent.step(objective)
    best, terms = descent.best, descent.best_terms

    descent.step(objective)

    assert descent.current is best
    assert descent.terms is terms
    descent.step(objective)
    descent.step(objective)
    assert 0.009 < float((descent.current - best).abs().max()) < 0.0101


@pytest.mark.parametrize("damage", [not_a_number, exploded, gradient_lost])
def test_a_loss_that_stays_bad_fails_with_the_reason(damage: Callable[[Evaluation], Evaluation]) -> None:
    descent, objective = Descent(START, LBFGS(), SCALE), failing(set(range(4, 100)), damage)

    with pytest.raises(ComputationError, match="The loss went from"):
        for _ in range(60):
            descent.step(objective)

    assert descent.rollbacks == PATIENCE
    assert torch.isfinite(descent.best).all()


def test_a_loss_that_is_bad_to_begin_with_fails_at_once() -> None:
    with pytest.raises(ComputationError, match="nan to begin with"):
        Descent(START, LBFGS(), SCALE).step(failing({1}, not_a_number))


@optimizers
def test_a_loss_of_zero_is_an_end(optimizer: Callable[[], Optimizer]) -> None:
    descent = Descent(OPTIMUM, optimizer(), SCALE)
    for _ in range(10):
        descent.step(quadratic)

    assert torch.equal(descent.best, OPTIMUM)
    assert descent.rollbacks == 0


@optimizers
def test_a_negligible_loss_is_an_end(optimizer: Callable[[], Optimizer]) -> None:
    # What rounding leaves of a loss: a gradient that points anywhere.
    def objective(picture: Tensor) -> Evaluation:
        loss = 1e-7 + (picture - OPTIMUM).square().sum()
        return Evaluation(loss, 1e-8 * torch.ones_like(picture), {"distance": loss})

    descent = Descent(OPTIMUM, optimizer(), SCALE)
    for _ in range(10):
        descent.step(objective)

    assert torch.equal(descent.best, OPTIMUM)
    assert descent.rollbacks == 0


@optimizers
def test_a_loss_that_can_fall_no_further_does_not_fail(optimizer: Callable[[], Optimizer]) -> None:
    descent = Descent(START, optimizer(), SCALE)
    for _ in range(300):
        descent.step(quadratic)

    assert descent.lowest[0] < 1e-5 * SCALE


@optimizers
@pytest.mark.parametrize("steps", [1, 4, 5, 7, 12])
def test_it_goes_on_from_its_state_bit_for_bit(optimizer: Callable[[], Optimizer], steps: int) -> None:
    def objective_after(count: int) -> LossFunction:
        return failing({5 - count}, exploded)

    descent, objective = Descent(START, optimizer(), SCALE), objective_after(0)
    for _ in range(steps):
        descent.step(objective)
    restored = Descent(START, optimizer(), SCALE)
    restored.restore(descent.state())
    other = objective_after(steps)
    for _ in range(20):
        descent.step(objective)
        restored.step(other)
        assert torch.equal(restored.current, descent.current)

    assert torch.equal(restored.best, descent.best)
    assert restored.lowest == descent.lowest
    assert restored.rollbacks == descent.rollbacks == 1


@pytest.mark.parametrize(
    "optimizer", [LBFGS, Adam, NAdam, partial(LBFGS, halved=True), partial(PreconditionedLBFGS, 3)]
)
@pytest.mark.parametrize("magnitude", [SCALE, None])
def test_a_state_stays_as_it_is_while_the_descent_goes_on(
    optimizer: Callable[[], Optimizer], magnitude: float | None
) -> None:
    descent, restored = (Descent(START, optimizer(), magnitude) for _ in range(2))
    start = START.clone()
    for _ in range(4):
        descent.step(quadratic)
    state = descent.state()
    kept = {name: tensor.clone() for name, tensor in state.tensors.items()}
    restored.restore(state)
    for _ in range(6):
        descent.step(quadratic)
        restored.step(quadratic)

    assert all(torch.equal(state.tensors[name], tensor) for name, tensor in kept.items())
    assert torch.equal(START, start) and torch.equal(descent.variables, restored.variables)


def test_a_step_that_memory_ran_out_in_is_taken_again_from_the_same_evaluation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_memory(variables: Tensor, gradient: Tensor) -> Tensor:
        raise MemoryError

    found = []
    for fails in (False, True):
        optimizer = Adam()
        descent, evaluation = Descent(START, optimizer, SCALE), quadratic(START)
        if fails:
            with monkeypatch.context() as broken, pytest.raises(MemoryError):
                broken.setattr(optimizer, "step", no_memory)
                descent.take(evaluation)
        descent.take(evaluation)
        found.append(optimizer.state().tensors["mean"])
    assert torch.equal(*found)
