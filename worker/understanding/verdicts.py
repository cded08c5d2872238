"""What a classifier takes a picture for: classes with their probabilities, the most likely first."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.network import Network
from worker.optim.objectives import precise

# Number of classes that a verdict names.
TOP = 5


def verdict(probabilities: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """The verdict of probabilities (C,): the class, its probability, and the most likely classes."""
    top = ranking(probabilities.argsort(descending=True, stable=True)[:TOP].tolist(), probabilities, classes)
    return {**top[0], "top": top}


def ranking(order: Sequence[int], probabilities: Tensor, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Rows of a table of classes, in an order of their indices."""
    return [
        {"class": classes[place], "index": place, "probability": float(probabilities[place])}
        for place in order
    ]


def predict(network: Network, picture: Tensor) -> dict[str, Any]:
    """The verdict of a network on a picture (1, 3, H, W) at its own size."""
    with torch.no_grad():
        logits = network.logits(picture)[0]
    return verdict(precise(logits).softmax(0), network.classes)
