from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from worker.losses.regularizers import (
    USUAL_CONTRAST,
    USUAL_STEP,
    blur,
    decay,
    p_norm,
    squared_norm,
    squared_steps,
    variation,
)

MEAN = (0.5, 0.4, 0.6)
ALL: dict[str, Callable[[Tensor], Tensor]] = {
    "squared_norm": lambda pictures: squared_norm(pictures, MEAN),
    "p_norm": lambda pictures: p_norm(pictures, MEAN),
    "p_norm 3": lambda pictures: p_norm(pictures, MEAN, 3),
    "variation": variation,
    "squared_steps": squared_steps,
}
everything = pytest.mark.parametrize("regularizer", ALL.values(), ids=ALL.keys())


def drawn(count: int = 1) -> Tensor:
    return torch.rand(count, 3, 4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@everything
def test_the_gradient_is_right(regularizer: Callable[[Tensor], Tensor]) -> None:
    assert torch.autograd.gradcheck(regularizer, drawn(2).requires_grad_())


@everything
def test_one_number_for_each_picture(regularizer: Callable[[Tensor], Tensor]) -> None:
    pictures = drawn(3)
    alone = torch.cat([regularizer(picture) for picture in torch.split(pictures, 1)])

    assert alone.shape == (3,)
    assert torch.allclose(regularizer(pictures), alone)


@everything
def test_a_larger_picture_costs_no_more(regularizer: Callable[[Tensor], Tensor]) -> None:
    # Mirrored, so that no new edges come in between.
    small = drawn()
    large = torch.cat([small, small.flip(3)], dim=3).repeat(1, 1, 1, 20)

    assert float(regularizer(large)) == pytest.approx(float(regularizer(small)), rel=0.3)


def test_norms_by_hand() -> None:
    picture = torch.tensor(MEAN).view(1, 3, 1, 1).repeat(1, 1, 1, 2)
    assert squared_norm(picture, MEAN).tolist() == [0]
    assert p_norm(picture, MEAN).tolist() == [0]

    picture[0, :, 0, 0] += torch.tensor([0.1, 0.2, 0.2])

    assert float(squared_norm(picture, MEAN)) == pytest.approx(0.09 / 6)
    assert float(p_norm(picture, MEAN)) == pytest.approx((0.3 / USUAL_CONTRAST) ** 6 / 2, rel=1e-5)
    assert float(p_norm(picture, MEAN, 2)) == pytest.approx((0.3 / USUAL_CONTRAST) ** 2 / 2, rel=1e-5)


def test_squared_steps_of_a_known_3x3() -> None:
    picture = torch.zeros(1, 3, 3, 3)
    picture[0, 1] = torch.tensor([[1.0, 2.0, 0.0], [3.0, 2.0, 1.0], [0.0, 0.0, 4.0]])

    # To the right: 1, -2, -1, -1, 0, 4; down: 2, 0, 1, -3, -2, 3.
    squares = (1 + 4 + 1 + 1 + 0 + 16) + (4 + 0 + 1 + 9 + 4 + 9)
    assert float(squared_steps(picture)) == pytest.approx(squares / 9 / USUAL_STEP**2)


def test_blur_is_a_gaussian() -> None:
    picture = torch.zeros(2, 3, 21, 21, dtype=torch.float64)
    picture[0, 0, 10, 10] = 1
    places = torch.arange(-10, 11, dtype=torch.float64)
    bell = (-0.5 * (places / 1.5).square()).exp()
    bell /= bell.sum()

    found = blur(picture, 1.5)

    assert torch.allclose(found[0, 0], bell[:, None] * bell, atol=2e-4)
    assert float(found[0, 0].sum()) == pytest.approx(1)
    assert not found[0, 1:].any()
    assert not found[1].any()


@pytest.mark.parametrize("shape", [(1, 3, 1, 1), (1, 3, 2, 9)])
def test_blur_of_a_flat_picture_is_that_picture(shape: tuple[int, ...]) -> None:
    assert torch.allclose(blur(torch.full(shape, 0.3), 4.0), torch.full(shape, 0.3))


def test_decay_draws_towards_the_mean() -> None:
    picture = drawn().float()
    mean = torch.tensor(MEAN).view(1, 3, 1, 1)

    assert torch.allclose(decay(picture, MEAN, 0.25) - mean, 0.75 * (picture - mean), atol=1e-6)
    assert torch.equal(decay(picture, MEAN, 0.0), picture)
