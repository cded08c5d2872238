"""What a linear classifier makes of the drawn pictures without seeing any form: a check of the classes.

A class that can be told by its mean colours teaches a network nothing else.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from models.procedural import CLASSES, draw
from worker.training.evaluation import unseen_pictures

THUMBNAIL = 8
BINS = 8
SIZE = 64


def thumbnails(pictures: Tensor) -> Tensor:
    """Each picture (n, 3, H, W) as 8 by 8 mean colours, (n, 192)."""
    return F.interpolate(pictures, THUMBNAIL, mode="area").flatten(1)


def color_histograms(pictures: Tensor) -> Tensor:
    """The share of each of 8^3 colours in each picture (n, 3, H, W), (n, 512)."""
    levels = (pictures * BINS).long().clamp_max(BINS - 1)
    codes = ((levels[:, 0] * BINS + levels[:, 1]) * BINS + levels[:, 2]).flatten(1)
    counts = torch.zeros(len(codes), BINS**3).scatter_add_(1, codes, torch.ones(codes.shape))
    return counts / codes.shape[1]


def linear_accuracies(training: int, testing: int) -> dict[str, float]:
    """Accuracies on new seeds of linear classifiers that learned from ``training`` pictures of each class.

    By name: ``thumbnail`` and ``color_histogram``. The regularisation is chosen in favour of the classifier,
    on the pictures that it is measured on.
    """
    labels = torch.arange(len(CLASSES)).repeat_interleave(training)
    seen = draw(labels, torch.arange(training).repeat(len(CLASSES)), SIZE)
    unseen, classes = unseen_pictures("train", testing, SIZE)
    looks = {"thumbnail": thumbnails, "color_histogram": color_histograms}
    return {
        name: max(_linear_accuracy(look(seen), labels, look(unseen), classes, c) for c in (0.1, 1.0, 10.0))
        for name, look in looks.items()
    }


def _linear_accuracy(seen: Tensor, labels: Tensor, unseen: Tensor, classes: Tensor, c: float) -> float:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    classifier: Any = make_pipeline(StandardScaler(), LogisticRegression(C=c, max_iter=2000))
    classifier.fit(seen.numpy(), labels.numpy())
    return float(classifier.score(unseen.numpy(), classes.numpy()))
