"""Gram matrices: the correlations of feature maps that stand for a style.

Gatys, Ecker, Bethge, "Image Style Transfer Using Convolutional Neural Networks", CVPR 2016, section 2.2.
"""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class _GramSum(torch.autograd.Function):
    """``F @ F.T``, whose gradient ``(D + D.T) @ F`` is one matrix product; plain autograd takes two."""

    @staticmethod
    def forward(ctx: Any, features: Tensor) -> Tensor:
        ctx.save_for_backward(features)
        # bfloat16 has 8 bits of mantissa: sums over thousands of positions need float32.
        rows = _rows(features).to(torch.promote_types(features.dtype, torch.float32))
        return rows @ rows.T

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        (features,) = ctx.saved_tensors
        # The gradient of features is of their dtype anyhow, so its product may be computed in it.
        symmetric = (gradient + gradient.T).to(features.dtype)
        return (symmetric @ _rows(features)).view_as(features)


def _rows(features: Tensor) -> Tensor:
    """One row a channel, (C, H * W); a view, whether the memory is channels-first or channels-last."""
    return features[0].flatten(1)


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
