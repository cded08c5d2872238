"""Pictures as their pixels."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from worker.optim.randomness import normal


@dataclass(frozen=True)
class Pixels:
    """The pixels themselves, kept within [0, 1].

    They start as normal noise of standard deviation ``noise`` about the color ``mean`` (RGB in [0, 1]); with
    0 as the mean picture, the "zero image" of Simonyan, Vedaldi and Zisserman (2014).
    """

    bounded: ClassVar[bool] = True

    height: int
    width: int
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)
    noise: float = 0.0

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from: (N, 3, height, width)."""
        drawn = normal(seeds, (3, self.height, self.width))
        return (torch.tensor(self.mean).view(1, 3, 1, 1) + self.noise * drawn).clamp(0, 1)

    def picture(self, variables: Tensor) -> Tensor:
        """The variables."""
        return variables
