"""Gatys' objective for style transfer: content, style and total variation.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from app.jobs.errors import InputError
from app.jobs.kinds.style_transfer import PRESETS, StyleTransferParams
from models.network import Network
from worker.optim.descent import Evaluation
from worker.optim.gram import gram_matrix
from worker.optim.losses import Reduction, content_factor, squared_distance, style_factor, variation


@dataclass(frozen=True)
class Weights:
    """Weights of the losses, and whose sums they are: by layer for content and style; no weight is 0."""

    content: Mapping[str, float]
    style: Mapping[str, float]
    variation: float
    reduction: Reduction

    @classmethod
    def of(cls, params: StyleTransferParams) -> "Weights":
        """Those of resolved params. InputError if nothing is left to look at."""
        content = _positive(params.content_layers, params.content_weight)
        style = _positive(params.style_layers, params.style_weight)
        if not content and not style:
            detail = "Every layer has a weight of 0: give one of them, or of content_layers, more."
            raise InputError("style_layers", detail)
        return cls(content, style, params.tv_weight or 0.0, PRESETS[params.preset].reduction)

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
    several are blended into one by their shares (as neural-style does).
    """

    def __init__(
        self,
        network: Network,
        content: Tensor,
        styles: Sequence[Tensor],
        shares: Sequence[float],
        weights: Weights,
    ) -> None:
        """Look at ``content`` (1, 3, H, W), of the size of the result, and ``styles`` of any size.

        All are in [0, 1]; ``shares`` has one number for each style, of which only the ratios matter.
        """
        self.network = network
        self.weights = weights
        with torch.no_grad():
            self.content = self._content_targets(content)
            self.style = self._style_targets(styles, [share / sum(shares) for share in shares])

    def _content_targets(self, content: Tensor) -> dict[str, Target]:
        features = self.network.features(content, self.weights.content)
        return {
            name: Target(features[name], weight * content_factor(features[name], self.weights.reduction))
            for name, weight in self.weights.content.items()
        }

    def _style_targets(self, styles: Sequence[Tensor], shares: Sequence[float]) -> dict[str, Target]:
        grams: dict[str, Tensor] = {}
        for style, share in zip(styles, shares, strict=True):
            features = self.network.features(style, self.weights.style)
            for name in self.weights.style:
                gram = share * gram_matrix(features[name])
                grams[name] = grams[name] + gram if name in grams else gram
        return {
            name: Target(grams[name], weight * style_factor(grams[name], self.weights.reduction))
            for name, weight in self.weights.style.items()
        }

    def terms(self, picture: Tensor) -> dict[str, Tensor]:
        """The weighted losses by name: ``content.<layer>``, ``style.<layer>``, ``tv``."""
        features = self.network.features(picture, self.weights.layers)
        terms = {
            f"content.{name}": target.factor * squared_distance(features[name], target.value)
            for name, target in self.content.items()
        }
        terms |= {
            f"style.{name}": target.factor * squared_distance(gram_matrix(features[name]), target.value)
            for name, target in self.style.items()
        }
        if self.weights.variation > 0:
            terms["tv"] = self.weights.variation * variation(picture, self.weights.reduction)
        return terms

    def __call__(self, picture: Tensor) -> Evaluation:
        """The losses and the gradient of their sum at ``picture`` (1, 3, H, W)."""
        picture = picture.detach().requires_grad_()
        terms = self.terms(picture)
        total = torch.stack(list(terms.values())).sum()
        (gradient,) = torch.autograd.grad(total, picture)
        return Evaluation(total.detach(), gradient, {name: term.detach() for name, term in terms.items()})
