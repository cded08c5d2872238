"""Parametrizations: variables to optimise, and the pictures that they stand for.

Spectra of decorrelated colors are those of Olah, Mordvintsev, Schubert, "Feature visualization", Distill
2017, section "Preconditioning and parameterization": steepest descent in a basis in which the pixels of
photographs are uncorrelated takes large and small shapes forward at the same pace, and leaves no
high-frequency noise.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from worker.optim.randomness import generator_at, normal

# Square root of the covariance of the RGB values of ImageNet's pictures, column by column the three
# decorrelated colors (light and dark, blue and orange, green and purple), divided by the longest column: the
# published constants of lucid (optvis/param/color.py).
COLORS = (
    (0.56282854, 0.19482527, 0.04329450),
    (0.58447580, 0.0, -0.10823626),
    (0.58447580, -0.19482527, 0.06494176),
)

# What lucid divides the pictures of its spectra by, so that steps of 0.05 have a suitable size.
FOURIER_DAMPING = 4.0

# Standard deviation of each color of a phase picture before the sigmoid. RGB values then deviate by 0.2, less
# than those of most photographs; with more, no choice of phases avoids saturated pixels.
CONTRAST = 1.6


@dataclass(frozen=True)
class Parametrization(ABC):
    """Variables of a batch, one real float32 tensor (N, ...), and their pictures (N, 3, height, width).

    Pictures are in [0, 1], and each depends on its own variables alone. An optimizer keeps ``bounded``
    variables, which are pixels, within [0, 1].
    """

    bounded: ClassVar[bool] = False

    height: int
    width: int

    @abstractmethod
    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from, one picture for each seed, on the CPU."""

    @abstractmethod
    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of variables, differentiable, float32 (float64 of float64)."""


@dataclass(frozen=True)
class Pixels(Parametrization):
    """The pixels themselves, (N, 3, height, width), kept within [0, 1].

    They start as normal noise of standard deviation ``noise`` about the color ``mean`` (RGB in [0, 1]); with
    0 as the mean picture, the "zero image" of Simonyan, Vedaldi and Zisserman (2014).
    """

    bounded: ClassVar[bool] = True

    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    noise: float = 0.0

    def start(self, seeds: Sequence[int]) -> Tensor:
        drawn = normal(seeds, (3, self.height, self.width))
        return (torch.tensor(self.mean).view(1, 3, 1, 1) + self.noise * drawn).clamp(0, 1)

    def picture(self, variables: Tensor) -> Tensor:
        return variables


@dataclass(frozen=True)
class Fourier(Parametrization):
    """A spectrum of decorrelated colors, in which every frequency weighs as in photographs.

    Variables are real and imaginary parts, (N, 3, height, width // 2 + 1, 2), and start as normal noise of
    standard deviation ``noise``; lucid's is 0.01, almost grey. Pictures are squashed into (0, 1).
    """

    noise: float = 0.01

    def start(self, seeds: Sequence[int]) -> Tensor:
        return self.noise * normal(seeds, (3, self.height, self.width // 2 + 1, 2))

    def picture(self, variables: Tensor) -> Tensor:
        weights = frequency_scale(self.height, self.width).to(variables)
        colors = irfft2(torch.view_as_complex(variables) * weights, self.width) / FOURIER_DAMPING
        return color_correlate(colors).sigmoid()


@dataclass(frozen=True)
class Phase(Parametrization):
    """The phases of a spectrum whose magnitudes stay what they are in photographs, 1 / frequency.

    Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained optimization"
    (MACO), NeurIPS 2023, section 3: no frequency can be made louder, so none can cheat. They average the
    magnitudes of ImageNet; 1 / frequency is their law, and needs no pictures. Variables are phases in
    radians, (N, 3, height, width // 2 + 1), random to begin with. Pictures are squashed into (0, 1).
    """

    def start(self, seeds: Sequence[int]) -> Tensor:
        shape = (3, self.height, self.width // 2 + 1)
        drawn = [torch.rand(shape, generator=generator_at(seed)) for seed in seeds]
        return 2 * math.pi * torch.stack(drawn)

    def picture(self, variables: Tensor) -> Tensor:
        magnitudes = frequency_scale(self.height, self.width)
        magnitudes[0, 0] = 0
        colors = irfft2(torch.polar(magnitudes.to(variables).expand_as(variables), variables), self.width)
        # Each color has mean 0 and one deviation. A picture of one pixel has no magnitude but the constant's.
        variance = colors.square().mean((2, 3), keepdim=True).clamp_min(torch.finfo(colors.dtype).tiny)
        return color_correlate(CONTRAST * colors / variance.sqrt()).sigmoid()


def make_parametrization(
    name: str, height: int, width: int, *, mean: tuple[float, float, float], noise: float | None
) -> Parametrization:
    """A parametrization of pictures of ``height`` by ``width`` pixels.

    It starts from noise of standard deviation ``noise`` (None: 0) about the color ``mean``, where it has a
    use for these.
    """
    made: dict[str, Parametrization] = {
        "pixels": Pixels(height, width, mean, noise or 0.0),
        "fourier": Fourier(height, width, noise or 0.0),
        "phase": Phase(height, width),
    }
    return made[name]


def frequencies(height: int, width: int) -> Tensor:
    """Length of the frequency of each coefficient of ``rfft2``, (height, width // 2 + 1) float32.

    In cycles a pixel: 0 to sqrt(1/2).
    """
    vertical, horizontal = torch.fft.fftfreq(height), torch.fft.rfftfreq(width)
    return torch.hypot(vertical[:, None], horizontal[None, :])


def frequency_scale(height: int, width: int, decay: float = 1.0) -> Tensor:
    """1 / frequency**decay, the shape of photographs' amplitudes, as :func:`frequencies`.

    The constant, of frequency 0, counts as the longest wave that fits.
    """
    return frequencies(height, width).clamp_min(1 / max(height, width)).pow(-decay)


def irfft2(spectrum: Tensor, width: int) -> Tensor:
    """The real signal (..., H, width) of a complex half-spectrum (..., H, width // 2 + 1).

    Scaled so that the root of the mean square of signal and (whole) spectrum are equal.
    """
    # Without the width an odd one could not be told from the even one below it.
    values: Tensor = torch.fft.irfft2(spectrum, s=(spectrum.shape[-2], width), norm="ortho")
    return values


def color_correlate(colors: Tensor) -> Tensor:
    """RGB, of any range, from decorrelated colors; both (N, 3, H, W)."""
    matrix = torch.tensor(COLORS, dtype=colors.dtype, device=colors.device)
    return torch.einsum("rc,nchw->nrhw", matrix, colors)
