"""Transfer of a whole distribution of colors, which also moves colors only a part of the way.

Pitié, Kokaram, Dahyot, "Automated colour grading using colour distribution transfer", CVIU 2007: along each
axis of a rotation, values become those of the same rank; so for one rotation after another. The rotations are
the same every time. Pictures are (N, 3, H, W), sRGB in [0, 1].
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import torch
from torch import Tensor
from torch.nn.functional import pad

from worker.optim.color import from_oklab, in_bands, in_bands_with_neighbors, to_oklab

# Pitié et al. have converged after about 10 rotations in their figure 3.
_ROTATIONS = 12
_QUANTILES = 512
# Pixels that quantiles are taken of.
_SAMPLES = 1 << 18

# The same of what becomes of each picture that is shown. Between so many points a curve is straight, which
# also keeps it from making steps of a gradient.
_ROUGH_SAMPLES = 1 << 15
_POINTS = 128
# How much a difference may grow with a rotation, so that what is nearly flat does not become grainy; and the
# largest deviation, in OKLab, below which a picture counts as flat, and moves as a whole.
_STEEPEST = 5.0
_FLAT = 0.01
# Pixels that are mapped at a time, for which much is kept beside them.
_CHUNK = 1 << 16


def with_distribution(picture: Tensor, others: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """``picture`` with the distribution of colors of ``others``, in RGB; clipped to [0, 1]."""
    colors = picture
    for axes in _rotations(_ROTATIONS):
        axes = axes.to(picture)
        ours = _quantiles(axes, [colors], [1.0])
        theirs = _quantiles(axes, others, shares)
        colors = in_bands(partial(_by_rank, axes=axes, ours=ours, theirs=theirs), colors)
    return colors.clamp_(0, 1)


@dataclass(frozen=True)
class ColorTarget:
    """A distribution of colors in OKLab: its quantiles along the axes of each rotation, (R, 3, Q).

    What is made from it stays on the device of the pictures.
    """

    quantiles: Tensor

    @classmethod
    def of(cls, pictures: Sequence[Tensor], shares: Sequence[float]) -> Self:
        """That of a mixture with a share of each picture, of which one is above 0."""
        samples = [_lab_samples(each) for each in pictures]
        each = [share / sample.shape[1] for sample, share in zip(samples, shares, strict=True)]
        weights = torch.cat(
            [torch.full_like(sample[0], one) for sample, one in zip(samples, each, strict=True)]
        )
        colors = torch.cat(samples, 1)
        axes = [each.to(colors) for each in _rotations(_ROTATIONS)]
        return cls(torch.stack([_rough_quantiles(each @ colors, weights) for each in axes]))

    def map_from(self, picture: Tensor, seen: Tensor | None = None) -> "ColorMap":
        """What gives ``picture`` this distribution; ``seen`` (1, 1, H, W) says how much its pixels count."""
        colors = _lab_samples(picture)
        weights = torch.ones_like(colors[0]) if seen is None else _sampled(seen, _ROUGH_SAMPLES)[0].float()
        # A region may lie between the pixels that are looked at: then all count.
        weights = torch.where(weights.sum() > 0, weights, 1)
        curves = []
        for axes, theirs in zip(_rotations(_ROTATIONS), self.quantiles, strict=True):
            axes = axes.to(colors)
            ours = _rough_quantiles(axes @ colors, weights)
            curves.append(_Curves.between(axes, ours, theirs.to(colors)))
            colors = colors + curves[-1].change(colors)
        return ColorMap(curves)


@dataclass(frozen=True)
class _Curves:
    """What is added along each of the ``axes`` (3, 3) to values between ``low`` and ``high`` (3, 1).

    ``table`` (3, _POINTS) has it at even distances; beyond both ends it is as there.
    """

    axes: Tensor
    low: Tensor
    high: Tensor
    table: Tensor

    @classmethod
    def between(cls, axes: Tensor, ours: Tensor, theirs: Tensor) -> Self:
        """The curves that move quantiles (3, Q) to others."""
        middle = (ours[:, :1] + ours[:, -1:]) / 2
        half = (ours[:, -1:] - ours[:, :1]).clamp_min(_FLAT) / 2
        points = middle + half * torch.linspace(-1, 1, _POINTS, dtype=ours.dtype, device=ours.device)
        table = _of_same_rank(points, ours, theirs) - points
        slopes = table.diff().minimum((_STEEPEST - 1) * points.diff())
        slopes = torch.where(ours.std(1).max() < _FLAT, 0, slopes)
        gentle = pad(slopes.cumsum(1), (1, 0))
        curves = cls(axes, middle - half, middle + half, gentle)
        # As much in the mean as without the bound.
        missing = (
            theirs.mean(1, keepdim=True)
            - ours.mean(1, keepdim=True)
            - curves._along(ours).mean(1, keepdim=True)
        )
        return replace(curves, table=gentle + missing)

    def change(self, colors: Tensor) -> Tensor:
        """What is added to colors (3, K), on their device."""
        axes = self.axes.to(colors)
        return axes.T @ self._along(axes @ colors)

    def _along(self, values: Tensor) -> Tensor:
        """What is added to values (3, K) along the axes."""
        low, high, table = (each.to(values) for each in (self.low, self.high, self.table))
        place = ((values - low) / (high - low) * (_POINTS - 1)).clamp_(0, _POINTS - 1)
        floor = place.floor().clamp_max_(_POINTS - 2)
        index = floor.long()
        return table.gather(1, index).lerp_(table.gather(1, index + 1), place.sub_(floor))


@dataclass(frozen=True)
class ColorMap:
    """A map of colors in OKLab: curves along the axes of one rotation after another."""

    curves: Sequence[_Curves]

    def change(self, lab: Tensor) -> Tensor:
        """What it adds to OKLab (1, 3, H, W)."""
        changes = torch.empty_like(lab, memory_format=torch.contiguous_format)
        pieces = zip(*(torch.split(each[0].flatten(1), _CHUNK, 1) for each in (lab, changes)), strict=True)
        for before, change in pieces:
            colors = before
            for curves in self.curves:
                colors = colors + curves.change(colors)
            torch.sub(colors, before, out=change)
        return changes


def with_colors_moved(
    picture: Tensor,
    maps: Sequence[ColorMap],
    strength: float,
    parts: Sequence[Tensor] = (),
    *,
    wrap: bool = False,
) -> Tensor:
    """A picture (1, 3, H, W) moved along some maps by ``strength``, 0 to 1.

    Each map counts in its part (1, 1, H, W), together 1 at most; without parts there is one map. What differs
    from pixel to pixel, such as grain, is not made stronger; with ``wrap`` opposite borders are neighbors.
    """

    def moved(band: Tensor, *parts: Tensor) -> Tensor:
        lab = to_oklab(band)
        details = lab[..., 1:-1, :] - _smoothed(lab, wrap)
        changes = [_without_grain(each.change(lab), details, wrap) for each in maps]
        lab = lab[..., 1:-1, :]
        for change, part in zip(changes, parts, strict=False):
            change *= part[..., 1:-1, :]
        for change in changes:
            lab.add_(change, alpha=strength)
        # Each is as large as the band.
        del change, changes
        return from_oklab(lab)

    return in_bands_with_neighbors(moved, picture, *parts, wrap=wrap)


def _without_grain(changes: Tensor, details: Tensor, wrap: bool) -> Tensor:
    """Smooth changes where they would make ``details``, which a picture has beside its means, stronger."""
    smooth = _smoothed(changes, wrap)
    changes = changes[..., 1:-1, :]
    grows = ((changes - smooth) * details).sum(1, keepdim=True) > 0
    return torch.where(grows, smooth, changes)


def _smoothed(rows: Tensor, wrap: bool) -> Tensor:
    """The means of 3x3 pixels with weights 1, 2, 1 along both axes, without the first and the last row."""
    rows = rows[..., 1:-1, :].mul(2).add_(rows[..., :-2, :]).add_(rows[..., 2:, :])
    wide = pad(rows, (1, 1, 0, 0), mode="circular" if wrap else "replicate")
    return rows.mul_(2).add_(wide[..., :-2]).add_(wide[..., 2:]).div_(16)


def _rotations(count: int) -> Iterator[Tensor]:
    """The axes (3, 3) of so many rotations."""
    generator = torch.Generator().manual_seed(0)
    for rotation in range(count):
        yield torch.linalg.qr(torch.randn(3, 3, generator=generator))[0] if rotation else torch.eye(3)


def _by_rank(colors: Tensor, axes: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    """Along each of the ``axes`` (3, 3), the value of ``theirs`` of the rank that a value has in ``ours``.

    Both (3, Q) are quantiles.
    """
    values = torch.einsum("ij,njhw->inhw", axes, colors).flatten(1).contiguous()
    moved = _of_same_rank(values, ours, theirs)
    count, _, height, width = colors.shape
    return torch.einsum("ij,inhw->njhw", axes, moved.view(3, count, height, width))


def _of_same_rank(values: Tensor, ours: Tensor, theirs: Tensor) -> Tensor:
    """What has in quantiles ``theirs`` (3, Q) the rank that values (3, K) have in ``ours``.

    A value that is several of them has the rank in their middle.
    """
    first = torch.searchsorted(ours, values)
    behind = torch.searchsorted(ours, values, right=True)
    last = ours.shape[1] - 1
    high = first.clamp(1, last)
    below, above = ours.gather(1, high - 1), ours.gather(1, high)
    share = ((values - below) / (above - below).clamp_min(1e-9)).clamp(0, 1)
    rank = torch.where(behind > first, (first + behind - 1) / 2, high - 1 + share)
    floor = rank.floor().clamp(0, last - 1).long()
    low, up = theirs.gather(1, floor), theirs.gather(1, floor + 1)
    return low + (rank - floor) * (up - low)


def _quantiles(axes: Tensor, pictures: Sequence[Tensor], shares: Sequence[float]) -> Tensor:
    """Quantiles (3, Q) along each of the ``axes`` (3, 3), of a mixture with a share of each picture."""
    samples = [_sampled(picture, _SAMPLES).to(axes) for picture in pictures]
    each = [share / sample.shape[1] for sample, share in zip(samples, shares, strict=True)]
    counts = torch.tensor([sample.shape[1] for sample in samples])
    weights = torch.tensor(each, dtype=torch.float64).repeat_interleave(counts).to(axes.device)
    wanted = torch.linspace(0, 1, _QUANTILES, dtype=torch.float64, device=axes.device)
    return _weighted_quantiles(axes @ torch.cat(samples, 1), weights, wanted)


def _weighted_quantiles(values: Tensor, weights: Tensor, wanted: Tensor) -> Tensor:
    """Quantiles ``wanted`` (Q,), 0 to 1, of each row of values (3, K) with weights (K,): (3, Q)."""
    values, order = values.sort(1)
    ranks = weights[order].cumsum(1)
    middles = (ranks - weights[order] / 2) / ranks[:, -1:]
    places = torch.searchsorted(middles, wanted.expand(len(values), -1).contiguous())
    return values.gather(1, places.clamp_max(values.shape[1] - 1))


def _rough_quantiles(values: Tensor, weights: Tensor) -> Tensor:
    """Quantiles (3, Q) of the same, of values with a weight alone; nobody waits for the device."""
    # Behind all others; the last quantile would be one of them.
    counted = torch.where(weights > 0, values, torch.inf)
    largest = torch.where(weights > 0, values, -torch.inf).amax(1, keepdim=True)
    wanted = torch.linspace(0, 1, _QUANTILES, device=values.device)
    return _weighted_quantiles(counted, weights, wanted).minimum(largest)


def _sampled(picture: Tensor, samples: int) -> Tensor:
    """Colors (C, K) of about so many ``samples`` in even distances, of all pixels if there are fewer."""
    step = max(1, math.isqrt(picture.shape[2] * picture.shape[3] // samples))
    return picture[..., ::step, ::step].transpose(0, 1).flatten(1)


def _lab_samples(picture: Tensor) -> Tensor:
    """OKLab (3, K) of some pixels of a picture (1, 3, H, W)."""
    colors = _sampled(picture, _ROUGH_SAMPLES).float()
    return to_oklab(colors.T[..., None, None])[..., 0, 0].T.contiguous()
