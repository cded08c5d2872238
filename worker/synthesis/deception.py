"""Shared by all ways to deceive a classifier: the start picture, verdicts, artifacts and numbers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.network import Network
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
    places = probabilities.argsort(descending=True, stable=True)[:TOP].tolist()
    top = [
        {"class": classes[place], "index": place, "probability": float(probabilities[place])}
        for place in places
    ]
    return {**top[0], "top": top}


def predict(network: Network, picture: Tensor) -> dict[str, Any]:
    """The verdict of a network on a picture (1, 3, H, W) at its own size."""
    with torch.no_grad():
        logits = network.logits(picture)[0]
    return verdict(precise(logits).softmax(0), network.classes)


def images_of(original: Tensor, changed: Tensor) -> dict[str, Tensor]:
    """Artifacts: ``image``, the changed picture, ``original``, and ``perturbation``, amplified."""
    perturbation, _ = amplified(changed - original)
    images = {"image": changed, "original": original, "perturbation": perturbation}
    return {name: each.to("cpu", torch.float32, copy=True) for name, each in images.items()}


def numbers_of(original: Tensor, changed: Tensor) -> dict[str, Any]:
    """The norms of the change in levels, and the ``amplification`` of the artifact ``perturbation``."""
    _, factor = amplified(changed - original)
    return {"norms": norms(changed - original), "amplification": factor}
