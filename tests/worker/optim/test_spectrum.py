import numpy as np
import pytest
import torch

from worker.optim.parametrizations import COLORS, color_correlate, frequencies, frequency_scale, irfft2

sizes = pytest.mark.parametrize("size", [(8, 8), (7, 7), (6, 9), (9, 6), (5, 12), (1, 4), (3, 1), (1, 1)])


@sizes
def test_frequencies_are_those_of_numpy(size: tuple[int, int]) -> None:
    height, width = size
    down, right = np.meshgrid(np.fft.fftfreq(height), np.fft.rfftfreq(width), indexing="ij")

    assert np.allclose(frequencies(height, width).numpy(), np.sqrt(down**2 + right**2), atol=1e-7)


@sizes
def test_a_signal_has_the_spectrum_that_it_was_made_of(size: tuple[int, int]) -> None:
    values = torch.rand(2, 3, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    spectrum = torch.from_numpy(np.fft.rfft2(values.numpy(), norm="ortho"))

    assert torch.allclose(irfft2(spectrum, size[1]), values)


def test_a_single_coefficient_is_a_wave() -> None:
    spectrum = torch.zeros(4, 5, dtype=torch.complex64)
    spectrum[0, 2] = 1
    wave = irfft2(spectrum, 8)

    # Two periods over eight pixels; with its mirror image the coefficient has a size of 2 / sqrt(32).
    expected = 2 / 32**0.5 * torch.cos(2 * torch.pi * 2 * torch.arange(8) / 8)
    assert torch.allclose(wave, expected.expand(4, 8), atol=1e-6)


def test_pink_falls_with_the_frequency() -> None:
    weights = frequency_scale(4, 8)

    assert weights[0, 0] == 8  # the longest wave that fits
    assert weights[0, 1] == 8
    assert weights[0, 2] == 4
    assert weights[2, 0] == 2
    assert torch.allclose(frequency_scale(4, 8, 2.0), weights.square())


def test_the_first_color_is_light_and_the_others_have_none() -> None:
    # By the lucid constants the first column is nearly grey, and the others' RGB values nearly cancel.
    colors = torch.zeros(3, 3, 1, 1)
    for place in range(3):
        colors[place, place] = 1
    rgb = color_correlate(colors)[..., 0, 0]

    assert torch.allclose(rgb, torch.tensor(COLORS).T)
    assert float(rgb[0].std() / rgb[0].mean()) < 0.03
    assert float(rgb[1:].sum(1).abs().max()) < 0.01
