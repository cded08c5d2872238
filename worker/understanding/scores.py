"""Measures of a classifier on pictures whose classes are known."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ClassScores:
    """Measures of one class. ``support`` pictures have it; ``predicted`` are taken for it.

    A share whose denominator is 0 is None.
    """

    precision: float | None
    recall: float | None
    f1: float | None
    support: int
    predicted: int


def confusion(true: Tensor, guessed: Tensor, classes: int) -> Tensor:
    """Pictures (C, C) of each class, down, that are taken for each, across; classes are given (N,)."""
    counts = torch.zeros(classes * classes, dtype=torch.int64)
    counts.scatter_add_(0, true * classes + guessed, torch.ones_like(true))
    return counts.view(classes, classes)


def class_scores(counts: Tensor) -> list[ClassScores]:
    """The measures of every class of a confusion matrix (C, C)."""
    rows = zip(counts.diagonal().tolist(), counts.sum(1).tolist(), counts.sum(0).tolist(), strict=True)
    return [
        ClassScores(
            precision=_share(right, predicted),
            recall=_share(right, support),
            f1=_share(2 * right, support + predicted),
            support=support,
            predicted=predicted,
        )
        for right, support, predicted in rows
    ]


def macro(values: Sequence[float | None]) -> float | None:
    """The mean of the values that there are."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def top_error(ranks: Sequence[int], top: int) -> float:
    """The share of pictures whose class is not among the ``top`` most likely; the first has rank 1."""
    return sum(rank > top for rank in ranks) / len(ranks)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
