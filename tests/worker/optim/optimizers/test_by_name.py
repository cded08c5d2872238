import pytest
import torch
from torch import Tensor

from worker.optim.optimizers.adam import BETAS, EPSILON, NAdam
from worker.optim.optimizers.by_name import OptimizerName, make_optimizer
from worker.optim.optimizers.gradient import NormalizedGradient

names = pytest.mark.parametrize("name", ["gradient", "adam", "nadam", "lbfgs"])
# Far apart, so that a sample which used another's curvature would go astray.
CURVATURES = torch.tensor([1.0, 1e-4, 1e3], dtype=torch.float64).view(3, 1, 1, 1)


def drawn(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 3, 4, 5, generator=generator, dtype=torch.float64)


def descend(
    name: OptimizerName, lr: float, bounded: bool, steps: int, pictures: slice = slice(0, 3)
) -> Tensor:
    """Descend quadratics of different curvature, whose optima lie partly outside [0, 1]."""
    optimum, variables = (3 * drawn(1) - 1)[pictures], drawn(2)[pictures]
    optimizer = make_optimizer(name, lr, variables, bounded=bounded)
    for _ in range(steps):
        variables = optimizer.step(variables, CURVATURES[pictures] * (variables - optimum))
    return variables


@pytest.mark.medium
@names
@pytest.mark.parametrize("bounded", [True, False])
def test_it_finds_the_optimum_within_its_bounds(name: OptimizerName, bounded: bool) -> None:
    optimum = 3 * drawn(1) - 1
    found = descend(name, 0.01, bounded, 100 if name == "lbfgs" else 600)

    assert torch.allclose(found, optimum.clamp(0, 1) if bounded else optimum, atol=0.03)


@names
def test_a_batch_is_as_many_single_runs(name: OptimizerName) -> None:
    together = descend(name, 0.05, False, 20)
    alone = torch.cat([descend(name, 0.05, False, 20, slice(place, place + 1)) for place in range(3)])

    assert torch.equal(together, alone)


@names
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_it_goes_on_from_its_state_bit_for_bit(name: OptimizerName, steps: int) -> None:
    optimizer, other = (make_optimizer(name, 0.05, drawn(2), bounded=True) for _ in range(2))
    variables = drawn(2)
    for _ in range(steps):
        variables = optimizer.step(variables, variables - 0.5)
    other.restore(optimizer.state())
    again = variables
    for _ in range(5):
        variables = optimizer.step(variables, variables - 0.5)
        again = other.step(again, again - 0.5)

    assert torch.equal(again, variables)


@names
def test_a_restart_shortens_the_steps(name: OptimizerName) -> None:
    optimizer = make_optimizer(name, 0.05, drawn(2), bounded=False)
    long = optimizer.step(drawn(2), drawn(3)) - drawn(2)
    optimizer.restart(0.25)
    short = optimizer.step(drawn(2), drawn(3)) - drawn(2)

    assert torch.allclose(short, long / 4)


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mean_step_has_length_lr(factor: float, dtype: torch.dtype) -> None:
    picture, gradient = drawn(2).to(dtype), (factor * (drawn(3) - 0.5)).to(dtype)

    step = NormalizedGradient(0.03, bounded=False).step(picture, gradient) - picture

    assert float(step.abs().mean()) == pytest.approx(0.03, rel=1e-5)
    assert torch.equal(step.sign(), -gradient.sign())


def test_a_gradient_of_zero_moves_nothing() -> None:
    for name in ("gradient", "adam", "nadam", "lbfgs"):
        optimizer = make_optimizer(name, 0.1, drawn(2), bounded=True)
        assert torch.equal(optimizer.step(drawn(2), torch.zeros_like(drawn(2))), drawn(2))


def test_nadam_is_algorithm_2() -> None:
    optimum, ours = drawn(4), drawn(5)
    optimizer, theirs = NAdam(0.01, bounded=False), ours
    mean, square = torch.zeros_like(ours), torch.zeros_like(ours)
    beta, other = BETAS
    for count in range(1, 16):
        ours = optimizer.step(ours, ours - optimum)

        gradient = theirs - optimum
        mean = beta * mean + (1 - beta) * gradient
        square = other * square + (1 - other) * gradient**2
        ahead = beta * mean / (1 - beta ** (count + 1)) + (1 - beta) * gradient / (1 - beta**count)
        size = (square / (1 - other**count)).sqrt()
        theirs = theirs - 0.01 * ahead / (size + EPSILON * float(size.square().mean()) ** 0.5)

    assert torch.allclose(ours, theirs, rtol=1e-10)
