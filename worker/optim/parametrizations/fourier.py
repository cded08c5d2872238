"""Pictures as spectra."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from worker.optim.parametrizations.spectrum import color_correlate, frequency_scale, irfft2
from worker.optim.randomness import normal

# What lucid divides the pictures of its spectra by, so that steps of 0.05 have a suitable size.
FOURIER_DAMPING = 4.0


@dataclass(frozen=True)
class Fourier:
    """A spectrum of decorrelated colors, in which every frequency weighs as in photographs.

    Starts as normal noise of standard deviation ``noise``; lucid's is 0.01, almost grey.
    """

    bounded: ClassVar[bool] = False

    height: int
    width: int
    noise: float = 0.01

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from: real and imaginary parts, (N, 3, height, width // 2 + 1, 2)."""
        return self.noise * normal(seeds, (3, self.height, self.width // 2 + 1, 2))

    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of spectra, squashed into (0, 1)."""
        weights = frequency_scale(self.height, self.width).to(variables)
        colors = irfft2(torch.view_as_complex(variables) * weights, self.width) / FOURIER_DAMPING
        return color_correlate(colors).sigmoid()
