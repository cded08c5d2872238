"""Learning an embedding by triplets, and making a classifier of it: that of the nearest class mean.

While it is trained, the last layer gives an embedding e instead of logits. Afterwards the distance to the
mean m of a class is |e|^2 - (2 m.e - |m|^2), so that the nearest mean has the largest 2 m.e - |m|^2: a linear
layer of e. As e is linear in the features before it, the two are one linear layer of the plain network.
"""

import torch
from torch import Tensor


def class_means(embeddings: Tensor, labels: Tensor, classes: int) -> Tensor:
    """The mean embedding of each class (classes, dimensions), of embeddings (n, dimensions), labels (n,).

    Raises ValueError if a class has no embedding.
    """
    counts = torch.bincount(labels, minlength=classes)
    if not bool((counts > 0).all()):
        raise ValueError(f"class {int(counts.argmin())} has no pictures")
    sums = torch.zeros(classes, embeddings.shape[1], dtype=embeddings.dtype, device=embeddings.device)
    return sums.index_add_(0, labels, embeddings) / counts[:, None].to(embeddings)


def nearest_mean(embeddings: Tensor, means: Tensor) -> Tensor:
    """Logits (n, classes) of embeddings (n, dimensions): 2 m.e - |m|^2, largest for the nearest mean."""
    return 2 * embeddings @ means.T - means.square().sum(1)


def nearest_mean_layer(weight: Tensor, bias: Tensor, means: Tensor) -> tuple[Tensor, Tensor]:
    """Weight (classes, features) and bias (classes,) of ``nearest_mean`` after a linear embedding.

    ``weight`` (dimensions, features) and ``bias`` (dimensions,) are those of the embedding; ``means`` are
    (classes, dimensions). The arithmetic is float64.
    """
    matrix, offset, centers = weight.double(), bias.double(), means.double()
    return (
        (2 * centers @ matrix).to(weight.dtype),
        (2 * centers @ offset - centers.square().sum(1)).to(bias.dtype),
    )
