"""Distances of positions to the nearest of others, in chunks: the matrix of all pairs never exists."""

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

# Bytes of the part of the matrix of pairs that exists at a time: what fits into a cache.
CHUNK = 4 << 20

# Targets whose cosines are searched together: the largest of a group is found several times as fast as its
# place.
GROUP = 32

# Rows shorter than this fraction of what is usual have no direction: their distance is 1, without a gradient,
# which would be as many times larger than that of others.
SHORTEST = 1e-4


def directions(rows: Tensor) -> Tensor:
    """Those of rows (n, C), of length 1; only rows that have a direction, or one that is 0 if none has."""
    length = rows.norm(dim=1, keepdim=True)
    found = (rows / length)[length[:, 0] > SHORTEST * usual_length(rows)]
    return found if len(found) else torch.zeros_like(rows[:1])


def usual_length(rows: Tensor) -> float:
    """Root mean square of the lengths of rows (n, C)."""
    return float(rows.square().sum(1).mean().sqrt())


def mean_cosine_distance(rows: Tensor, targets: Tensor, usual: float, *, centered: bool) -> Tensor:
    """Mean over rows (P, C) of the cosine distance to the nearest target (S, C), 0-dimensional.

    The distance, 1 less the cosine of the angle, is from 0 to 2. With ``centered`` the mean row is subtracted
    from each; ``targets`` are :func:`directions`; ``usual`` is the usual length of a row. Float32 or better.
    Takes, beside a gradient of the size of ``rows``, about CHUNK bytes whatever P and S are.
    """
    mean: Tensor = _MeanCosineDistance.apply(rows, targets, usual, centered)[0]  # type: ignore[no-untyped-call]
    return mean


def mean_cosine_distances(rows: Tensor, targets: Tensor, usual: float) -> tuple[Tensor, Tensor]:
    """As :func:`mean_cosine_distance`, not centered; and the mean over targets of that to the nearest row."""
    mean: Tensor
    mean, nearest = _MeanCosineDistance.apply(rows, targets, usual, False)  # type: ignore[no-untyped-call]
    # Unlike indexing, whose gradient is added up in any order.
    found = rows.index_select(0, nearest).to(targets.dtype)
    length = found.norm(dim=1)
    reciprocal = torch.where(length > SHORTEST * usual, 1 / length.clamp_min(SHORTEST * usual), 0)
    return mean, (1 - (found * targets).sum(1) * reciprocal).mean()


class _MeanCosineDistance(torch.autograd.Function):
    """The mean distance and the row that is nearest to each target.

    Finds the gradient on the way, so that each part of the matrix of pairs is computed once.
    """

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, targets: Tensor, usual: float, centered: bool
    ) -> tuple[Tensor, Tensor]:
        dtype = torch.promote_types(rows.dtype, torch.float32)
        count = len(targets)
        # The last is repeated to fill the last group.
        targets = targets.to(dtype)[
            torch.arange(-(-count // GROUP) * GROUP, device=targets.device).clamp_max(count - 1)
        ]
        mean = rows.mean(0, dtype=dtype) if centered else rows.new_zeros(rows.shape[1], dtype=dtype)
        gradient, of_mean = torch.empty_like(rows), torch.zeros_like(mean)
        highest = targets.new_full((len(targets),), -torch.inf)
        nearest = torch.zeros(len(targets), dtype=torch.int64, device=rows.device)
        distances = []
        each = max(1, CHUNK // (len(targets) * targets.element_size()))
        for start in range(0, len(rows), each):
            part = rows[start : start + each].to(dtype) - mean
            length = part.norm(dim=1, keepdim=True)
            reciprocal = torch.where(length > SHORTEST * usual, 1 / length, 0)
            part *= reciprocal
            cosines = part @ targets.T
            places = _largest_of_each(cosines)
            best = cosines.gather(1, places[:, None])
            distances.append((1 - best).sum())
            slope = (best * part - targets[places]) * (reciprocal / len(rows))
            gradient[start : start + each] = slope
            of_mean += slope.sum(0)
            higher = cosines.amax(0) > highest
            highest[higher], rows_here = cosines[:, higher].max(0)
            nearest[higher] = rows_here + start
        if centered:
            gradient -= (of_mean / len(rows)).to(gradient.dtype)
        ctx.save_for_backward(gradient)
        ctx.mark_non_differentiable(nearest)
        return torch.stack(distances).sum() / len(rows), nearest[:count]

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, along: Tensor, _: Tensor) -> tuple[Tensor, None, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * along.to(gradient.dtype), None, None, None


def _largest_of_each(rows: Tensor) -> Tensor:
    """The place of the largest number of each row (n, k * GROUP)."""
    groups = rows.view(len(rows), -1, GROUP)
    within = groups.amax(1).argmax(1)
    of_groups = groups.gather(2, within[:, None, None].expand(-1, groups.shape[1], 1))[..., 0]
    places: Tensor = of_groups.argmax(1) * GROUP + within
    return places
