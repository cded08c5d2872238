"""Transfers of color statistics: the colors of one picture with those of others.

The statistics of a picture are those of its pixels (N, 3, H, W), sRGB in [0, 1]. Those of several pictures
are of a mixture with a share of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from app.kinds.style_fields import ColorMatch
from worker.optim.color import Change, from_oklab, in_bands, moments, to_oklab
from worker.optim.color_distribution import with_distribution

# Variances are at least this: half a level of 8 bits, squared. A flat picture has no direction to stretch.
_FLOOR = (0.5 / 255) ** 2


@dataclass(frozen=True)
class Moments:
    """Mean (C,) and covariance (C, C) of colors, float64 on the CPU."""

    mean: Tensor
    covariance: Tensor


def matched(picture: Tensor, others: Sequence[Tensor], shares: Sequence[float], how: ColorMatch) -> Tensor:
    """``picture`` with the colors of ``others``, of any size, blended by ``shares``; clipped to [0, 1].

    ``cholesky``, ``pca`` and ``symmetric`` are x' = A (x - mu) + mu', after which mean and covariance are
    those of the others: Gatys et al., "Controlling Perceptual Factors in Neural Style Transfer", CVPR 2017,
    section 5.2, and their code. ``histogram`` transfers the whole distribution, see
    :mod:`worker.optim.color_distribution`.
    """
    counted = [(other, share) for other, share in zip(others, shares, strict=True) if share > 0]
    others, shares = [other for other, _ in counted], [share for _, share in counted]
    if how == "histogram":
        return with_distribution(picture, others, shares)
    ours = Moments(*moments(picture, _same))
    theirs = blended([Moments(*moments(other, _same)) for other in others], shares)
    matrix = linear_map(ours.covariance, theirs.covariance, how)
    return in_bands(partial(_affine, ours=ours, theirs=theirs, matrix=matrix), picture).clamp_(0, 1)


def linear_map(ours: Tensor, theirs: Tensor, how: ColorMatch) -> Tensor:
    """A matrix A with A ``ours`` A^T = ``theirs``, both covariances (C, C) in float64.

    - ``cholesky``: L' L^-1, of the factors L L^T = S. Depends on the order of the channels.
    - ``pca``: S'^(1/2) S^(-1/2), of Image Analogies (Hertzmann et al., SIGGRAPH 2001).
    - ``symmetric``: S^(-1/2) (S^(1/2) S' S^(1/2))^(1/2) S^(-1/2), which changes colors the least (the optimal
      transport of Gaussians: Pitié and Kokaram, "The linear Monge-Kantorovitch linear colour mapping for
      example-based colour transfer", CVMP 2007).
    """
    ours = _by_eigenvalues(ours, lambda values: values.clamp_min(_FLOOR))
    if how == "cholesky":
        theirs = theirs + 1e-12 * torch.eye(len(theirs), dtype=theirs.dtype)
        forth: Tensor = torch.linalg.cholesky(theirs)
        back: Tensor = torch.linalg.inv(torch.linalg.cholesky(ours))
        return forth @ back
    root = _root(ours)
    inverse: Tensor = torch.linalg.inv(root)
    if how == "pca":
        return _root(theirs) @ inverse
    return inverse @ _root(root @ theirs @ root) @ inverse


def with_chroma_within(
    picture: Tensor, limit: Tensor, seen: Tensor | None = None, *, out: Tensor | None = None
) -> Tensor:
    """``picture`` with its own lightness, and no more chroma than ``limit``.

    ``limit`` are second moments as :func:`chroma_power` gives them. The map of the chroma is the symmetric
    one between those of the picture and these, without what it would amplify: along each of its two axes
    there is then at most what the limit has. Grey stays grey, and with a limit of 0 all becomes grey.
    ``seen`` (1, 1, H, W), not all 0, says which pixels of the picture count; None: all. The result is written
    to ``out``, which may be ``picture``.
    """
    matrix = _damping(picture, limit, seen)

    def changed(band: Tensor) -> Tensor:
        lab = to_oklab(band)
        return from_oklab(torch.cat([lab[:, :1], _mapped(lab[:, 1:], matrix)], 1))

    return in_bands(changed, picture, out=out)


def with_chroma_in_regions(
    picture: Tensor,
    limits: Sequence[Tensor],
    regions: Sequence[Tensor | None],
    shares: Sequence[Tensor],
    *,
    out: Tensor | None = None,
) -> Tensor:
    """As :func:`with_chroma_within`, with a limit for each of some ``regions`` (1, 1, H, W), none all 0.

    A pixel is mapped by each to its part in ``shares`` (1, 1, H, W), of sum 1 at most; the rest stays.
    """
    matrices = [_damping(picture, *each) for each in zip(limits, regions, strict=True)]

    def changed(band: Tensor, *parts: Tensor) -> Tensor:
        lab = to_oklab(band)
        chroma = (1 - torch.stack(parts).sum(0)) * lab[:, 1:]
        for matrix, part in zip(matrices, parts, strict=True):
            chroma = chroma + part * _mapped(lab[:, 1:], matrix)
        return from_oklab(torch.cat([lab[:, :1], chroma], 1))

    return in_bands(changed, picture, *shares, out=out)


def chroma_power(picture: Tensor, weights: Tensor | None = None) -> Tensor:
    """Second moments (2, 2) about grey, float64 on the CPU, of the chroma (a, b of OKLab) of a picture.

    ``weights`` (1, 1, H, W), not all 0, say how much each pixel counts; None: all the same.
    """
    mean, covariance = moments(picture, lambda band: to_oklab(band)[:, 1:], weights)
    return covariance + torch.outer(mean, mean)


def _damping(picture: Tensor, limit: Tensor, seen: Tensor | None) -> Tensor:
    """The map of chroma (2, 2) of :func:`with_chroma_within`."""
    matrix = linear_map(chroma_power(picture, seen), limit, "symmetric")
    return _by_eigenvalues(matrix, lambda values: values.clamp(0, 1))


def _mapped(chroma: Tensor, matrix: Tensor) -> Tensor:
    return torch.einsum("ij,njhw->nihw", matrix.to(chroma.dtype).to(chroma.device), chroma)


def blended(several: Sequence[Moments], shares: Sequence[float]) -> Moments:
    """The moments of a mixture with a share of each, which need not sum to 1."""
    weights = torch.tensor(shares, dtype=torch.float64)
    weights = weights / weights.sum()
    means = torch.stack([each.mean for each in several])
    within = torch.stack([each.covariance for each in several])
    mean = weights @ means
    apart = means - mean
    covariance = torch.einsum("k,kij->ij", weights, within) + apart.T @ (weights[:, None] * apart)
    return Moments(mean, covariance)


def _same(band: Tensor) -> Tensor:
    return band


def _affine(colors: Tensor, ours: Moments, theirs: Moments, matrix: Tensor) -> Tensor:
    move = (theirs.mean - matrix @ ours.mean).to(colors).view(1, -1, 1, 1)
    return torch.einsum("ij,njhw->nihw", matrix.to(colors), colors) + move


def _root(matrix: Tensor) -> Tensor:
    """The symmetric square root of a positive semidefinite matrix."""
    return _by_eigenvalues(matrix, lambda values: values.clamp_min(0).sqrt())


def _by_eigenvalues(matrix: Tensor, change: Change) -> Tensor:
    """A symmetric matrix with its eigenvalues changed."""
    values, vectors = torch.linalg.eigh(matrix)
    changed: Tensor = (vectors * change(values)) @ vectors.T
    return changed
