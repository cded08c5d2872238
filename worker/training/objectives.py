"""What training minimizes: objectives of the scores of a batch, and penalties of the weights.

An objective takes logits (n, classes) and targets (n, classes): for each picture the shares of the classes,
which sum to 1; one of them is 1 unless pictures were mixed. It gives the mean over the batch.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from app.kinds.training_presets import Objective as ObjectiveName

Objective = Callable[[Tensor, Tensor], Tensor]
"""Logits (n, classes) and targets (n, classes) to the mean loss, a scalar."""

# Classes that have a share in one picture at most: mixing takes two pictures.
MIXED = 2


@dataclass(frozen=True)
class ObjectiveSettings:
    """Which objective; ``margin`` is that of the hinges and of triplet."""

    objective: ObjectiveName
    margin: float = 1.0
    label_smoothing: float = 0.0


def make_objective(settings: ObjectiveSettings) -> Objective:
    """The objective that settings name.

    Of ``triplet`` the logits are embeddings (n, dimensions), see worker/training/triplets.py. Labels are
    smoothed for ``softmax``, ``logistic`` and ``quadratic``; ValueError if they should be for another.
    """
    match settings.objective:
        case "softmax":
            return partial(softmax, smoothing=settings.label_smoothing)
        case "logistic":
            return partial(logistic, smoothing=settings.label_smoothing)
        case "quadratic":
            return partial(quadratic, smoothing=settings.label_smoothing)
    if settings.label_smoothing > 0:
        raise ValueError(f"the labels of {settings.objective} cannot be smoothed")
    match settings.objective:
        case "hinge":
            return partial(hinge, margin=settings.margin)
        case "squared_hinge":
            return partial(squared_hinge, margin=settings.margin)
        case "triplet":
            return partial(triplet, margin=settings.margin)


def softmax(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Cross-entropy of the softmax: the mean of -sum over y of t_y log p_y. At equal logits it is log C."""
    return F.cross_entropy(logits, targets, label_smoothing=smoothing)


def logistic(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """A logistic regression for each class against the rest, summed over classes: C log 2 at logits of 0."""
    smoothed = smooth(targets, smoothing)
    losses = F.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
    return losses.sum(1).mean()


def quadratic(logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Half the squared distance of the logits from the targets: 1/2 at logits of 0.

    Least squares; works about as well as cross-entropy (Hui and Belkin, "Evaluation of neural architectures
    trained with square loss vs cross-entropy in classification tasks", ICLR 2021).
    """
    return (logits - smooth(targets, smoothing)).square().sum(1).mean() / 2


def hinge(logits: Tensor, targets: Tensor, margin: float = 1.0) -> Tensor:
    """The multiclass SVM: sum over j != y of max(0, s_j - s_y + margin). At equal logits (C - 1) margin.

    Weston and Watkins, "Support vector machines for multi-class pattern recognition" (ESANN 1999). Of mixed
    pictures it is the mean over their classes y, by share.
    """
    return _over_classes(_violations(logits, targets, margin), targets)


def squared_hinge(logits: Tensor, targets: Tensor, margin: float = 1.0) -> Tensor:
    """The multiclass SVM with the square of each violation of the margin."""
    return _over_classes(_violations(logits, targets, margin).square(), targets)


def triplet(embeddings: Tensor, targets: Tensor, margin: float = 1.0) -> Tensor:
    """The mean of max(0, |a - p|^2 - |a - n|^2 + margin) over the triplets of a batch that violate it.

    Schroff, Kalenichenko, Philbin, "FaceNet" (CVPR 2015), equation 3; the mean over those above 0 is "batch
    all" of Hermans, Beyer, Leibe, "In defense of the triplet loss for person re-identification" (2017),
    section 2. Positives p are of the class of the anchor a, negatives n are of another: the class with the
    largest share counts. 0 if there is no such triplet.
    """
    labels = targets.argmax(1)
    same = labels[:, None] == labels
    positive = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    square = embeddings.square().sum(1)
    distances = square[:, None] + square - 2 * embeddings @ embeddings.T
    # By the sums of the nearest 0, 1, 2 ... negatives of each anchor: all triplets of a large batch would not
    # fit into the memory.
    negatives = torch.where(same, torch.inf, distances).sort(1).values
    sums = F.pad(negatives.cumsum(1), (1, 0))
    limits = distances + margin
    nearer = torch.searchsorted(negatives.detach(), limits.detach().contiguous())
    violations = torch.where(positive, nearer * limits - sums.gather(1, nearer), 0.0)
    return violations.sum() / torch.where(positive, nearer, 0).sum().clamp_min(1)


@torch.no_grad()
def sides_of(name: ObjectiveName, logits: Tensor, targets: Tensor, margin: float = 1.0) -> Tensor:
    """On which side of its kinks an objective is: what it compares, as bools; empty for one without kinks."""
    match name:
        case "hinge" | "squared_hinge":
            return _violations(logits, targets, margin) > 0
        case "triplet":
            distances = torch.cdist(logits, logits).square()
            return distances[:, :, None] + margin > distances[:, None, :]
    return torch.zeros(0, dtype=torch.bool)


def smooth(targets: Tensor, smoothing: float) -> Tensor:
    """Targets (n, classes), of which a share is spread evenly over all classes.

    Szegedy et al., "Rethinking the Inception architecture for computer vision" (CVPR 2016), section 7.
    """
    return targets * (1 - smoothing) + smoothing / targets.shape[1]


def penalty(model: nn.Module, l1: float, l2: float) -> Tensor:
    """``l1`` times the sum of |w|, and ``l2`` times half the sum of w^2, over weights; a scalar.

    Biases and norms are no weights.
    """
    weights = [parameter for parameter in weights_of(model.parameters()) if parameter.requires_grad]
    terms = [l1 * weight.abs().sum() + l2 / 2 * weight.square().sum() for weight in weights]
    return torch.stack(terms).sum()


def weights_of(parameters: Iterable[Tensor]) -> list[Tensor]:
    """Those of parameters that are weights of a convolution or a linear layer: matrices, and larger."""
    return [parameter for parameter in parameters if parameter.ndim > 1]


def _violations(logits: Tensor, targets: Tensor, margin: float) -> Tensor:
    """max(0, s_j - s_y + margin) for j != y, else 0: (n, MIXED, classes), for y with the largest shares."""
    chosen = targets.topk(min(MIXED, targets.shape[1])).indices
    violations = (logits[:, None, :] - logits.gather(1, chosen)[:, :, None] + margin).clamp_min(0)
    return violations.scatter(2, chosen[:, :, None], 0.0)


def _over_classes(losses: Tensor, targets: Tensor) -> Tensor:
    shares = targets.topk(losses.shape[1]).values
    return (losses.sum(2) * shares).sum(1).mean()
