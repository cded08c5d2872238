"""The loss of DeepDream: minus the energy of layers, the mean of channels, or the similarity to a guide.

Mordvintsev, Olah, Tyka, "Inceptionism: going deeper into neural networks", 2015, and their notebook.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial

import torch
import torch.nn.functional as F
from torch import Tensor

from app.errors import InputError
from app.kinds.deep_dream import GUIDE_SIDE, ResolvedDeepDream
from app.kinds.work import DREAM_TILE_BYTES
from models.network import Network
from worker.optim.descent import Evaluation, numbers
from worker.optim.objectives import precise
from worker.optim.pyramids.scales import fit, resize
from worker.optim.tiling.tiles import Tiling

BUDGET = DREAM_TILE_BYTES

# Positions per side of a guide's features, beyond which they are averaged; and the largest number of entries
# in a block of dot products between positions of a picture and of its guide.
GUIDE_POSITIONS = 32
TABLE = 1 << 24


@dataclass(frozen=True)
class Term:
    """The objective of one layer: ``weight`` times a mean over positions (and channels).

    For channels of a ReLU ``layer`` is the convolution before it, since a ReLU at 0 has no gradient. Only
    ``channels`` count, or all if it is empty; ``guide`` has the guide's features of the layer, (positions,
    C).
    """

    name: str
    layer: str
    weight: float
    channels: tuple[int, ...] = ()
    guide: Tensor | None = field(default=None, repr=False)

    def value(self, features: Tensor, positions: int) -> Tensor:
        """The contribution of some positions, features (1, C, h, w), to a term of ``positions`` in all."""
        found = precise(features)
        if self.channels:
            found = found[:, list(self.channels)]
            total = found.sum()
        elif self.guide is not None:
            # The choice is held fixed in the gradient, which points to what each position already resembles
            # most.
            total = (found[0].flatten(1) * _most_alike(found.detach(), self.guide)).sum()
        else:
            total = found.square().sum()
        return self.weight / (found.shape[1] * positions) * total


class DreamLoss:
    """Minus the sum of some terms, for pictures of any size; large ones are computed in tiles."""

    def __init__(self, network: Network, terms: list[Term], budget: int = BUDGET) -> None:
        """``budget`` is the memory in bytes for the activations of a tile."""
        self.network = network
        self.terms = terms
        self.budget = budget
        self._layers = list(dict.fromkeys(term.layer for term in terms))
        self._tiling = cache(partial(Tiling, network=network, layers=self._layers, budget=budget))

    def values(self, picture: Tensor) -> dict[str, float]:
        """The terms by name, and their ``total``, of a picture (1, 3, H, W) in [0, 1]."""
        with torch.no_grad():
            return numbers(self(picture, with_gradient=False).terms, negated=True)

    def dead(self, picture: Tensor) -> list[str]:
        """Names of the terms without a gradient at a picture, with the channel if there are several."""
        names = []
        for term in self.terms:
            for channel in term.channels or (None,):
                one = term if channel is None else replace(term, channels=(channel,))
                evaluation = DreamLoss(self.network, [one], self.budget)(picture)
                if not bool(evaluation.gradient.any()):
                    names.append(term.name if channel is None else f"{term.name}:{channel}")
        return names

    def __call__(self, picture: Tensor, *, with_gradient: bool = True) -> Evaluation:
        """Minus the terms by name, and the gradient of their sum, at a picture (1, 3, H, W) in [0, 1]."""
        tiling = self._tiling(*picture.shape[2:])
        gradient = torch.zeros_like(picture)
        found: dict[str, Tensor] = {}
        for tile in tiling.tiles:
            seen = tile.seen(picture).detach().requires_grad_(with_gradient)
            features = tiling.features(seen, tile, self._layers)
            parts = {
                term.name: term.value(
                    features[term.layer], self._positions(picture, tiling, features, term.layer)
                )
                for term in self.terms
            }
            if with_gradient:
                (of_seen,) = torch.autograd.grad(torch.stack(list(parts.values())).sum(), seen)
                tile.seen(gradient).add_(of_seen)
            for name, part in parts.items():
                found[name] = found.get(name, 0) + part.detach()
        terms = {name: -term for name, term in found.items()}
        return Evaluation(torch.stack(list(terms.values())).sum(), -gradient, terms)

    def _positions(self, picture: Tensor, tiling: Tiling, features: Mapping[str, Tensor], layer: str) -> int:
        """The number of positions of a layer for the whole picture."""
        if not tiling.on_grid:
            return features[layer][0, 0].numel()
        height, width = (side // tiling.strides[layer] for side in picture.shape[2:])
        return height * width


def make_terms(
    params: ResolvedDeepDream,
    network: Network,
    picture: Tensor,
    guide: Tensor | None,
    budget: int = BUDGET,
) -> list[Term]:
    """The terms of resolved params.

    ``picture`` is that of the smallest octave, which the strongest channels are taken from; ``guide`` has any
    size. ``budget`` is the memory in bytes for the activations of a tile.

    Raises InputError if the guide is too small.
    """
    weights = {name: weight for name, weight in params.layers.items() if weight > 0}
    if guide is not None:
        found = _guide_features(network, list(weights), guide)
        return [Term(name, name, weight, guide=found[name]) for name, weight in weights.items()]
    channels = {name: tuple(params.channels or ()) for name in weights}
    if params.strongest is not None:
        channels = _strongest(network, list(weights), picture, params.strongest, budget)
    return [
        Term(name, network.pre_activation(name) if channels[name] else name, weight, channels[name])
        for name, weight in weights.items()
    ]


def _strongest(
    network: Network, layers: list[str], picture: Tensor, count: int, budget: int
) -> dict[str, tuple[int, ...]]:
    """The channels of each layer with the highest mean at a picture, strongest first."""
    height, width = picture.shape[2:]
    tiling = Tiling(height, width, network, layers, budget=budget)
    # Of all features of a large picture at once there would be several gigabytes.
    sums = tiling.sums(picture, layers, lambda features: precise(features).sum((0, 2, 3)))
    return {
        name: tuple((total / positions).topk(min(count, len(total))).indices.tolist())
        for name, (total, positions) in sums.items()
    }


def _guide_features(network: Network, layers: list[str], guide: Tensor) -> dict[str, Tensor]:
    """Features of a guide by layer, (positions, C), with at most GUIDE_POSITIONS positions per side."""
    small = resize(guide, *fit(guide, min(GUIDE_SIDE, max(guide.shape[2:]))))
    smallest = network.minimum_side(layers)
    if min(small.shape[2:]) < smallest:
        height, width = small.shape[2:]
        raise InputError(
            "guide",
            f"The guide is resized to {width}×{height} px; the layers need {smallest} px. Take a larger or "
            "less narrow one.",
        )
    with torch.no_grad():
        features = network.features(small, layers)
    found = {}
    for name, each in features.items():
        height, width = (min(side, GUIDE_POSITIONS) for side in each.shape[2:])
        few = F.adaptive_avg_pool2d(each.float(), (height, width))
        found[name] = few[0].flatten(1).T.contiguous()
    return found


def _most_alike(features: Tensor, guide: Tensor) -> Tensor:
    """For each position of ``features`` (1, C, h, w) the guide's features with the largest dot product.

    Returns (C, h * w); ``guide`` is (positions, C).
    """
    found = features[0].flatten(1)
    parts = torch.split(found, max(1, TABLE // guide.shape[0]), dim=1)
    return torch.cat([guide[(guide.to(part) @ part).argmax(0)].T for part in parts], dim=1).to(found)
