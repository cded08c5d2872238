"""Parametrisations: what is moved when a picture is optimised, and the picture that it stands for.

The variables of a batch are one real float32 tensor, (N, ...), and the picture of each depends on its own
alone.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from worker.optim.fourier import correlate, pink, signal
from worker.optim.randomness import generator_at

# What lucid divides the pictures of its spectra by, so that steps of 0.05 are neither timid nor wild.
FOURIER_DAMPING = 4.0

# Standard deviation of each color of a phase picture before it is squashed into [0, 1]. RGB values then
# deviate by 0.2, less than those of most photographs; with more, what no phase can remove is in the way.
CONTRAST = 1.6


class Parametrization(Protocol):
    """Variables and the pictures (N, 3, height, width) in [0, 1] that they stand for."""

    @property
    def height(self) -> int:
        """Of the pictures, in pixels."""

    @property
    def width(self) -> int:
        """Of the pictures, in pixels."""

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from, one picture for each seed, on the CPU."""

    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of variables, differentiable, float32 (float64 of float64)."""

    def project(self, variables: Tensor) -> Tensor:
        """The nearest variables that stand for a picture."""


@dataclass(frozen=True)
class Pixels:
    """The pixels themselves, kept within [0, 1].

    They start as normal noise of standard deviation ``noise`` about the color ``mean`` (RGB in [0, 1]); with
    0 as the mean picture, the "zero image" of Simonyan, Vedaldi and Zisserman (2014).
    """

    height: int
    width: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    noise: float = 0.0

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from: (N, 3, height, width)."""
        drawn = _normal(seeds, (3, self.height, self.width))
        return self.project(torch.tensor(self.mean).view(1, 3, 1, 1) + self.noise * drawn)

    def picture(self, variables: Tensor) -> Tensor:
        """The variables."""
        return variables

    def project(self, variables: Tensor) -> Tensor:
        """The variables, cut off at 0 and 1."""
        return variables.clamp(0, 1)


@dataclass(frozen=True)
class Fourier:
    """A spectrum of decorrelated colors, in which every frequency weighs as in photographs.

    Starts as normal noise of standard deviation ``noise``; lucid's is 0.01, almost grey.
    """

    height: int
    width: int
    noise: float = 0.01

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from: real and imaginary parts, (N, 3, height, width // 2 + 1, 2)."""
        return self.noise * _normal(seeds, (3, self.height, self.width // 2 + 1, 2))

    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of spectra, squashed into (0, 1)."""
        weights = pink(self.height, self.width).to(variables)
        colors = signal(torch.view_as_complex(variables) * weights, self.width) / FOURIER_DAMPING
        return correlate(colors).sigmoid()

    def project(self, variables: Tensor) -> Tensor:
        """The variables: every spectrum stands for a picture."""
        return variables


@dataclass(frozen=True)
class Phase:
    """The phases of a spectrum whose magnitudes stay what they are in photographs, 1 / frequency.

    Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained optimization"
    (MACO), NeurIPS 2023, section 3: no frequency can be made louder, so none can cheat. They average the
    magnitudes of ImageNet; 1 / frequency is their law, and needs no pictures. Starts with random phases.
    """

    height: int
    width: int

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from: phases in radians, (N, 3, height, width // 2 + 1)."""
        shape = (3, self.height, self.width // 2 + 1)
        drawn = [torch.rand(shape, generator=generator_at(seed)) for seed in seeds]
        return 2 * math.pi * torch.stack(drawn)

    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of phases, each color of mean 0 and of one deviation, squashed into (0, 1)."""
        magnitudes = pink(self.height, self.width)
        magnitudes[0, 0] = 0
        colors = signal(torch.polar(magnitudes.to(variables).expand_as(variables), variables), self.width)
        # A picture of one pixel has no magnitude but the constant's.
        variance = colors.square().mean((2, 3), keepdim=True).clamp_min(torch.finfo(colors.dtype).tiny)
        return correlate(CONTRAST * colors / variance.sqrt()).sigmoid()

    def project(self, variables: Tensor) -> Tensor:
        """The variables: every angle is one."""
        return variables


def _normal(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Normal numbers (N, *shape), those of a picture from its own seed."""
    return torch.stack([torch.randn(shape, generator=generator_at(seed)) for seed in seeds])
