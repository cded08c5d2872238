"""Gram matrices: the correlations of feature maps that stand for a style.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.2.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _GramSum(torch.autograd.Function):
    """``F.T @ F``, whose gradient ``F @ (D + D.T)`` is one matrix product; plain autograd takes two."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        # bfloat16 has 8 bits of mantissa: sums over thousands of positions need float32.
        matrix = _matrix(features).to(torch.promote_types(features.dtype, torch.float32))
        return matrix.T @ matrix

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        # The gradient of features is of their dtype anyhow, so its product may be computed in it.
        symmetric = (gradient + gradient.T).to(features.dtype)
        _, channels, height, width = features.shape
        return (_matrix(features) @ symmetric).view(1, height, width, channels).permute(0, 3, 1, 2)


def _matrix(features: Tensor) -> Tensor:
    """One row a position, (H * W, C); a view if no row of the map is left out, in either memory format."""
    return features[0].permute(1, 2, 0).flatten(0, 1)


def gram_sum(features: Tensor) -> Tensor:
    """Sum over all positions of the products of every two channels.

    ``features`` is (1, C, H, W) of any floating dtype; the result is (C, C), float32 (float64 for
    float64 features). Raises ValueError for a batch, whose pictures have a Gram matrix each.
    """
    if features.dim() != 4 or features.shape[0] != 1:
        raise ValueError(f"features must be (1, C, H, W), not {tuple(features.shape)}")
    gram: Tensor = _GramSum.apply(features)  # type: ignore[no-untyped-call]
    return gram


def gram_matrix(features: Tensor) -> Tensor:
    """Mean over all positions of the products of every two channels: a :func:`gram_sum` per position.

    The mean makes pictures of different sizes comparable; the sums of the paper are ``H * W`` times it.
    """
    return gram_sum(features) / features[0, 0].numel()
