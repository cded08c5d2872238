"""What losses of style and of content are made from, and the targets that they find in it."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.kinds.work import KEPT_BYTES
from models.network import Network
from worker.losses.distance import Variant, caffe_activation, sum_of_squares
from worker.losses.regions import Region, evened
from worker.optim.kept import TARGETS, target_key
from worker.optim.tiling.beyond import Edge
from worker.optim.tiling.maps import Recomputed, Source
from worker.optim.tiling.tiles import BUDGET, Tiling


@dataclass(frozen=True)
class Styles:
    """What the losses of style are made from.

    ``pictures`` are (1, 3, H, W) in [0, 1], of any size; of the ``shares``, one for each, only the ratios
    matter. ``layers`` are those that weigh anything, with the weights of their losses. ``seed`` is for what
    a loss draws at random; ``margin``, ``edge`` and ``budget`` are those of :class:`Tiling`. ``colors``: the
    colors of the result are to be theirs, for losses of colors alone. ``region`` is where of the picture to
    make they count; None: everywhere.
    """

    network: Network
    pictures: Sequence[Tensor]
    shares: Sequence[float]
    layers: Mapping[str, float]
    variant: Variant = "relative"
    seed: int = 0
    margin: int = 0
    edge: Edge = "reflect"
    budget: int = BUDGET
    colors: bool = True
    region: Region | None = None

    def activation(self, layer: str) -> float:
        """What ``variant`` takes the mean activation of a layer for."""
        return caffe_activation(self.network.name, layer)

    def means(self, statistic: Callable[[Tensor], Tensor]) -> dict[str, Tensor]:
        """Means over positions of a statistic by layer, those of the pictures blended by their shares.

        (As neural-style does with Gram matrices.) ``statistic`` sums up features (1, C, h, w) over their
        positions.
        """
        blend: dict[str, Tensor] = {}
        if not self.layers:
            return blend
        for picture, share in zip(self.pictures, self.fractions, strict=True):
            tiling = self._tiling(picture)
            make = partial(_means, tiling, picture, self.layers, statistic)
            key = target_key(self.network, picture, statistic, tiling.plan, *self.layers)
            for layer, mean in TARGETS.get(key, make).items():
                blend[layer] = blend.get(layer, 0) + share * mean
        return blend

    def of_each(self, function: Callable[..., Tensor], *arguments: Hashable) -> list[dict[str, Tensor]]:
        """A function of all features of a layer, (1, C, H, W), by layer, of each picture.

        ``arguments`` follow the features. What the function of a module makes is kept for the jobs that
        follow, so that it may depend on nothing else.
        """
        if not self.layers:
            return [{} for _ in self.pictures]
        found = []
        for picture in self.pictures:
            tiling = self._tiling(picture)
            make = partial(_of_all, tiling, picture, self.layers, function, arguments)
            key = target_key(self.network, picture, function, arguments, tiling.plan, *self.layers)
            found.append(dict(TARGETS.get(key, make)))
        return found

    def weights(self, layer: str) -> Tensor | None:
        """How much each position of a layer of the picture to make counts, (1, 1, H, W); None: all alike."""
        return None if self.region is None else self.region.weights(layer)

    def places(self, layer: str) -> Tensor | None:
        """The positions (n,) of a layer of the picture to make that count; None: all."""
        return None if self.region is None else self.region.places(layer, self.seed)

    @property
    def fractions(self) -> list[float]:
        """The shares, of sum 1."""
        return [share / sum(self.shares) for share in self.shares]

    def _tiling(self, picture: Tensor) -> Tiling:
        height, width = picture.shape[-2:]
        return Tiling(
            height,
            width,
            self.network,
            self.layers,
            margin=self.margin,
            edge=self.edge,
            budget=self.budget,
            small=True,
        )


@dataclass(frozen=True)
class Content:
    """What the losses of content are made from.

    ``tiling`` is that of the picture to make, and ``picture`` the content, (1, 3, H, W) in [0, 1] of the same
    size. ``layers`` are those that weigh anything, with the weights of their losses; ``seed`` is for what a
    loss draws at random. Target features of more than ``kept`` bytes are :class:`Recomputed`, if the picture
    has several tiles. ``emphasis`` (1, 1, H, W), of the size of the content, says where it counts more: only
    ratios matter, and it is not 0 everywhere. None: everywhere the same.
    """

    tiling: Tiling
    picture: Tensor
    layers: Mapping[str, float]
    variant: Variant = "relative"
    seed: int = 0
    kept: int = KEPT_BYTES
    emphasis: Tensor | None = None

    def weights(self, layer: str) -> Tensor | None:
        """How much each position of a layer counts, (1, 1, H, W), of mean 1; None: all alike."""
        return None if self.emphasis is None else evened(self.tiling.reduced(self.emphasis, layer))

    def activation(self, layer: str) -> float:
        """What ``variant`` takes the mean activation of a layer for."""
        return caffe_activation(self.tiling.network.name, layer)

    def features(self) -> dict[str, Tensor | Recomputed]:
        """All features of the content, (1, C, H, W), by layer."""
        tiling, layers = self.tiling, self.layers
        if len(tiling.tiles) == 1 or tiling.size_in_bytes(layers) <= self.kept:
            key = target_key(tiling.network, self.picture, "features", tiling.plan, *layers)
            return dict(TARGETS.get(key, lambda: tiling.all_features(self.picture, layers)))
        source = Source(tiling, self.picture, layers)
        energies = tiling.sums(self.picture, layers, sum_of_squares)
        return {
            layer: Recomputed(source, layer, total, positions * tiling.channels[layer])
            for layer, (total, positions) in energies.items()
        }


def _means(
    tiling: Tiling, picture: Tensor, layers: Collection[str], statistic: Callable[[Tensor], Tensor]
) -> dict[str, Tensor]:
    """Means over positions of a statistic of one picture, by layer."""
    found = tiling.sums(picture, layers, statistic)
    return {layer: 1 / positions * total for layer, (total, positions) in found.items()}


@torch.no_grad()
def _of_all(
    tiling: Tiling,
    picture: Tensor,
    layers: Collection[str],
    function: Callable[..., Tensor],
    arguments: Sequence[Hashable],
) -> dict[str, Tensor]:
    """A function of all features of a layer of one picture, by layer."""
    features = tiling.all_features(picture, layers)
    return {layer: function(found, *arguments) for layer, found in features.items()}
