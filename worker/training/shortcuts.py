"""Linear classifiers of the drawn pictures without information about shapes: a check of the classes.

A class that can be recognised by its mean colours teaches a network nothing else.
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

# Pictures of each class that the classifiers are fitted to, and tried on.
FITTED = 64
TRIED = 16


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
    seen = draw(labels, torch.arange(FITTED).repeat(len(CLASSES)), SIZE)
    unseen, classes = unseen_pictures("train", TRIED, SIZE)
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
