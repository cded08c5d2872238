import pytest
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from worker.optim.optimizers.adam import Adam
from worker.optim.parametrizations import (
    CONTRAST,
    Fourier,
    Parametrization,
    Phase,
    Pixels,
    frequency_scale,
    make_parametrization,
)

HEIGHT, WIDTH = 21, 30
ALL: dict[str, Parametrization] = {
    "pixels": Pixels(HEIGHT, WIDTH, noise=0.1),
    "fourier": Fourier(HEIGHT, WIDTH),
    "phase": Phase(HEIGHT, WIDTH),
}
everything = pytest.mark.parametrize("parametrization", ALL.values(), ids=ALL.keys())


def smooth(seed: int) -> Tensor:
    coarse = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    return interpolate(coarse, (HEIGHT, WIDTH), mode="bicubic").clamp(0.02, 0.98)


def fit(parametrization: Parametrization, wanted: Tensor, rate: float, steps: int) -> float:
    """Mean absolute error after a descent of the squared error."""
    variables = parametrization.start([5])
    optimizer = Adam(rate, bounded=parametrization.bounded)
    for _ in range(steps):
        here = variables.clone().requires_grad_()
        loss = (parametrization.picture(here) - wanted).square().mean()
        variables = optimizer.step(variables, torch.autograd.grad(loss, here)[0])
    return float((parametrization.picture(variables) - wanted).abs().mean())


@pytest.mark.parametrize("name", ["pixels", "fourier"])
def test_it_can_be_any_picture(name: str) -> None:
    assert fit(ALL[name], smooth(1), 0.1, 300) < 0.01


def test_phases_can_be_any_picture_of_those_magnitudes() -> None:
    phase = ALL["phase"]

    assert fit(phase, phase.picture(phase.start([9])), 0.1, 300) < 0.01


@everything
def test_pictures_are_in_range_and_different_by_seed(parametrization: Parametrization) -> None:
    pictures = parametrization.picture(parametrization.start([1, 2, 1]))

    assert pictures.shape == (3, 3, HEIGHT, WIDTH)
    assert pictures.dtype == torch.float32
    assert float(pictures.min()) >= 0
    assert float(pictures.max()) <= 1
    # How an inverse transform rounds may depend on where in memory its picture lies.
    torch.testing.assert_close(pictures[0], pictures[2])
    assert not torch.allclose(pictures[0], pictures[1], atol=1e-3)


@everything
def test_a_picture_depends_on_its_own_variables_alone(parametrization: Parametrization) -> None:
    variables = parametrization.start([1, 2, 3])
    alone = torch.cat([parametrization.picture(each) for each in torch.split(variables, 1)])

    assert torch.allclose(parametrization.picture(variables), alone, atol=1e-6)
    assert torch.equal(parametrization.start([3]), variables[2:])


@everything
def test_the_gradient_is_right(parametrization: Parametrization) -> None:
    small = type(parametrization)(3, 5)
    variables = (0.3 + 0.3 * small.start([1, 2])).double().requires_grad_()

    assert small.picture(variables).dtype == torch.float64
    assert torch.autograd.gradcheck(small.picture, variables)


@everything
@pytest.mark.parametrize("size", [(1, 1), (1, 7), (6, 1)])
def test_pictures_of_one_pixel_across(parametrization: Parametrization, size: tuple[int, int]) -> None:
    small = type(parametrization)(*size)
    variables = small.start([1]).requires_grad_()
    picture = small.picture(variables)
    (gradient,) = torch.autograd.grad(picture.sum(), variables)

    assert picture.shape == (1, 3, *size)
    assert torch.isfinite(picture).all()
    assert torch.isfinite(gradient).all()


def test_pixels_without_noise_are_the_mean_picture() -> None:
    picture = Pixels(4, 5, mean=(0.2, 0.4, 0.6)).start([1])

    assert torch.equal(picture, torch.tensor([0.2, 0.4, 0.6]).view(1, 3, 1, 1).expand(1, 3, 4, 5))


def test_pixels_start_in_range_and_stay_there() -> None:
    start = Pixels(9, 9, noise=2.0).start([1])

    assert float(start.min()) == 0
    assert float(start.max()) == 1
    assert [name for name, each in ALL.items() if each.bounded] == ["pixels"]


def test_parametrizations_by_name() -> None:
    for name, each in ALL.items():
        made = make_parametrization(name, 5, 7, mean=(0.1, 0.2, 0.3), noise=0.5)
        assert type(made) is type(each)
        assert (made.height, made.width) == (5, 7)


def test_a_fourier_picture_starts_almost_grey() -> None:
    picture = Fourier(64, 64).picture(Fourier(64, 64).start([1]))

    assert float((picture - 0.5).abs().mean()) < 0.05
    assert float(picture.std()) > 1e-4


def test_a_phase_picture_keeps_its_magnitudes() -> None:
    size = 64
    picture = Phase(size, size).picture(Phase(size, size).start([4]))
    logits = picture.logit()
    # The blue less green difference has nothing of the light; its magnitudes are 1 / frequency
    # (a sum of two colors' waves, each of one magnitude: their mean over directions).
    light = torch.fft.rfft2(logits.sum(1)[0], norm="ortho").abs()
    weights = frequency_scale(size, size)
    ring = [light[(weights > 1.1 * w / 1.2) & (weights < 1.1 * w)].mean() / w for w in (16.0, 8.0, 4.0)]

    assert max(ring) / min(ring) < 1.25
    assert float(logits.mean((2, 3)).abs().max()) < 1e-4
    # Green has the light and a little of purple: sqrt(0.5845**2 + 0.1082**2).
    assert float(logits[0, 1].std()) == pytest.approx(CONTRAST * 0.594, rel=0.03)
