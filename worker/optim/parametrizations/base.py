"""What a parametrization can do: variables to optimise, and the pictures that they stand for."""

from collections.abc import Sequence
from typing import Protocol

from torch import Tensor


class Parametrization(Protocol):
    """Variables of a batch, one real float32 tensor (N, ...), and their pictures (N, 3, height, width).

    Pictures are in [0, 1], and each depends on its own variables alone.
    """

    @property
    def height(self) -> int:
        """Of the pictures, in pixels."""

    @property
    def width(self) -> int:
        """Of the pictures, in pixels."""

    @property
    def bounded(self) -> bool:
        """Whether variables are pixels, which an optimizer keeps within [0, 1]."""

    def start(self, seeds: Sequence[int]) -> Tensor:
        """Variables to start from, one picture for each seed, on the CPU."""

    def picture(self, variables: Tensor) -> Tensor:
        """The pictures of variables, differentiable, float32 (float64 of float64)."""
