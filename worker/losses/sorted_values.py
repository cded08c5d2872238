"""Distances of sorted values: optimal transport in one dimension."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Numbers that are sorted at once.
CHUNK = 1 << 22


def sorted_rows(values: Tensor) -> Tensor:
    """The values of each row of (K, N) in ascending order."""
    return values.sort(dim=1).values


def sorted_distance(values: Tensor, target: Tensor) -> Tensor:
    """Mean over N of squared distances of sorted values to the target, summed over rows; 0-dimensional.

    ``values`` are (K, N), in any order; ``target`` is (K, M), in ascending order, and resampled to N. For
    N = M this is the sum over rows of the squared Wasserstein distance W2. Takes as much memory as the
    gradient.
    """
    distance: Tensor = _SortedDistance.apply(values, target)  # type: ignore[no-untyped-call]
    return distance


def resampled(values: Tensor, count: int) -> Tensor:
    """Ascending values (..., M) at ``count`` places that divide them equally, (..., count).

    The places are ``(i + 1/2) / count`` of the quantile function, which is linear between those of the
    values, ``(j + 1/2) / M``, and constant beyond.
    """
    known = values.shape[-1]
    if known == count:
        return values
    places = (_middles(count) * known - 0.5).clamp(0, known - 1)
    below = places.long().clamp_max(max(0, known - 2))
    beyond = (places - below).to(values.device, values.dtype)
    below = below.to(values.device)
    return torch.lerp(values[..., below], values[..., (below + 1).clamp_max(known - 1)], beyond)


def mixed(each: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Ascending values of the mixture of several distributions, (K, M), M that of the most.

    ``each`` is (K, M'), in ascending order; all of it weighs its share, of sum 1. A mixture has values of
    this style or of that, as a picture in both styles has, and as blended Gram matrices are those of one;
    to interpolate sorted values would give values that are in neither.
    """
    counted = [(values.cpu(), share) for values, share in zip(each, shares, strict=True) if share > 0]
    if len(counted) == 1:
        return counted[0][0].to(each[0].device)
    weights = torch.cat(
        [
            torch.full((values.shape[1],), share / values.shape[1], dtype=torch.float64)
            for values, share in counted
        ]
    )
    values, order = torch.cat([values for values, _ in counted], dim=1).sort(dim=1)
    reached = weights[order].cumsum(dim=1)
    wanted = _middles(max(values.shape[1] for values, _ in counted))
    found = torch.searchsorted(reached, wanted.expand(len(values), -1).contiguous())
    return values.gather(1, found.clamp_max(values.shape[1] - 1)).to(each[0].device)


def _middles(count: int) -> Tensor:
    """``(i + 1/2) / count``, on the CPU in float64, which not every device has."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


class _SortedDistance(torch.autograd.Function):
    """Some rows at a time, so that their order is not kept, which takes twice the memory of the values."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, target: Tensor) -> Tensor:
        count = values.shape[1]
        gradient = torch.empty_like(values) if ctx.needs_input_grad[0] else None
        together = max(1, CHUNK // count)
        total = values.new_zeros(())
        for start in range(0, len(values), together):
            rows = slice(start, start + together)
            found, order = values[rows].sort(dim=1)
            difference = found - resampled(target[rows], count)
            total += difference.square().sum() / count
            if gradient is not None:
                gradient[rows].scatter_(1, order, difference.mul_(2 / count))
        if gradient is not None:
            ctx.save_for_backward(gradient)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, slope: Tensor) -> tuple[Tensor, None]:
        (gradient,) = ctx.saved_tensors
        return slope * gradient, None
