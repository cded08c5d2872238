"""Shared by all ways to deceive a classifier: the start picture, verdicts, and the outcome."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from models.network import Network
from worker.contract.steps import Outcome
from worker.optim.attacks import amplified, norms, quantize_8bit
from worker.optim.objectives import precise
from worker.optim.pyramids.scales import center_crop

# Number of classes that a verdict names.
TOP = 5


def center_crop_8bit(picture: Tensor, side: int) -> Tensor:
    """The central square of a picture (1, 3, H, W), ``side`` by ``side`` pixels, rounded to 8 bits.

    So the picture attacked is exactly the artifact ``original``.
    """
    return quantize_8bit(center_crop(picture, side))


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


def outcome_of(original: Tensor, changed: Tensor, result: Mapping[str, Any]) -> Outcome:
    """The artifacts ``image``, the changed picture, ``original``, and ``perturbation``, amplified.

    Beside ``result``, the numbers are the norms of the change in levels, and the ``amplification``.
    """
    perturbation, factor = amplified(changed - original)
    images = {"image": changed, "original": original, "perturbation": perturbation}
    return Outcome(
        {name: each.to("cpu", torch.float32, copy=True) for name, each in images.items()},
        {**result, "norms": norms(changed - original), "amplification": factor},
    )
