"""Whether probabilities mean what they say: temperature scaling, and the expected calibration error."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# Guo, Pleiss, Sun, Weinberger, "On calibration of modern neural networks" (ICML 2017), section 5.
BINS = 15

# Where the temperature is searched, and how precisely its logarithm.
BOUNDS = (0.02, 50.0)
PRECISION = 1e-4
GOLDEN = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Bin:
    """Pictures whose classes are given with a probability in (low, high].

    ``confidence`` is the mean of these probabilities, ``accuracy`` the share that is right; None without
    pictures.
    """

    low: float
    high: float
    count: int
    confidence: float | None
    accuracy: float | None


def reliability(logits: Tensor, classes: Tensor, temperature: float, bins: int = BINS) -> list[Bin]:
    """Pictures by the probability of what they are taken for; logits are (N, C), classes (N,)."""
    confidence, guessed = (logits.double() / temperature).softmax(1).max(1)
    right = guessed == classes
    places = (confidence * bins).ceil().clamp(1, bins).long() - 1
    found = []
    for place in range(bins):
        inside = places == place
        count = int(inside.sum())
        found.append(
            Bin(
                place / bins,
                (place + 1) / bins,
                count,
                float(confidence[inside].mean()) if count else None,
                float(right[inside].double().mean()) if count else None,
            )
        )
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """The mean over pictures of how far accuracy and confidence of their bins are apart.

    Guo et al. 2017, equation 3. ValueError without pictures.
    """
    total = sum(each.count for each in bins)
    if not total:
        raise ValueError("there are no pictures")
    gaps = (
        each.count * abs(each.accuracy - each.confidence)
        for each in bins
        if each.accuracy is not None and each.confidence is not None
    )
    return sum(gaps) / total


def fit_temperature(logits: Tensor, classes: Tensor, smoothing: float = 0.0) -> float:
    """The temperature at which the cross-entropy of logits (N, C) with classes (N,) is least.

    Guo et al. 2017, section 4.2. ``smoothing`` is the share of a target that all classes have in equal parts.
    """
    exact = logits.double()

    def loss(exponent: float) -> float:
        return float(F.cross_entropy(exact / math.exp(exponent), classes, label_smoothing=smoothing))

    # Golden section: the loss is convex in 1 / T, so that it has one minimum.
    low, high = (math.log(bound) for bound in BOUNDS)
    while high - low > PRECISION:
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


def temperature_of_few(logits: Tensor, classes: Tensor) -> float:
    """The temperature fitted on pictures that may be so few that all are right; 1 without any.

    The right class then would have a probability of 1. Its target is therefore (n + 1) / (n + 2) as in Platt,
    "Probabilistic outputs for support vector machines" (1999), section 2.2; the others share the rest.
    """
    count, number = logits.shape
    if not count or number < 2:
        return 1.0
    # Label smoothing gives a part to the right class, too.
    smoothing = number / (number - 1) / (count + 2)
    return fit_temperature(logits, classes, smoothing)


def probabilities(logits: Tensor, temperature: float) -> Tensor:
    """Probabilities (N, C), float32, of logits at a temperature."""
    return torch.softmax(logits.double() / temperature, 1).float()
