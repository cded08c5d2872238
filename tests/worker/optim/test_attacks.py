import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from tests.support.networks import make_classifier
from worker.optim.attacks import Ball, Norm, ProjectedStep, amplified, log_probability, norms, quantize_8bit

NORMS = pytest.mark.parametrize("norm", ["linf", "l2"])


def drawn(seed: int, count: int = 3, side: int = 6, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, 3, side, side, generator=generator, dtype=dtype)


def lengths(change: Tensor, norm: Norm) -> Tensor:
    flat = change.double().flatten(1)
    return flat.abs().amax(1) if norm == "linf" else flat.norm(dim=1)


def test_the_log_probability_of_a_class() -> None:
    scores = torch.tensor([[1.0, 2.0, 0.0], [0.0, 0.0, 50.0]])

    values = log_probability(1).value({"logits": scores})

    assert float(values[0].exp()) == pytest.approx(math.e**2 / (math.e + math.e**2 + 1))
    # Where the probability itself is 0 to seven digits.
    assert float(values[1]) == pytest.approx(-50)
    assert log_probability(0).value({"logits": scores.bfloat16()}).dtype == torch.float32


def test_the_gradient_of_the_log_probability() -> None:
    network = make_classifier(torch.float64)
    objective = log_probability(2)
    pictures = drawn(1, 2, 8, torch.float64).requires_grad_()

    assert torch.autograd.gradcheck(
        lambda x: objective.value(network.features(x, objective.layers)), pictures, fast_mode=True
    )


def test_steepest_and_projected_by_hand() -> None:
    change = torch.tensor([[[[3.0, -4.0, 0.0]]]])

    assert Ball("linf", 2.0).steepest(change).flatten().tolist() == [1, -1, 0]
    assert Ball("l2", 2.0).steepest(change).flatten().tolist() == pytest.approx([0.6, -0.8, 0])
    assert Ball("linf", 2.0).project(change).flatten().tolist() == [2, -2, 0]
    assert Ball("l2", 2.0).project(change).flatten().tolist() == pytest.approx([1.2, -1.6, 0])
    for norm in ("linf", "l2"):
        inside = Ball(norm, 7.0)
        assert torch.equal(inside.project(change), change)
        assert not inside.steepest(torch.zeros_like(change)).any()


def test_the_direction_of_a_gradient_that_almost_vanishes() -> None:
    gradient = torch.tensor([[[[3e-35, -4e-35]]], [[[3.0, -4.0]]]])

    found = Ball("l2", 1.0).steepest(gradient)

    assert torch.allclose(found[0], found[1])


@NORMS
@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 1000), radius=st.floats(0.001, 20), rate=st.floats(0.001, 10))
def test_steps_leave_neither_the_ball_nor_the_range(
    norm: Norm, seed: int, radius: float, rate: float
) -> None:
    # Values at 0 and 1 too.
    originals = (2 * drawn(seed) - 0.5).clamp(0, 1)
    optimizer = ProjectedStep(originals, Ball(norm, radius), rate)
    pictures = originals
    for step in range(5):
        pictures = optimizer.step(pictures, drawn(seed + step) - 0.3)
        # float32 has 24 bits, and radii are up to 20.
        assert float(lengths(pictures - originals, norm).max()) <= radius + 1e-6 * max(1.0, radius)
        assert 0 <= float(pictures.min()) <= float(pictures.max()) <= 1


def test_the_norm_holds_over_the_values_of_a_large_picture() -> None:
    originals = 0.25 + 0.5 * drawn(1, 1, 200)

    found = ProjectedStep(originals, Ball("l2", 3.0), 100.0).step(originals, drawn(2, 1, 200) - 0.5)

    assert float(lengths(found - originals, "l2")) == pytest.approx(3.0, abs=1e-6)


@NORMS
def test_random_changes_fill_the_ball(norm: Norm) -> None:
    ball = Ball(norm, 0.5)
    like = torch.zeros(400, 1, 1, 2)

    changes = ball.random(like, range(400))

    sizes = lengths(changes, norm)
    assert float(sizes.max()) <= 0.5
    # Uniform: as many of them within half the area as beyond, of square and disc alike.
    assert float((sizes < 0.5 * math.sqrt(0.5)).double().mean()) == pytest.approx(0.5, abs=0.06)
    assert float(changes.mean()) == pytest.approx(0, abs=0.03)
    # Each from its own seed, whatever is beside it.
    assert torch.equal(ball.random(like[:3], [5, 6, 7]), changes[5:8])
    assert torch.equal(ball.random(like[:1], [6]), changes[6:7])


def test_norms_are_in_levels() -> None:
    change = torch.zeros(1, 3, 4, 4)
    change[0, 0, 0, :2] = torch.tensor([3 / 255, -4 / 255])

    assert norms(change) == {"linf": pytest.approx(4), "l2": pytest.approx(5)}


def test_a_change_is_amplified_about_grey() -> None:
    change = torch.tensor([0.01, -0.02, 0.0]).view(1, 3, 1, 1)

    picture, factor = amplified(change)

    assert factor == pytest.approx(25)
    assert picture.flatten().tolist() == pytest.approx([0.75, 0, 0.5])
    nothing, factor = amplified(torch.zeros(1, 3, 2, 2))
    assert factor == 1
    assert bool((nothing == 0.5).all())


def test_what_a_file_keeps() -> None:
    pictures = torch.tensor([0.0, 0.4 / 255, 0.6 / 255, 1.0])

    assert (255 * quantize_8bit(pictures)).tolist() == pytest.approx([0, 0, 1, 255])
