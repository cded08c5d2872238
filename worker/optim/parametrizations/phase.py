"""Pictures as the phases of a spectrum of fixed magnitudes."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from worker.optim.parametrizations.spectrum import color_correlate, frequency_scale, irfft2
from worker.optim.randomness import generator_at

# Standard deviation of each color of a phase picture before the sigmoid. RGB values then deviate by 0.2, less
# than those of most photographs; with more, no choice of phases avoids saturated pixels.
CONTRAST = 1.6


@dataclass(frozen=True)
class Phase:
    """The phases of a spectrum whose magnitudes stay what they are in photographs, 1 / frequency.

    Fel et al., "Unlocking feature visualization for deeper networks with magnitude constrained optimization"
    (MACO), NeurIPS 2023, section 3: no frequency can be made louder, so none can cheat. They average the
    magnitudes of ImageNet; 1 / frequency is their law, and needs no pictures. Starts with random phases.
    """

    bounded: ClassVar[bool] = False

    height: int
    width: int

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from: phases in radians, (N, 3, height, width // 2 + 1)."""
        shape = (3, self.height, self.width // 2 + 1)
        drawn = [torch.rand(shape, generator=generator_at(seed)) for seed in seeds]
        return 2 * math.pi * torch.stack(drawn)

    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of phases, each color of mean 0 and of one deviation, squashed into (0, 1)."""
        magnitudes = frequency_scale(self.height, self.width)
        magnitudes[0, 0] = 0
        colors = irfft2(torch.polar(magnitudes.to(variables).expand_as(variables), variables), self.width)
        # A picture of one pixel has no magnitude but the constant's.
        variance = colors.square().mean((2, 3), keepdim=True).clamp_min(torch.finfo(colors.dtype).tiny)
        return color_correlate(CONTRAST * colors / variance.sqrt()).sigmoid()
