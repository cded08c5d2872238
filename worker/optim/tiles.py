"""Exact tiles: the features of a large picture, a part at a time.

A tile answers for ("owns") the positions of every layer that lie in its part of the picture, and sees a halo
around it, so wide that what it owns comes out as if it saw all of the picture. Sums over owned positions are
then sums over the picture, and the gradients of the tiles' pictures, halo included, add up to the whole
gradient. So the halo need only be as wide as one position sees to one side, half of what it takes when each
tile's gradient is cropped instead (as in Galerne et al., "Scaling painting style transfer", EGSR 2024).
"""

import math
from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from models.geometry import window_of
from models.network import Network

# Memory for activations and their gradients at a time. A constant, not what happens to be free: the sums of a
# tiled picture differ in their last bits from those of an untiled one, and a recipe is to give the same
# picture whatever else the machine is doing.
BUDGET = 2 << 30


@dataclass(frozen=True)
class Span:
    """A tile along one side of the picture, in pixels: what it owns, and what it sees."""

    start: int
    stop: int
    seen_start: int
    seen_stop: int

    def seen(self) -> slice:
        """What it sees, of the picture."""
        return slice(self.seen_start, self.seen_stop)

    def owned(self, stride: int) -> slice:
        """What it owns, of the positions of a layer of the whole picture."""
        return slice(self.start // stride, self.stop // stride)

    def owned_of_seen(self, stride: int) -> slice:
        """What it owns, of the positions of a layer of what it sees."""
        first = (self.start - self.seen_start) // stride
        owned = self.owned(stride)
        return slice(first, first + owned.stop - owned.start)


@dataclass(frozen=True)
class Tile:
    """A part of a picture."""

    rows: Span
    columns: Span

    def crop(self, picture: Tensor) -> Tensor:
        """What the tile sees of a picture (..., H, W), as a view."""
        return picture[..., self.rows.seen(), self.columns.seen()]

    def owned(self, features: Tensor, stride: int) -> Tensor:
        """What the tile owns of a layer of the whole picture, as a view."""
        return features[..., self.rows.owned(stride), self.columns.owned(stride)]

    def owned_of_crop(self, features: Tensor, stride: int) -> Tensor:
        """What the tile owns of a layer of its crop, as a view."""
        return features[..., self.rows.owned_of_seen(stride), self.columns.owned_of_seen(stride)]


def plan_tiles(
    height: int, width: int, network: Network, layers: Collection[str], budget: int = BUDGET
) -> list[Tile]:
    """Tiles whose activations up to ``layers`` take at most about ``budget`` bytes each.

    One tile, the whole picture, if that is enough, or if positions of the network do not lie on a grid
    of its stride (convolutions that do not keep the size, say), so that tiles cannot be exact.
    """
    depth = _depth(network, layers)
    pixels = budget / _bytes_per_pixel(network, depth)
    if height * width <= pixels or not _on_a_grid(network, depth):
        whole = Span(0, height, 0, height), Span(0, width, 0, width)
        return [Tile(*whole)]
    stride = max(layer.stride for layer in network.layers[:depth])
    sight = max(layer.receptive_field - layer.stride for layer in network.layers[:depth]) / 2
    halo = math.ceil(sight / stride) * stride
    side = max(stride, math.floor(math.sqrt(pixels)) - 2 * halo)
    return [
        Tile(rows, columns)
        for rows in _spans(height, side, stride, halo)
        for columns in _spans(width, side, stride, halo)
    ]


def _spans(length: int, side: int, stride: int, halo: int) -> list[Span]:
    """Spans of about equal length, no longer than ``side`` (and half a stride), on the grid of the stride."""
    count = math.ceil(length / side)
    cuts = [round(length * k / count / stride) * stride for k in range(count)] + [length]
    return [
        Span(start, stop, max(0, start - halo), min(length, stop + halo))
        for start, stop in zip(cuts[:-1], cuts[1:], strict=True)
        if start < stop
    ]


def _depth(network: Network, layers: Collection[str]) -> int:
    """How many layers are computed to reach all of ``layers``."""
    return 1 + max(place for place, layer in enumerate(network.layers) if layer.name in layers)


def _bytes_per_pixel(network: Network, depth: int) -> float:
    """Bytes of activations for each pixel, kept for the gradient and once more for the gradient itself.

    A ReLU works in place of the convolution's result.
    """
    numbers = sum(layer.channels / layer.stride**2 for layer in network.layers[:depth] if layer.kind != "relu")
    return 2 * numbers * torch.finfo(network.dtype).bits / 8


def _on_a_grid(network: Network, depth: int) -> bool:
    """Whether position ``i`` of each layer lies in the middle of pixels ``i * stride`` to ``(i + 1) * stride``."""
    windows = (window_of(module) for module in list(network.stack.values())[:depth])
    return all(2 * window.padding == window.size - window.stride for window in windows if window)
