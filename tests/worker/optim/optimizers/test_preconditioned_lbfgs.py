import gc
import math

import pytest
import torch
from torch import Tensor

from tests.support.loss_sums import rand
from worker.optim.optimizers import preconditioned_lbfgs as module
from worker.optim.optimizers.lbfgs import LBFGS
from worker.optim.optimizers.preconditioned_lbfgs import (
    BANDS,
    COLORS,
    PreconditionedLBFGS,
    _energies,
    _places,
)

SIZE = 24, 32


def learned(seed: int = 0, height: int = SIZE[0], width: int = SIZE[1]) -> PreconditionedLBFGS:
    """One that has seen a few gradients of noise."""
    optimizer = PreconditionedLBFGS(10)
    picture = rand(height, width, seed)
    for _ in range(4):
        picture = optimizer.step(picture, _blurred(picture - 0.5))
    return optimizer


def _blurred(picture: Tensor) -> Tensor:
    return picture + torch.nn.functional.avg_pool2d(picture, 5, 1, 2, count_include_pad=False)


def wave(color: int, octave: int, height: int = 64, width: int = 64) -> Tensor:
    """A cosine of one of COLORS, an octave or more below half a cycle a pixel."""
    phase = math.pi * torch.arange(width, dtype=torch.float64) * 2.0**-octave
    across = torch.cos(phase).expand(height, width)
    return torch.tensor(COLORS[color], dtype=torch.float64).view(1, 3, 1, 1) * across


@pytest.mark.parametrize(("height", "width"), [(24, 32), (17, 21), (16, 33), (1, 8)])
def test_energies_are_all_of_the_squares(height: int, width: int) -> None:
    picture = rand(height, width, 1) - 0.3
    torch.testing.assert_close(_energies(picture, _places(picture)).sum(), picture.square().sum())


@pytest.mark.parametrize("color", range(3))
@pytest.mark.parametrize("octave", range(BANDS - 1))
def test_a_wave_is_in_the_band_of_its_octave_and_color(color: int, octave: int) -> None:
    picture = wave(color, octave)
    energies = _energies(picture, _places(picture))
    expected = torch.zeros_like(energies)
    expected[color, octave] = energies.sum()
    torch.testing.assert_close(energies, expected)


def test_the_first_step_is_that_of_l_bfgs() -> None:
    picture, gradient = rand(*SIZE, 1), rand(*SIZE, 2) - 0.5
    found = PreconditionedLBFGS(10).step(picture, gradient)
    torch.testing.assert_close(found, LBFGS().step(picture, gradient))


@pytest.mark.parametrize(("height", "width"), [SIZE, (17, 21)])
def test_the_initial_matrix_is_symmetric_and_positive(height: int, width: int) -> None:
    optimizer = learned(0, height, width)
    one, other = (rand(height, width, seed) - 0.5 for seed in (3, 4))

    def product(a: Tensor, b: Tensor) -> float:
        return float((a * optimizer._initial(b.clone())).sum())

    assert product(one, other) == pytest.approx(product(other, one), rel=1e-9)
    assert product(one, one) > 0


def test_a_color_and_octave_is_multiplied_by_the_root_of_its_energies() -> None:
    optimizer = PreconditionedLBFGS(10)
    optimizer._energies = torch.ones(2, 3, BANDS, dtype=torch.float64)
    optimizer._energies[0, 1, 2] = 25.0
    for color, octave, factor in ((1, 2, 5.0), (1, 1, 1.0), (0, 2, 1.0)):
        torch.testing.assert_close(optimizer._scaled(wave(color, octave)), factor * wave(color, octave))


def test_the_newest_pair_has_the_curvature_that_was_measured() -> None:
    optimizer = learned()
    step, change = optimizer._steps[-1], optimizer._changes[-1]
    curvature = (change * optimizer._initial(change.clone())).sum()
    torch.testing.assert_close(curvature, (step * change).sum())


def filtered(picture: Tensor) -> Tensor:
    """The gradient of a quadratic whose curvature falls by 4 with each octave, and with each color."""
    height, width = picture.shape[-2:]
    rows = torch.fft.fftfreq(height, dtype=torch.float64)
    columns = torch.fft.rfftfreq(width, dtype=torch.float64)
    curvature = torch.hypot(rows[:, None], columns[None]).clamp_min(1 / 64) ** 2
    colors = torch.tensor(COLORS, dtype=torch.float64)
    spectrum = torch.fft.rfft2(torch.einsum("cd,dhw->chw", colors, picture[0]))
    weighted = spectrum * curvature * torch.tensor([1.0, 1 / 4, 1 / 16], dtype=torch.float64).view(3, 1, 1)
    found = torch.fft.irfft2(weighted, s=(height, width))
    return torch.einsum("cd,chw->dhw", colors, found)[None]


def test_where_curvature_differs_by_frequency_and_color_it_takes_fewer_evaluations() -> None:
    optimum = 0.3 + 0.4 * rand(*SIZE, 5)

    def distance(optimizer: LBFGS) -> float:
        picture = torch.full_like(optimum, 0.5)
        for _ in range(25):
            picture = optimizer.step(picture, filtered(picture - optimum))
        return float((picture - optimum).norm())

    assert distance(PreconditionedLBFGS(10)) < 0.3 * distance(LBFGS())


@pytest.mark.medium
def test_it_ends_on_the_bounds_where_the_optimum_is_beyond() -> None:
    optimum, picture = 3 * rand(*SIZE, 6) - 1, rand(*SIZE, 7)
    curvature = 0.5 + 10 * rand(*SIZE, 8)
    optimizer = PreconditionedLBFGS(10)
    for _ in range(200):
        picture = optimizer.step(picture, curvature * (picture - optimum))
    torch.testing.assert_close(picture, optimum.clamp(0, 1), atol=1e-4, rtol=0)


def test_it_goes_on_from_its_state_bit_for_bit() -> None:
    optimizer, other = learned(), PreconditionedLBFGS(10)
    other.restore(optimizer.state())
    picture = optimizer._last[0] if optimizer._last is not None else rand(*SIZE, 0)
    picture = picture + 0.01 * rand(*SIZE, 9)
    for seed in range(3):
        gradient = rand(*SIZE, 10 + seed) - 0.5
        picture, found = optimizer.step(picture, gradient), other.step(picture, gradient)
        assert torch.equal(picture, found)


def test_one_of_the_next_scale_begins_with_what_is_known_of_the_bands() -> None:
    before = learned()
    after = PreconditionedLBFGS(10, like=before)
    picture, gradient = rand(34, 45, 1), rand(34, 45, 2) - 0.5
    step = after.step(picture, gradient) - picture
    expected = before._scaled(gradient.clone())
    cosine = torch.nn.functional.cosine_similarity(-step.flatten(), expected.flatten(), dim=0)
    assert float(cosine) > 0.99
    assert not torch.allclose(step / step.norm(), -gradient / gradient.norm(), atol=1e-3)


@pytest.mark.medium
def test_nothing_as_large_as_a_picture_outlives_an_optimizer() -> None:
    height, width = 61, 53

    def held() -> int:
        gc.collect()
        shapes = [each.shape for each in gc.get_objects() if type(each) is Tensor]
        return sum(shape[-2:] in ((height, width), (height, width // 2 + 1)) for shape in shapes)

    optimizer = learned(0, height, width)
    assert held() > 0
    del optimizer
    assert held() == 0


def test_a_step_that_memory_ran_out_in_is_taken_again(monkeypatch: pytest.MonkeyPatch) -> None:
    optimizer, other = learned(), learned()
    assert optimizer._last is not None
    picture, gradient = optimizer._last[0] + 0.01, rand(*SIZE, 9) - 0.5

    def no_memory(*_: Tensor) -> Tensor:
        raise MemoryError

    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr(module, "_energies", no_memory)
        optimizer.step(picture, gradient)
    torch.testing.assert_close(
        optimizer.step(picture, gradient), other.step(picture, gradient), rtol=0, atol=0
    )
