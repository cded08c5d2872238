import pytest
import torch
from torch import Tensor

from worker.optim.adam import BETAS, EPSILON, NAdam
from worker.optim.solvers import NormalizedGradient, SolverName, make_solver

names = pytest.mark.parametrize("name", ["gradient", "adam", "nadam", "lbfgs"])
# Of as different sizes as losses have: no picture is to take another's for its own.
CURVATURES = torch.tensor([1.0, 1e-4, 1e3], dtype=torch.float64).view(3, 1, 1, 1)


def drawn(seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(3, 3, 4, 5, generator=generator, dtype=torch.float64)


def climb(name: SolverName, rate: float, bounded: bool, steps: int, pictures: slice = slice(0, 3)) -> Tensor:
    """Descend quadratics of different curvature, whose optima lie partly outside [0, 1]."""
    optimum, variables = (3 * drawn(1) - 1)[pictures], drawn(2)[pictures]
    solver = make_solver(name, rate, variables, bounded=bounded)
    for _ in range(steps):
        variables = solver.propose(variables, CURVATURES[pictures] * (variables - optimum))
    return variables


@names
@pytest.mark.parametrize("bounded", [True, False])
def test_it_finds_the_optimum_within_its_bounds(name: SolverName, bounded: bool) -> None:
    optimum = 3 * drawn(1) - 1
    found = climb(name, 0.01, bounded, 600)

    assert torch.allclose(found, optimum.clamp(0, 1) if bounded else optimum, atol=0.03)


@names
def test_a_batch_is_as_many_single_runs(name: SolverName) -> None:
    together = climb(name, 0.05, False, 20)
    alone = torch.cat([climb(name, 0.05, False, 20, slice(place, place + 1)) for place in range(3)])

    assert torch.equal(together, alone)


@names
@pytest.mark.parametrize("steps", [0, 1, 7])
def test_it_goes_on_from_its_state_bit_for_bit(name: SolverName, steps: int) -> None:
    solver, other = (make_solver(name, 0.05, drawn(2), bounded=True) for _ in range(2))
    variables = drawn(2)
    for _ in range(steps):
        variables = solver.propose(variables, variables - 0.5)
    other.restore(solver.state())
    again = variables
    for _ in range(5):
        variables = solver.propose(variables, variables - 0.5)
        again = other.propose(again, again - 0.5)

    assert torch.equal(again, variables)


@names
def test_a_restart_shortens_the_steps(name: SolverName) -> None:
    solver = make_solver(name, 0.05, drawn(2), bounded=False)
    long = solver.propose(drawn(2), drawn(3)) - drawn(2)
    solver.restart(0.25)
    short = solver.propose(drawn(2), drawn(3)) - drawn(2)

    assert torch.allclose(short, long / 4)


@pytest.mark.parametrize("factor", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_mean_step_has_the_length_of_the_rate(factor: float, dtype: torch.dtype) -> None:
    picture, gradient = drawn(2).to(dtype), (factor * (drawn(3) - 0.5)).to(dtype)

    step = NormalizedGradient(0.03, bounded=False).propose(picture, gradient) - picture

    assert float(step.abs().mean()) == pytest.approx(0.03, rel=1e-5)
    assert torch.equal(step.sign(), -gradient.sign())


def test_a_gradient_of_zero_moves_nothing() -> None:
    for name in ("gradient", "adam", "nadam", "lbfgs"):
        solver = make_solver(name, 0.1, drawn(2), bounded=True)
        assert torch.equal(solver.propose(drawn(2), torch.zeros_like(drawn(2))), drawn(2))


def test_nadam_is_algorithm_2() -> None:
    optimum, ours = drawn(4), drawn(5)
    solver, theirs = NAdam(0.01, bounded=False), ours
    mean, square = torch.zeros_like(ours), torch.zeros_like(ours)
    beta, other = BETAS
    for count in range(1, 16):
        ours = solver.propose(ours, ours - optimum)

        gradient = theirs - optimum
        mean = beta * mean + (1 - beta) * gradient
        square = other * square + (1 - other) * gradient**2
        ahead = beta * mean / (1 - beta ** (count + 1)) + (1 - beta) * gradient / (1 - beta**count)
        size = (square / (1 - other**count)).sqrt()
        theirs = theirs - 0.01 * ahead / (size + EPSILON * float(size.square().mean()) ** 0.5)

    assert torch.allclose(ours, theirs, rtol=1e-10)
