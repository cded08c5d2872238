"""Sums over positions that give mean, standard deviation and covariance of the channels."""

import torch
from torch import Tensor

from worker.losses.gram import gram_sum


def power_sums(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sums over all positions of (1, C, H, W), and of their squares: (2, C), float32 or better.

    ``weights`` (1, 1, H, W) multiply what is summed.
    """
    values = features[0].flatten(1).to(torch.promote_types(features.dtype, torch.float32))
    if weights is None:
        return torch.stack([values.sum(1), values.square().sum(1)])
    weighted = values * weights.flatten().to(values)
    return torch.stack([weighted.sum(1), (weighted * values).sum(1)])


def moment_sums(features: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sums over all positions of the products of every two channels of (1, C, H, W), and of the channels.

    The result is (C + 1, C), the latter in its last row; float32 or better. ``weights`` (1, 1, H, W) multiply
    what is summed.
    """
    products = gram_sum(features, weights)
    if weights is None:
        return torch.cat([products, features.sum((2, 3), dtype=products.dtype)])
    weighted = features.to(products.dtype) * weights.to(products.dtype)
    return torch.cat([products, weighted.sum((2, 3))])


def mean_and_covariance(means: Tensor) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C) of the channels, from means over positions of :func:`moment_sums`."""
    mean = means[-1]
    return mean, means[:-1] - torch.outer(mean, mean)
