"""Measures of networks and of the drawn pictures that need no other network and no data set."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.network import Network
from models.procedural import CLASSES, draw
from models.procedural.catalogue import DRAWINGS
from models.procedural.registry import Split
from worker.losses.gram import gram_matrix
from worker.optim.color import luma

# Seeds from here on are never used in training: a set would need this many seeds a class to reach them.
NEW_SEEDS = 2**40

# Batch size.
BATCH = 64

# Side of a texture in pixels; its two crops are the left and the right half.
TEXTURE_SIZE = 256

# Linear classifiers without information about shapes are a check of the classes: one that can be recognised
# by its mean colours teaches a network nothing else. Sides of the thumbnails, levels a channel of the
# histograms, side of the pictures.
THUMBNAIL = 8
BINS = 8
LINEAR_SIZE = 64

# Pictures of each class that the classifiers are fitted to, and tried on.
FITTED = 64
TRIED = 16

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


def least_known(classify: Classifier, per_class: int, size: int) -> dict[str, str]:
    """The classes of which fewer than half of the pictures of the held-out variant are recognised.

    By name, the fewest first: how many of how many, and what most of the others are taken for.
    """
    pictures, _ = unseen_pictures("held-out", per_class, size)
    guessed = guesses(classify, pictures).view(-1, per_class)
    known = [int((row == number).sum()) for number, row in enumerate(guessed)]
    found = {}
    for number in sorted(range(len(CLASSES)), key=known.__getitem__):
        if 2 * known[number] < per_class:
            others = Counter(row for row in guessed[number].tolist() if row != number)
            ((other, count),) = others.most_common(1)
            found[CLASSES[number]] = f"{known[number]} of {per_class}; {CLASSES[other]} {count} times"
    return found


def texture_retrieval(network: Network, layer: str, per_class: int) -> float:
    """The fraction of textures whose other half is the nearest of all halves, by Gram matrix at a layer.

    With good features, patches of one texture are similar (Ustyuzhaninov et al., "What does it take to
    generate natural textures?", ICLR 2017). The textures are drawn by variants not used in training, in grey
    with the same mean and contrast, so that colour does not identify them.
    """
    numbers = [number for number, drawing in enumerate(DRAWINGS) if drawing.kind == "texture"]
    classes = torch.tensor(numbers).repeat_interleave(per_class)
    seeds = NEW_SEEDS + torch.arange(per_class).repeat(len(numbers))
    grams: dict[str, list[Tensor]] = {"left": [], "right": []}
    for place in range(len(classes)):
        texture = _grey(draw(classes[place, None], seeds[place, None], TEXTURE_SIZE, "held-out"))
        for side, half in zip(grams, torch.split(texture, TEXTURE_SIZE // 2, dim=3), strict=True):
            features = network.features(half, (layer,))[layer]
            grams[side].append(F.normalize(gram_matrix(features).flatten(), dim=0))
    similar = torch.stack(grams["left"]) @ torch.stack(grams["right"]).T
    right = similar.argmax(dim=1) == torch.arange(len(classes))
    return float(right.float().mean())


def _grey(pictures: Tensor) -> Tensor:
    light = luma(pictures)
    deviation, mean = torch.std_mean(light, dim=(1, 2, 3), keepdim=True)
    even = 0.5 + 0.2 * (light - mean) / deviation.clamp_min(1e-3)
    return even.clamp(0, 1).expand(-1, 3, -1, -1)


def peak_signal_to_noise(picture: Tensor, reference: Tensor) -> float:
    """PSNR in dB of two pictures in [0, 1] of one shape."""
    return float(-10 * (picture - reference).square().mean().log10())


def step_seconds(network: Network, layers: list[str], side: int, repeats: int) -> float:
    """Seconds of a forward and backward pass to the pixels of a square picture; the fastest of some."""
    picture = torch.rand(1, 3, side, side, device=network.device, requires_grad=True)
    fastest = float("inf")
    for _ in range(repeats):
        began = time.perf_counter()
        features = network.features(picture, layers)
        loss = torch.stack([each.float().square().mean() for each in features.values()]).sum()
        torch.autograd.grad(loss, picture)
        fastest = min(fastest, time.perf_counter() - began)
    return fastest


def thumbnails(pictures: Tensor) -> Tensor:
    """Each picture (n, 3, H, W) as 8 by 8 mean colours, (n, 192)."""
    return F.interpolate(pictures, THUMBNAIL, mode="area").flatten(1)


def color_histograms(pictures: Tensor) -> Tensor:
    """The fraction of each of 8^3 colours in each picture (n, 3, H, W), (n, 512)."""
    levels = (pictures * BINS).long().clamp_max(BINS - 1)
    codes = ((levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]).flatten(1)
    counts = torch.zeros(len(codes), BINS**3).scatter_add_(1, codes, torch.ones(codes.shape))
    return counts / codes.shape[1]


def linear_accuracies() -> dict[str, float]:
    """Accuracies on new seeds of linear classifiers fitted to pictures of each class.

    By name: ``thumbnail`` and ``color_histogram``. The regularisation is the best one for the test pictures,
    so these are upper bounds.
    """
    labels = torch.arange(len(CLASSES)).repeat_interleave(FITTED)
    seen = draw(labels, torch.arange(FITTED).repeat(len(CLASSES)), LINEAR_SIZE)
    unseen, classes = unseen_pictures("train", TRIED, LINEAR_SIZE)
    views = {"thumbnail": thumbnails, "color_histogram": color_histograms}
    return {
        name: max(_linear_accuracy(view(seen), labels, view(unseen), classes, c) for c in (0.1, 1.0, 10.0))
        for name, view in views.items()
    }


def _linear_accuracy(seen: Tensor, labels: Tensor, unseen: Tensor, classes: Tensor, c: float) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier: Any = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
    classifier.fit(seen.numpy(), labels.numpy())
    return float(classifier.score(unseen.numpy(), classes.numpy()))
