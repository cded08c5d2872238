"""Gatys' objective for style transfer: content, style and total variation.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.errors import InputError
from app.kinds.style_transfer import PRESETS, StyleTransferParams
from models.network import Network
from worker.optim.descent import Evaluation
from worker.optim.gram import gram_matrix, gram_sum
from worker.optim.losses import Reduction, content_factor, energy, squared_distance, style_factor, variation
from worker.optim.tiling.tiles import BUDGET, Tile, Tiling


@dataclass(frozen=True)
class Weights:
    """Weights of the losses, by layer for content and style, none of them 0; and how they are computed.

    ``reduction`` says whose sums they are, ``margin`` how many pixels of reflection lie around pictures. With
    ``wrap`` the result goes on at its other edge instead (content and style do not).
    """

    content: Mapping[str, float]
    style: Mapping[str, float]
    variation: float
    reduction: Reduction
    margin: int = 0
    wrap: bool = False

    @classmethod
    def of(cls, params: StyleTransferParams) -> "Weights":
        """Those of resolved params. InputError if nothing is left to look at."""
        content = _positive(params.content_layers, params.content_weight)
        style = _positive(params.style_layers, params.style_weight)
        if not content and not style:
            detail = "Every layer has a weight of 0: give one of them, or of content_layers, more."
            raise InputError("style_layers", detail)
        preset = PRESETS[params.preset]
        return cls(content, style, params.tv_weight or 0.0, preset.reduction, preset.margin)

    @property
    def layers(self) -> list[str]:
        """Every layer that is looked at."""
        return list({**self.content, **self.style})


def _positive(layers: Mapping[str, float] | None, weight: float | None) -> dict[str, float]:
    products = {name: share * (weight or 0.0) for name, share in (layers or {}).items()}
    return {name: product for name, product in products.items() if product > 0}


@dataclass(frozen=True)
class Target:
    """What a layer is to come to, and what the squared distance to it is multiplied by."""

    value: Tensor
    factor: Tensor


class StyleObjective:
    """The weighted losses of a picture, and their gradient.

    The targets are computed once: the content's features, and the Gram matrices of the styles, of which
    several are blended into one by their shares (as neural-style does). A picture that is too large for the
    memory is looked at in tiles, which gives the same losses and gradients up to rounding.
    """

    def __init__(
        self,
        network: Network,
        content: Tensor,
        styles: Sequence[Tensor],
        shares: Sequence[float],
        weights: Weights,
        budget: int = BUDGET,
    ) -> None:
        """Look at ``content`` (1, 3, H, W), of the size of the result, and ``styles`` of any size.

        All are in [0, 1]; ``shares`` has one number for each style, of which only the ratios matter;
        ``budget`` is the memory in bytes for the activations of a tile.
        """
        self.network = network
        self.weights = weights
        self.budget = budget
        self.tiling = self._tiling(content, weights.layers, weights.wrap)
        with torch.no_grad():
            self.content = self._content_targets(content)
            self.style = self._style_targets(styles, [share / sum(shares) for share in shares])

    @property
    def scale(self) -> float:
        """The loss of a picture whose features are all 0, total variation aside."""
        targets = [*self.content.values(), *self.style.values()]
        return sum(float(target.factor * energy(target.value)) for target in targets)

    def __call__(self, picture: Tensor) -> Evaluation:
        """The losses by name (``content.<layer>``, ``style.<layer>``, ``tv``) and the gradient of their sum.

        ``picture`` is (1, 3, H, W), of the content's size.
        """
        picture = picture.detach().requires_grad_()
        padded = self.tiling.pad(picture)
        variation_term = self._variation_term(picture)
        if len(self.tiling.tiles) == 1:
            terms = self._whole(padded) | variation_term
            (gradient,) = torch.autograd.grad(_total(terms), picture)
        else:
            found, of_padded = self._tiled(padded.detach())
            # A product that has the gradient which the tiles have found.
            along = {"along": (padded * of_padded).sum()}
            (gradient,) = torch.autograd.grad(_total(along | variation_term), picture)
            terms = found | variation_term
        terms = {name: term.detach() for name, term in terms.items()}
        return Evaluation(_total(terms), gradient, terms)

    def _whole(self, padded: Tensor) -> dict[str, Tensor]:
        """The losses of content and style, for autograd."""
        (tile,) = self.tiling.tiles
        features = self.tiling.features(padded, tile, self.weights.layers)
        grams = {name: gram_matrix(features[name]) for name in self.style}
        return self._content_terms(features, tile) | self._style_terms(grams)

    def _tiled(self, padded: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """The losses of content and style, and the gradient of their sum at the padded picture.

        The first pass sums up the Gram matrices, and the style loss is differentiated with respect to
        these. The second descends, tile by tile, along what is then linear in the tile's own sum.
        """
        with torch.no_grad():
            sums, positions = self._gram_sums(padded, self.tiling)
        slopes: dict[str, Tensor] = {}
        style: dict[str, Tensor] = {}
        for name, gram in sums.items():
            gram.requires_grad_()
            style |= self._style_terms({name: gram / positions[name]})
            (slopes[name],) = torch.autograd.grad(style[f"style.{name}"], gram)
        content: dict[str, Tensor] = {}
        gradient = torch.zeros_like(padded)
        for tile in self.tiling.tiles:
            seen = tile.seen(padded).detach().requires_grad_()
            features = self.tiling.features(seen, tile, self.weights.layers)
            terms = self._content_terms(features, tile)
            along = [(slope * gram_sum(features[name])).sum() for name, slope in slopes.items()]
            (of_seen,) = torch.autograd.grad(torch.stack([*terms.values(), *along]).sum(), seen)
            tile.seen(gradient).add_(of_seen)
            for name, term in terms.items():
                content[name] = content.get(name, 0) + term.detach()
        return content | style, gradient

    def _content_terms(self, features: Mapping[str, Tensor], tile: Tile) -> dict[str, Tensor]:
        """The content losses of what a tile owns."""
        return {
            f"content.{name}": target.factor
            * squared_distance(features[name], self.tiling.owned(target.value, tile, name))
            for name, target in self.content.items()
        }

    def _style_terms(self, grams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {
            f"style.{name}": target.factor * squared_distance(grams[name], target.value)
            for name, target in self.style.items()
            if name in grams
        }

    def _variation_term(self, picture: Tensor) -> dict[str, Tensor]:
        if self.weights.variation == 0:
            return {}
        return {"tv": self.weights.variation * variation(picture, self.weights.reduction, self.weights.wrap)}

    def _content_targets(self, content: Tensor) -> dict[str, Target]:
        layers = self.weights.content
        if not layers:
            return {}
        features = self.tiling.all_features(self.tiling.pad(content), layers)
        return {
            name: Target(features[name], weight * content_factor(features[name], self.weights.reduction))
            for name, weight in layers.items()
        }

    def _style_targets(self, styles: Sequence[Tensor], shares: Sequence[float]) -> dict[str, Target]:
        blend: dict[str, Tensor] = {}
        for style, share in zip(styles, shares, strict=True) if self.weights.style else ():
            tiling = self._tiling(style, self.weights.style)
            sums, positions = self._gram_sums(tiling.pad(style), tiling)
            for name, gram in sums.items():
                blend[name] = blend.get(name, 0) + share / positions[name] * gram
        return {
            name: Target(gram, self.weights.style[name] * style_factor(gram, self.weights.reduction))
            for name, gram in blend.items()
        }

    def _gram_sums(self, padded: Tensor, tiling: Tiling) -> tuple[dict[str, Tensor], dict[str, int]]:
        """Sums over all tiles of the style layers' Gram matrices, and numbers of positions summed over."""
        sums: dict[str, Tensor] = {}
        positions: dict[str, int] = {}
        for tile in tiling.tiles if self.weights.style else ():
            for name, found in tiling.features(tile.seen(padded), tile, self.weights.style).items():
                sums[name] = sums.get(name, 0) + gram_sum(found)
                positions[name] = positions.get(name, 0) + found[0, 0].numel()
        return sums, positions

    def _tiling(self, picture: Tensor, layers: Collection[str], wrap: bool = False) -> Tiling:
        height, width = picture.shape[-2:]
        margin = self.weights.margin
        return Tiling(height, width, self.network, layers, margin=margin, wrap=wrap, budget=self.budget)


def _total(terms: Mapping[str, Tensor]) -> Tensor:
    return torch.stack(list(terms.values())).sum()
