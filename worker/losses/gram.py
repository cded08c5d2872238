"""The style loss: the squared distance of Gram matrices, the correlations of feature maps.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.2.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from worker.losses.base import Loss, MeanLoss
from worker.losses.distance import (
    TYPICAL_ACTIVATION,
    Variant,
    constant,
    distance_sums,
    energy,
    scaled_distance,
    squared_distance,
)
from worker.losses.sources import Styles


def gram_losses(styles: Styles) -> list[Loss]:
    """A :class:`GramLoss` for each layer; the Gram matrices of several styles are blended."""
    grams = styles.means(gram_sum)
    return [
        GramLoss(layer, grams[layer], weight, styles.variant, styles.activation(layer), styles.weights(layer))
        for layer, weight in styles.layers.items()
    ]


class GramLoss(MeanLoss):
    """``weight * k * sum((G - A)**2)``, with ``G`` and ``A`` the Gram matrices of the picture and the style.

    Both are means over positions, ``G = F @ F.T / M`` with the features ``F`` as (N, M), so that pictures of
    different sizes compare. :func:`gram_factor` gives ``k``. With ``crowson-2021`` it is the
    :func:`scaled_distance` of the two, of features that are about 1.
    """

    def __init__(
        self,
        layer: str,
        target: Tensor,
        weight: float,
        variant: Variant,
        activation: float = TYPICAL_ACTIVATION,
        weights: Tensor | None = None,
    ) -> None:
        """``target`` is ``A``, (N, N), for the N channels of the layer; ``activation`` is what ``variant``
        takes the mean activation of the layer for; ``weights`` are those of :class:`MeanLoss`.
        """
        self.target = target
        self.scaled = variant == "crowson-2021"
        self.factor = (
            constant(weight, target) if self.scaled else weight * gram_factor(target, variant, activation)
        )
        magnitude = self._distance(torch.zeros_like(target)) if self.scaled else energy(target)
        super().__init__(f"style.{layer}", layer, float(self.factor * magnitude), weights)

    def sums(self, features: Tensor, weights: Tensor | None) -> Tensor:
        """The sum over positions, (N, N)."""
        return gram_sum(features, weights)

    def of_sums(self, sums: Tensor, count: float) -> Tensor:
        """The loss of the sum over all positions."""
        return self.factor * self._distance(sums / count)

    def _distance(self, gram: Tensor) -> Tensor:
        if self.scaled:
            return scaled_distance(distance_sums(gram, self.target))
        return squared_distance(gram, self.target)


def gram_factor(target: Tensor, variant: Variant, activation: float) -> Tensor:
    """The factor ``k`` of the style loss for the target ``A`` (N, N), 0-dimensional.

    ============  ===============  ================================================================
    relative      1 / sum(A**2)    1 for features of 0, whatever network, layer and size
    gatys-2016    s**4 / (4 N**2)  equation 4: the sums over M positions and its M**2 cancel
    neural-style  s**4 / N**4      mean squared error of F @ F.T / (N M) (``StyleLoss``, neural_style.lua)
    ============  ===============  ================================================================

    ``s`` is ``activation``. Raises ValueError for another variant.
    """
    channels = target.shape[0]
    match variant:
        case "relative":
            return 1 / energy(target)
        case "gatys-2016":
            return constant(activation**4 / (4 * channels**2), target)
        case "neural-style":
            return constant((activation / channels) ** 4, target)
        case _:
            raise ValueError(f"no factor of Gram matrices in {variant}")


def gram_sum(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum over all positions of the products of every two channels, each times its weight.

    ``features`` is (1, C, H, W) of any floating dtype, ``weights`` (1, 1, H, W), a constant, or None: all
    weigh 1. The result is (C, C), float32 (float64 for float64 features). Raises ValueError for a batch,
    whose pictures have a Gram matrix each.
    """
    if features.dim() != 4 or features.shape[0] != 1:
        raise ValueError(f"features must be (1, C, H, W), not {tuple(features.shape)}")
    given = (features,) if weights is None else (features, weights)
    function = _GramSum if weights is None else _WeightedGramSum
    gram: Tensor = function.apply(*given)  # type: ignore[no-untyped-call]
    return gram


def gram_matrix(features: Tensor) -> Tensor:
    """Mean over all positions of the products of every two channels: a :func:`gram_sum` per position.

    The mean makes pictures of different sizes comparable; the sums of the paper are ``H * W`` times it.
    """
    return gram_sum(features) / features[0, 0].numel()


class _GramSum(torch.autograd.Function):
    """``F.T @ F``, whose gradient ``F @ (D + D.T)`` is one matrix product; plain autograd takes two."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        # bfloat16 has 8 bits of mantissa: sums over thousands of positions need float32.
        matrix = _matrix(features, torch.promote_types(features.dtype, torch.float32))
        return matrix.T @ matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        return _gram_gradient(features, gradient)


class _WeightedGramSum(torch.autograd.Function):
    """``F.T @ (w * F)``, whose gradient is that of the sum without weights times ``w``."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, weights: Tensor) -> Tensor:
        ctx.save_for_backward(features, weights)
        dtype = torch.promote_types(features.dtype, torch.float32)
        matrix = _matrix(features, dtype)
        return matrix.T @ (matrix * _matrix(weights, dtype))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        features, weights = ctx.saved_tensors
        return _gram_gradient(features, gradient).mul_(weights), None


def _gram_gradient(features: Tensor, gradient: Tensor) -> Tensor:
    """The gradient with respect to features (1, C, H, W), from that of their sum of products (C, C)."""
    # The gradient of features is of their dtype anyhow, so its product may be computed in it.
    symmetric = (gradient + gradient.T).to(features.dtype)
    _, channels, height, width = features.shape
    found = _matrix(features, features.dtype) @ symmetric
    return found.view(1, height, width, channels).permute(0, 3, 1, 2)


def _matrix(features: Tensor, dtype: torch.dtype) -> Tensor:
    """One row a position, (H * W, C), copied at most once.

    A view if the dtype is the features' own and no row of the map is left out, in either memory format.
    """
    return features[0].permute(1, 2, 0).to(dtype).flatten(0, 1)
