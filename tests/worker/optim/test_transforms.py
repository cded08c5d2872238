import math

import pytest
import torch
from torch import Tensor

from worker.optim.randomness import generator_at
from worker.optim.transforms import (
    PAD_VALUE,
    Transform,
    crop,
    in_turn,
    jitter,
    noise,
    pad,
    roll,
    rotate,
    scale,
)

ALL: dict[str, Transform] = {
    "roll": roll(3),
    "pad": pad(2),
    "jitter": jitter(4),
    "scale": scale(0.2),
    "rotate": rotate(20),
    "crop": crop(0.4),
    "noise": noise(0.1),
    "all": in_turn([pad(3), jitter(4), scale(0.1), rotate(10), noise(0.05)]),
}
everything = pytest.mark.parametrize("transform", ALL.values(), ids=ALL.keys())


def drawn(count: int = 1, height: int = 12, width: int = 17) -> Tensor:
    return torch.rand(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def look(transform: Transform, pictures: Tensor, seed: int = 1) -> Tensor:
    return transform(pictures, [generator_at(seed + place) for place in range(len(pictures))])


@everything
def test_the_seed_decides_and_nothing_else(transform: Transform) -> None:
    pictures = drawn(3)
    torch.manual_seed(1)
    first = look(transform, pictures)
    torch.manual_seed(2)

    assert torch.equal(look(transform, pictures), first)
    for place in range(3):
        alone = look(transform, pictures[place : place + 1], seed=1 + place)
        assert torch.allclose(alone, first[place : place + 1], atol=1e-6)


@pytest.mark.medium
@everything
def test_the_gradient_is_right(transform: Transform) -> None:
    pictures = drawn(2, 6, 5).double().requires_grad_()

    assert torch.autograd.gradcheck(lambda x: look(transform, x), pictures)


def test_roll_and_unroll() -> None:
    pictures = drawn(8)
    shifted = look(roll(5), pictures)
    found = set()
    for picture, seen in zip(pictures, shifted, strict=True):
        (shift,) = (
            (dy, dx)
            for dy in range(-5, 6)
            for dx in range(-5, 6)
            if torch.equal(picture.roll((dy, dx), (1, 2)), seen)
        )
        assert torch.equal(seen.roll((-shift[0], -shift[1]), (1, 2)), picture)
        found.add(shift)
    assert len(found) > 4


def test_the_gradient_finds_its_way_back_through_a_roll() -> None:
    picture = drawn().requires_grad_()
    marked = torch.zeros(1, 3, 12, 17)
    marked[..., 4, 7] = 1
    seen = look(roll(5), picture)
    (gradient,) = torch.autograd.grad((seen * look(roll(5), marked)).sum(), picture)

    assert torch.equal(gradient, marked)


def test_rolls_reach_as_far_as_they_may_and_no_farther() -> None:
    picture = torch.arange(9.0).view(1, 1, 1, 9).expand(1, 3, 9, 9)
    shifts = {int(look(roll(2), picture, seed)[0, 0, 0, 4]) for seed in range(60)}

    assert shifts == {2, 3, 4, 5, 6}


def test_pad_surrounds_with_grey() -> None:
    picture = drawn()
    seen = look(pad(2), picture)

    assert torch.equal(seen[..., 2:-2, 2:-2], picture)
    assert seen.sum((2, 3)) - picture.sum((2, 3)) == pytest.approx(PAD_VALUE * (16 * 21 - 12 * 17), abs=0.01)


def test_jitter_takes_a_window_and_reaches_every_edge() -> None:
    picture = torch.arange(5.0).view(1, 1, 5, 1) + torch.arange(6.0).view(1, 1, 1, 6)
    picture = picture.expand(1, 3, 5, 6)
    corners = set()
    for seed in range(60):
        seen = look(jitter(2), picture, seed)
        assert seen.shape == (1, 3, 3, 4)
        corners.add(int(seen[0, 0, 0, 0]))
    assert corners == {0, 1, 2, 3, 4}


def test_jitter_of_a_picture_that_is_smaller() -> None:
    assert look(jitter(50), drawn()).shape == (1, 3, 1, 1)


def test_scaling_enlarges_about_the_middle() -> None:
    ramp = torch.linspace(-1, 1, 41).view(1, 1, 1, 41).expand(1, 3, 41, 41)
    factors = []
    for seed in range(30):
        seen = look(scale(0.3), ramp, seed)[0, 0, 20]
        assert float(seen[20]) == pytest.approx(0, abs=1e-6)
        # The middle's slope is that of the ramp divided by the factor.
        factors.append(float(ramp[0, 0, 0, 24] / seen[24]))
        assert torch.allclose(look(scale(0.3), ramp, seed)[0, 0, :, 24], seen[24].expand(41), atol=1e-5)

    assert 0.7 <= min(factors) < 0.8
    assert 1.2 < max(factors) <= 1.3


@pytest.mark.parametrize("size", [(41, 41), (41, 61), (61, 31)])
def test_rotation_turns_and_does_not_shear(size: tuple[int, int]) -> None:
    height, width = size
    down = (torch.arange(height) - (height - 1) / 2).view(1, 1, height, 1).expand(1, 1, height, width)
    right = (torch.arange(width) - (width - 1) / 2).view(1, 1, 1, width).expand(1, 1, height, width)
    picture = torch.cat([down, right, down], dim=1)
    angles = []
    for seed in range(10):
        seen = look(rotate(30), picture, seed)[0]
        # A point 8 pixels to the right of the middle looks where it is turned to.
        y, x = float(seen[0, height // 2, width // 2 + 8]), float(seen[1, height // 2, width // 2 + 8])
        assert math.hypot(y, x) == pytest.approx(8, rel=1e-4)
        angles.append(math.degrees(math.atan2(y, x)))

    assert -30 <= min(angles) < -5
    assert 5 < max(angles) <= 30


def test_crops_are_within_the_picture() -> None:
    ramp = torch.linspace(-1, 1, 200).view(1, 1, 1, 200).expand(1, 3, 50, 200)
    shares = []
    for seed in range(40):
        seen = look(crop(0.3), ramp, seed)[0, 0, 25]
        assert seen.diff().min() > 0  # no reflection at an edge
        shares.append(float(seen[-1] - seen[0]) / 2)

    assert 0.28 < min(shares) < 0.4
    assert 0.9 < max(shares) < 1


def test_noise_has_its_deviation() -> None:
    pictures = torch.full((2, 3, 40, 40), 0.5)
    difference = look(noise(0.1), pictures) - pictures

    assert float(difference.std()) == pytest.approx(0.1, rel=0.03)
    assert float(difference.mean()) == pytest.approx(0, abs=0.005)


@pytest.mark.parametrize(
    "transform", [roll(0), pad(0), jitter(0), scale(0), rotate(0), crop(1), noise(0), in_turn([])]
)
def test_an_extent_of_nothing_changes_nothing(transform: Transform) -> None:
    pictures = drawn(2)

    assert torch.allclose(look(transform, pictures), pictures, atol=1e-5)
