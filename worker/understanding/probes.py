"""Linear probes: how well the labels of pictures can be read off the codes of a layer.

Alain and Bengio, "Understanding intermediate layers using linear classifier probes", ICLR workshop 2017. The
classifier is a ridge regression to plus and minus 1, with a strength chosen by leave-one-out
cross-validation on the training part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# Share of each label's pictures that is held out, and the strengths to choose from, per training picture.
HELD_OUT = 0.25
STRENGTHS = 10.0 ** np.arange(-4, 2)


@dataclass(frozen=True)
class Probe:
    """Of one layer: the length of its codes, and the share of held-out pictures that are right."""

    layer: str
    dimensions: int
    accuracy: float


def held_out(labels: Sequence[str], seed: int) -> NDArray[np.bool_]:
    """Which pictures a probe is tested on: a share of each label, at least one where it has two."""
    generator = np.random.default_rng(seed)
    chosen = np.zeros(len(labels), dtype=np.bool_)
    every = np.array(labels)
    for label in sorted(set(labels)):
        places = generator.permutation(np.flatnonzero(every == label))
        if len(places) > 1:
            chosen[places[: max(1, round(HELD_OUT * len(places)))]] = True
    return chosen


def probe(layer: str, codes: Tensor, labels: Sequence[str], tested: NDArray[np.bool_]) -> Probe:
    """Learn labels from codes (N, C), and test on the held-out ones."""
    from sklearn.linear_model import RidgeClassifierCV

    values, names = codes.double().numpy(), np.array(labels)
    mean, deviation = values[~tested].mean(0), values[~tested].std(0)
    standard = (values - mean) / np.where(deviation > 0, deviation, 1.0)
    classifier = RidgeClassifierCV(alphas=STRENGTHS * int((~tested).sum()))
    classifier.fit(standard[~tested], names[~tested])
    right = classifier.predict(standard[tested]) == names[tested]
    return Probe(layer, codes.shape[1], float(right.mean()))


def chance(labels: Sequence[str], tested: NDArray[np.bool_]) -> float:
    """The share of held-out pictures that are right if all are taken for the commonest label in training."""
    every = np.array(labels)
    names, counts = np.unique(every[~tested], return_counts=True)
    return float((every[tested] == names[counts.argmax()]).mean())
