"""The sheet that a variant draws on: coordinates, the size of a pixel, random numbers, colours."""

from functools import cached_property

import torch
from torch import Tensor

from models.procedural import noise
from models.procedural.fields import rotate, slope
from models.procedural.hashing import series, unit

_BLOCK = 64


class _Stream:
    """Hashes of seeds, one column after the other; made in blocks, since a small tensor costs as much."""

    def __init__(self, seeds: Tensor) -> None:
        self._seeds = seeds
        self._used = 0
        self._columns: tuple[Tensor, ...] = ()

    def next(self) -> Tensor:
        """The next hash per seed, (n,)."""
        place = self._used % _BLOCK
        if place == 0:
            self._columns = series(self._seeds, 1 + self._used // _BLOCK, _BLOCK).unbind(1)
        self._used += 1
        return self._columns[place]


class Sheet:
    """A batch of sheets, one per picture, that share a drawing function but nothing else.

    ``x`` and ``y`` (n, h, w) span about [-1, 1], y downwards; ``seeds`` is (n,). ``colors`` are those of the
    class's roles, each (n, 3, 1, 1). Random parameters come as (n, 1, 1), one call after the other, from the
    seeds alone.
    """

    def __init__(
        self, seeds: Tensor, x: Tensor, y: Tensor, colors: list[Tensor], stream: _Stream | None = None
    ) -> None:
        self.seeds = seeds
        self.x = x
        self.y = y
        self.colors = colors
        self._stream = _Stream(seeds) if stream is None else stream

    def at(self, x: Tensor, y: Tensor) -> "Sheet":
        """The same sheets under other coordinates; they go on with the same stream of numbers."""
        return Sheet(self.seeds, x, y, self.colors, self._stream)

    def turned(self, low: float = -3.1416, high: float = 3.1416) -> "Sheet":
        """The same sheets, each turned by a random angle."""
        return self.at(*rotate(self.x, self.y, self.uniform(low, high)))

    @cached_property
    def pixel(self) -> Tensor:
        """The size of a pixel in the units of x and y, (n, h, w); not constant where they are warped."""
        (xx, xy), (yx, yy) = slope(self.x), slope(self.y)
        return torch.sqrt((xx * xx + xy * xy + yx * yx + yy * yy) / 2 + 1e-12)

    @cached_property
    def coarseness(self) -> Tensor:
        """The size of a pixel on average over the picture, (n, 1, 1), from every eighth row and column."""
        rows = torch.stack([self.x[:, ::8], self.y[:, ::8]]).diff(dim=-1)
        columns = torch.stack([self.x[..., ::8], self.y[..., ::8]]).diff(dim=-2)
        squares = (rows * rows).sum(0).mean((1, 2)) + (columns * columns).sum(0).mean((1, 2))
        return torch.sqrt(squares / 2 + 1e-12)[:, None, None]

    @property
    def size(self) -> int:
        """Width in pixels."""
        return self.x.shape[-1]

    def key(self) -> Tensor:
        """A fresh hash per picture, (n,), below 2**32."""
        return self._stream.next()

    def uniform(self, low: float, high: float) -> Tensor:
        """Uniform numbers in [low, high), (n, 1, 1)."""
        return low + (high - low) * unit(self.key())[:, None, None]

    def log_uniform(self, low: float, high: float) -> Tensor:
        """Numbers in [low, high) with uniform logarithm, (n, 1, 1)."""
        position = unit(self.key()).double()[:, None, None]
        return (low * torch.pow(high / low, position)).float()

    def integer(self, low: int, high: int) -> Tensor:
        """Whole numbers from low to high, both included, as float, (n, 1, 1)."""
        return torch.floor(self.uniform(low, high + 1))

    def chance(self, probability: float) -> Tensor:
        """1.0 with a probability, else 0.0; (n, 1, 1)."""
        return (self.uniform(0, 1) < probability).float()

    def sign(self) -> Tensor:
        """-1.0 or 1.0; (n, 1, 1)."""
        return self.chance(0.5) * 2 - 1

    def noise(
        self, frequency: Tensor | float, octaves: int = 3, gain: float = 0.5, stretch: float = 1.0
    ) -> Tensor:
        """Fractal noise in about [-1, 1] over x and y, (n, h, w); ``frequency`` in features per unit.

        ``stretch`` divides the frequency along y: features longer than wide.
        """
        x, y = self.x * frequency, self.y * frequency / stretch
        finest = self.coarseness * frequency / (stretch if stretch < 1 else 1.0)
        return noise.fractal(self.key(), x, y, octaves, gain, pixel=finest)[:, 0]

    def noises(self, count: int, frequency: Tensor | float, octaves: int = 2) -> list[Tensor]:
        """Several independent noise fields for little more than the price of one."""
        x, y = self.x * frequency, self.y * frequency
        return list(noise.fractal(self.key(), x, y, octaves, channels=count).unbind(1))

    def spectrum(self, low: float = 0.8, high: float = 1.6, stretch: Tensor | None = None) -> Tensor:
        """1/f noise of a random slope over the picture, deviation 1, not following x and y; (n, h, w)."""
        exponent = self.uniform(low, high)[:, 0, 0]
        return noise.spectrum(
            self.key(), self.size, exponent, stretch=None if stretch is None else stretch[:, 0, 0]
        )[:, 0]

    def warped(self, amount: Tensor | float, frequency: Tensor | float, octaves: int = 2) -> "Sheet":
        """The same sheets with coordinates shifted by noise, by up to about ``amount`` units."""
        dx, dy = self.noises(2, frequency, octaves)
        return self.at(self.x + amount * dx, self.y + amount * dy)

    def noise_over_x(self, frequency: Tensor | float, octaves: int = 3, gain: float = 0.5) -> Tensor:
        """Fractal noise over x alone, (n, h, w): the outline of ridges and shores."""
        return self.at(self.x, torch.zeros_like(self.y)).noise(frequency, octaves, gain)

    def off_center(self, most: float = 0.4) -> "Sheet":
        """The same sheets with the origin up to ``most`` away from it, and circles a little oval."""
        x, y = self.x + self.uniform(-most, most), self.y + self.uniform(-most, most)
        stretch = self.log_uniform(0.8, 1.25)
        return self.at(x * stretch, y / stretch)
