"""The accuracy of a network on drawn pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from models.procedural import CLASSES, draw
from models.procedural.registry import Split

# Seeds from here on are never used in training: a set would need this many seeds a class to reach them.
NEW_SEEDS = 2**40

# Batch size.
BATCH = 64

Classifier = Callable[[Tensor], Tensor]
"""Pictures (n, 3, H, W) in [0, 1] to logits (n, classes)."""


@lru_cache(maxsize=4)
def unseen_pictures(split: Split, per_class: int, size: int) -> tuple[Tensor, Tensor]:
    """Pictures (64 * per_class, 3, size, size) float32 of seeds not used in training, and their classes."""
    classes = torch.arange(len(CLASSES)).repeat_interleave(per_class)
    seeds = NEW_SEEDS + torch.arange(per_class).repeat(len(CLASSES))
    return draw(classes, seeds, size, split), classes


@torch.no_grad()
def guesses(classify: Classifier, pictures: Tensor) -> Tensor:
    """The class (n,) with the highest logit of each picture (n, 3, H, W)."""
    return torch.cat([classify(batch).argmax(dim=1).cpu() for batch in torch.split(pictures, BATCH)])


@dataclass(frozen=True)
class Accuracies:
    """Accuracies on new seeds of the trained variants, and on held-out variants."""

    new_seeds: float
    held_out_variants: float


def accuracies(classify: Classifier, per_class: int, size: int) -> Accuracies:
    """Measured on ``per_class`` pictures of each class, of ``size`` pixels a side."""
    return Accuracies(
        accuracy(classify, *unseen_pictures("train", per_class, size)),
        accuracy(classify, *unseen_pictures("held-out", per_class, size)),
    )


def accuracy(classify: Classifier, pictures: Tensor, classes: Tensor) -> float:
    """The fraction of pictures (n, 3, H, W) that are classified as their class (n,)."""
    return float((guesses(classify, pictures) == classes).float().mean())
