"""Features of a whole picture that a tile asks for, computed again each time instead of kept."""

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from worker.optim.tiling.tiles import Tile, Tiling


class Source:
    """A picture whose ``layers`` are computed tile by tile."""

    def __init__(self, tiling: Tiling, picture: Tensor, layers: Collection[str]) -> None:
        """``picture`` is (1, 3, H, W) in [0, 1], of the size that the tiling is for."""
        self._tiling = tiling
        self._picture = picture
        self._layers = layers
        self._tile: Tile | None = None
        self._found: dict[str, Tensor] = {}

    @torch.no_grad()
    def owned(self, tile: Tile, layer: str) -> Tensor:
        """What a tile owns of a layer. All layers of the tile are computed at once, and each given away."""
        if tile is not self._tile or layer not in self._found:
            self._tile = tile
            self._found = self._tiling.features(self._tiling.seen(self._picture, tile), tile, self._layers)
        return self._found.pop(layer)


@dataclass(frozen=True)
class Recomputed:
    """A layer of a picture, (1, C, H, W), bit for bit what :meth:`Tiling.all_features` finds.

    ``energy`` is the sum of its squares, 0-dimensional, ``size`` the count of its numbers.
    """

    source: Source
    layer: str
    energy: Tensor
    size: int

    def owned(self, tile: Tile) -> Tensor:
        """What a tile owns of it."""
        return self.source.owned(tile, self.layer)

    def numel(self) -> int:
        """The count of its numbers."""
        return self.size

    @property
    def dtype(self) -> torch.dtype:
        """That of the energy, float32 or better."""
        return self.energy.dtype

    @property
    def device(self) -> torch.device:
        """Where it is computed."""
        return self.energy.device
