import pytest
import torch
from torch import Tensor

from worker.optim.optimizers.adam import BETAS, EPSILON, Adam


def rand(seed: int, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def descend(optimizer: Adam, picture: Tensor, optimum: Tensor, steps: int) -> Tensor:
    for _ in range(steps):
        picture = optimizer.step(picture, picture - optimum)
    return picture


def test_the_first_step_has_the_length_of_the_rate() -> None:
    picture = torch.full((1, 3, 1, 2), 0.5, dtype=torch.float64)
    gradient = torch.tensor([[[[3.0, -3.0]], [[3.0, 3.0]], [[-3.0, 3.0]]]], dtype=torch.float64)

    step = Adam(lr=0.02).step(picture, gradient) - picture

    assert torch.allclose(step, -0.02 / (1 + EPSILON) * gradient.sign())


def test_it_is_algorithm_1_with_an_epsilon_that_follows_the_gradient() -> None:
    ours, optimum = 0.3 + 0.4 * rand(1), 0.3 + 0.4 * rand(2)
    optimizer, theirs = Adam(lr=0.01), ours
    first, second = torch.zeros_like(ours), torch.zeros_like(ours)
    for count in range(1, 21):
        ours = optimizer.step(ours, ours - optimum)

        gradient = theirs - optimum
        first = BETAS[0] * first + (1 - BETAS[0]) * gradient
        second = BETAS[1] * second + (1 - BETAS[1]) * gradient**2
        unbiased = second / (1 - BETAS[1] ** count)
        epsilon = EPSILON * float(unbiased.mean()) ** 0.5
        theirs = theirs - 0.01 * first / (1 - BETAS[0] ** count) / (unbiased.sqrt() + epsilon)

    assert torch.allclose(ours, theirs, rtol=1e-12)


def test_it_converges_onto_the_bounds() -> None:
    optimum = 3 * rand(3) - 1

    found = descend(Adam(), rand(4), optimum, 400)

    assert torch.allclose(found, optimum.clamp(0, 1), atol=0.01)


@pytest.mark.parametrize("factor", [2.0**-60, 2.0**60])
def test_the_scale_of_the_loss_does_not_matter(factor: float) -> None:
    optimum, picture, scaled = rand(5), rand(6), rand(6)
    optimizer, other = Adam(), Adam()
    for _ in range(10):
        picture = optimizer.step(picture, picture - optimum)
        scaled = other.step(scaled, factor * (scaled - optimum))

    assert torch.allclose(scaled, picture, rtol=1e-12)


def test_a_gradient_of_zero_moves_nothing() -> None:
    picture = rand(7, torch.float32)

    assert torch.equal(Adam().step(picture, torch.zeros_like(picture)), picture)


def test_it_goes_on_from_its_state_bit_for_bit() -> None:
    optimum = rand(8)
    for steps in (0, 1, 7):
        optimizer, restored = Adam(), Adam()
        picture = descend(optimizer, rand(9), optimum, steps)
        restored.restore(optimizer.state())

        assert torch.equal(descend(optimizer, picture, optimum, 5), descend(restored, picture, optimum, 5))


def test_restart_forgets_and_shortens() -> None:
    optimizer = Adam(lr=0.02)
    picture = descend(optimizer, rand(10), rand(11), 3)
    optimizer.restart(0.5)

    assert torch.equal(optimizer.step(picture, rand(12)), Adam(lr=0.01).step(picture, rand(12)))
