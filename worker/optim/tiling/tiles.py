"""Exact tiles: the features of a large picture, a part at a time, and the padding around it.

A tile owns the positions of every layer that lie in its part of the picture. It sees that part and a halo
around it, wide enough that the features it owns equal those of the whole picture. Sums over owned positions
are then sums over the picture, and the gradients with respect to what the tiles see, halo included, add up to
the whole gradient. So the halo need only be half a receptive field wide: half of what it takes when each
tile's gradient is cropped instead (as in Galerne et al., "Scaling painting style transfer", EGSR 2024).

Pictures may be padded with a margin of their own reflection, or of their edge pixels, which no tile owns: the
zeros that convolutions pad with would show as noise at the edges. Seamless pictures are padded circularly, by
half a receptive field.
"""

import math
from collections.abc import Callable, Collection, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from app.kinds.work import TILE_BYTES, bytes_of_each_tile
from models.geometry import output_side, window_of
from models.network import Network
from worker.contract.interludes import between_parts
from worker.optim.tiling.beyond import Edge, add_around, beyond, select_around
from worker.optim.tiling.wrapping import wrapped

# See there.
BUDGET = TILE_BYTES


@dataclass(frozen=True)
class Span:
    """A tile along one axis: the pixels it owns of the picture, and those it sees of the padded picture."""

    start: int
    stop: int
    seen_start: int
    seen_stop: int
    margin: int

    @property
    def seen(self) -> slice:
        """What it sees of the padded picture."""
        return slice(self.seen_start, self.seen_stop)

    @property
    def sight(self) -> int:
        """How many pixels it sees."""
        return self.seen_stop - self.seen_start

    def owned(self, stride: int) -> slice:
        """What it owns of a layer of the picture."""
        return slice(self.start // stride, self.stop // stride)

    def owned_of_seen(self, stride: int) -> slice:
        """What it owns of a layer of what it sees."""
        first = (self.start + self.margin - self.seen_start) // stride
        owned = self.owned(stride)
        return slice(first, first + owned.stop - owned.start)


@dataclass(frozen=True)
class Tile:
    """A part of a picture: rows and columns."""

    rows: Span
    columns: Span

    def seen(self, padded: Tensor) -> Tensor:
        """What the tile sees of a padded picture (..., H + 2 * margin, W + 2 * margin), as a view.

        Of one that has no padded copy: :meth:`Tiling.seen`.
        """
        return padded[..., self.rows.seen, self.columns.seen]

    def owned(self, features: Tensor, stride: int) -> Tensor:
        """What the tile owns of a layer of the picture, as a view."""
        return features[..., self.rows.owned(stride), self.columns.owned(stride)]

    def owned_of_seen(self, features: Tensor, stride: int) -> Tensor:
        """What the tile owns of a layer of what it sees, as a view."""
        rows, columns = self.rows.owned_of_seen(stride), self.columns.owned_of_seen(stride)
        owned: Tensor = _Crop.apply(features, rows, columns)  # type: ignore[no-untyped-call]
        return owned


class _Crop(torch.autograd.Function):
    """``features[..., rows, columns]``, with a gradient in the memory format of the features.

    That of plain indexing is channels-first, and adding it to the gradient of the next layer takes as long as
    a convolution.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, rows: slice, columns: slice) -> Tensor:
        ctx.like, ctx.rows, ctx.columns = features.detach(), rows, columns
        return features[..., rows, columns]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        whole = torch.empty_like(ctx.like)
        _place(gradient, whole, ctx.rows, ctx.columns)
        return whole, None, None


class _CropEach(torch.autograd.Function):
    """``features[..., rows, columns]`` of each picture of a batch, (1, C, h, w), with one gradient of all.

    That of splitting and cropping would make, and add, a tensor of the whole batch for each picture.
    """

    @staticmethod
    def forward(ctx: Any, features: Tensor, rows: slice, columns: slice) -> tuple[Tensor, ...]:
        ctx.like, ctx.rows, ctx.columns = features.detach(), rows, columns
        return tuple(each[..., rows, columns] for each in torch.split(features, 1))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        whole = torch.empty_like(ctx.like)
        for each, gradient in zip(torch.split(whole, 1), gradients, strict=True):
            _place(gradient, each, ctx.rows, ctx.columns)
        return whole, None, None


def _place(gradient: Tensor, whole: Tensor, rows: slice, columns: slice) -> None:
    """Fill ``whole`` (..., H, W) with a gradient of some rows and columns, and with 0 around it."""
    whole[..., rows, columns] = gradient
    whole[..., : rows.start, :] = 0
    whole[..., rows.stop :, :] = 0
    whole[..., rows, : columns.start] = 0
    whole[..., rows, columns.stop :] = 0


class Tiling:
    """How a network evaluates pictures of one size: padded by a margin, and tile by tile.

    A network whose positions do not lie on the grid of its strides (convolutions that do not keep the size,
    say) evaluates the picture as it is, without margin and in one tile that owns everything.
    """

    def __init__(
        self,
        height: int,
        width: int,
        network: Network,
        layers: Collection[str],
        *,
        margin: int = 0,
        edge: Edge = "reflect",
        budget: int = BUDGET,
        small: bool = False,
    ) -> None:
        """Plan for pictures of ``height`` by ``width`` pixels and a network asked for ``layers``.

        ``margin`` is in pixels, and rounded up to the stride. ``budget`` is in bytes, for the only tile or
        for each of several; if ``small``, several take what :func:`bytes_of_each_tile` says. With the
        ``edge`` ``wrap`` pictures are padded circularly by half a receptive field: rolling a picture by a
        multiple of a stride that divides its sides rolls its features. (Rolled by less, pools meet other
        pixels.) A network off the grid then owns the margin too.
        """
        self.network = network
        self.edge = edge
        depth = 1 + max(place for place, layer in enumerate(network.layers) if layer.name in layers)
        upto = network.layers[:depth]
        self.strides = {layer.name: layer.stride for layer in upto}
        self.channels = {layer.name: layer.channels for layer in upto}
        self.sides = height, width
        self.on_grid = is_on_grid(network, layers)
        stride = max(self.strides.values())
        self.margin = math.ceil(margin / stride) * stride if self.on_grid else 0
        sight = max(layer.receptive_field - layer.stride for layer in upto) / 2
        halo = math.ceil(sight / stride) * stride
        if edge == "wrap":
            self.margin = halo
        self._bytes_per_pixel = _bytes_per_pixel(network, depth)
        pixels = budget / self._bytes_per_pixel
        side = max(height, width)
        # Of a picture with its margin, and how many such pictures fit into the budget.
        self.pixels = (height + 2 * self.margin) * (width + 2 * self.margin)
        self.most_together = max(1, int(pixels / self.pixels))
        if self.pixels > pixels and self.on_grid:
            each = bytes_of_each_tile(self._bytes_per_pixel, halo, budget) if small else budget
            side = max(stride, math.floor(math.sqrt(each / self._bytes_per_pixel)) - 2 * halo)
        self.tiles = [
            Tile(rows, columns)
            for rows in _spans(height, side, stride, halo, self.margin)
            for columns in _spans(width, side, stride, halo, self.margin)
        ]

    @property
    def largest_tile(self) -> int:
        """Bytes for the activations of the largest tile; 0 if smaller ones are not possible."""
        if not self.on_grid:
            return 0
        return int(max(tile.rows.sight * tile.columns.sight for tile in self.tiles) * self._bytes_per_pixel)

    @property
    def plan(self) -> tuple[Hashable, ...]:
        """What the padding and the tiles are."""
        return self.margin, self.edge, *self.tiles

    def pad(self, picture: Tensor) -> Tensor:
        """A picture (1, C, H, W) with its margin: its edge pixels where its reflection is smaller."""
        if self.margin == 0:
            return picture
        if self.edge == "wrap":
            return wrapped(picture, self.margin)
        return F.pad(picture, (self.margin,) * 4, mode=self._mode)

    @property
    def _mode(self) -> Edge:
        """What the margin is: a picture that is too small for its reflection has its edge pixels."""
        return self.edge if self.edge == "wrap" or self.margin < min(self.sides) else "replicate"

    @cached_property
    def _places(self) -> tuple[Tensor, Tensor]:
        """The row and the column of the picture that each one of the padded picture is."""
        height, width = (beyond(side, self.margin, self._mode) for side in self.sides)
        return height, width

    def seen(self, picture: Tensor, tile: Tile) -> Tensor:
        """What a tile sees of a picture (1, C, H, W) with its margin.

        The whole padded picture if it is the only tile. Of several each has a copy of its own part, or a view
        if that has no margin: there is no padded copy of a picture that is large.
        """
        if len(self.tiles) == 1:
            return self.pad(picture)
        for axis, span, places in self._axes(tile):
            picture = select_around(picture, axis, span.seen, self.margin, places)
        return picture

    def add_seen(self, whole: Tensor, tile: Tile, of_seen: Tensor) -> None:
        """Add to ``whole``, a gradient at the picture, one at what a tile sees of it: of several, each."""
        (rows, above, places), (columns, left, across) = self._axes(tile)
        add_around(
            whole,
            of_seen,
            [(rows, above.seen, places), (columns, left.seen, across)],
            self.margin,
        )

    def _axes(self, tile: Tile) -> list[tuple[int, Span, Tensor]]:
        rows, columns = self._places
        return [(-2, tile.rows, rows), (-1, tile.columns, columns)]

    def features(self, seen: Tensor, tile: Tile, layers: Collection[str]) -> dict[str, Tensor]:
        """What a tile owns of the layers, by name, from what it sees of a padded picture."""
        between_parts()
        features = self.network.features(seen, layers)
        if not self.on_grid:
            return features
        return {name: tile.owned_of_seen(found, self.strides[name]) for name, found in features.items()}

    def features_of_each(self, padded: Tensor, layers: Collection[str]) -> list[dict[str, Tensor]]:
        """What the only tile owns of the layers, by name, of each picture of a padded batch (N, 3, H, W)."""
        between_parts()
        (tile,) = self.tiles
        features = self.network.features(padded, layers) if layers else {}
        found = {name: self._each(each, tile, name) for name, each in features.items()}
        return [{name: each[place] for name, each in found.items()} for place in range(len(padded))]

    def _each(self, features: Tensor, tile: Tile, layer: str) -> Sequence[Tensor]:
        """What the only tile owns of the features of each picture of a batch."""
        if not self.on_grid:
            return torch.split(features, 1)
        stride = self.strides[layer]
        rows, columns = tile.rows.owned_of_seen(stride), tile.columns.owned_of_seen(stride)
        cropped: tuple[Tensor, ...] = _CropEach.apply(features, rows, columns)  # type: ignore[no-untyped-call]
        return cropped

    def owned(self, features: Tensor, tile: Tile, layer: str) -> Tensor:
        """What a tile owns of the features of a layer of the whole picture, as a view."""
        return tile.owned(features, self.strides[layer]) if self.on_grid else features

    @torch.no_grad()
    def reduced(self, picture: Tensor, layer: str) -> Tensor:
        """The mean of a picture (1, C, H, W) over each position's own pixels, of the size of a layer.

        Those of a position on the grid are ``stride`` by ``stride``. The last pixels of a side that is no
        multiple of it belong to none; unless all else is 0: then, as off the grid, all pixels are shared
        equally among the positions. Off the grid these are those of a seamless picture's margin, too.
        """
        if self.on_grid:
            means = F.avg_pool2d(picture, self.strides[layer])
            if bool(means.any()):
                return means
            sides = means.shape[-2:]
        else:
            depth = 1 + list(self.network.stack).index(layer)
            modules = list(self.network.stack.values())[:depth]
            picture = self.pad(picture)
            sides = torch.Size(output_side(modules, side) for side in picture.shape[-2:])
        return F.interpolate(picture, sides, mode="area")

    @torch.no_grad()
    def sums(
        self, picture: Tensor, layers: Collection[str], statistic: Callable[[Tensor], Tensor]
    ) -> dict[str, tuple[Tensor, int]]:
        """By layer, the sum over tiles of a statistic of their features, and the number of positions."""
        found: dict[str, tuple[Tensor, int]] = {}
        for tile in self.tiles:
            for layer, features in self.features(self.seen(picture, tile), tile, layers).items():
                total, positions = found.get(layer, (0, 0))
                found[layer] = total + statistic(features), positions + features[0, 0].numel()
        return found

    @torch.no_grad()
    def all_features(self, picture: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
        """The layers of the whole picture without its margin, by name."""
        if not layers:
            return {}
        if len(self.tiles) == 1:
            return self.features(self.pad(picture), self.tiles[0], layers)
        found = {layer: self._empty(layer, picture.device) for layer in layers}
        for tile in self.tiles:
            for layer, part in self.features(self.seen(picture, tile), tile, layers).items():
                self.owned(found[layer], tile, layer).copy_(part)
        return found

    def size_in_bytes(self, layers: Collection[str]) -> int:
        """Memory that the layers of a whole picture take, on the grid."""
        return sum(self._empty(layer, torch.device("meta")).nbytes for layer in layers)

    def _empty(self, layer: str, device: torch.device) -> Tensor:
        """A map of a layer of the whole picture, (1, C, H, W) without values."""
        height, width = (side // self.strides[layer] for side in self.sides)
        return torch.empty(
            (1, self.channels[layer], height, width),
            dtype=self.network.dtype,
            device=device,
            memory_format=torch.channels_last,
        )

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """A map of the whole picture from what each tile owns of it (..., h, w), in order of the tiles."""
        rows: dict[Span, list[Tensor]] = {}
        for tile, part in zip(self.tiles, parts, strict=True):
            rows.setdefault(tile.rows, []).append(part)
        return torch.cat([torch.cat(row, dim=-1) for row in rows.values()], dim=-2)


def _spans(length: int, side: int, stride: int, halo: int, margin: int) -> list[Span]:
    """Spans of about equal length, ``side`` or (by rounding) little more, on the grid of the stride.

    A single one sees everything; of several the first and the last see the margin up to their halo.
    """
    count = math.ceil(length / side)
    if count == 1:
        return [Span(0, length, 0, length + 2 * margin, margin)]
    cuts = [round(length * k / count / stride) * stride for k in range(count)] + [length]
    return [
        Span(
            start,
            stop,
            max(0, start + margin - halo),
            min(length + 2 * margin, stop + margin + halo),
            margin,
        )
        for start, stop in pairwise(cuts)
        if start < stop
    ]


def _bytes_per_pixel(network: Network, depth: int) -> float:
    """Bytes of activations a pixel: those kept for the gradient, and as much again for the gradient itself.

    A ReLU works in place of the convolution's result.
    """
    numbers = sum(
        layer.channels / layer.stride**2 for layer in network.layers[:depth] if layer.kind != "relu"
    )
    return 2 * numbers * torch.finfo(network.dtype).bits / 8


def is_on_grid(network: Network, layers: Collection[str]) -> bool:
    """Whether position ``i`` of each layer, to the deepest of ``layers``, lies amid its own pixels.

    These are the pixels ``i * stride`` to ``(i + 1) * stride``.
    """
    depth = 1 + max(place for place, name in enumerate(network.stack) if name in layers)
    windows = (window_of(module) for module in list(network.stack.values())[:depth])
    return all(window.on_grid for window in windows if window)
