"""What all ways to deceive a classifier share: the picture to begin with, and what is told of the end."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.network import Network
from worker.optim.attacks import amplified, norms, quantize_8bit
from worker.optim.objectives import precise
from worker.optim.pyramids.scales import center_crop

# Classes that a verdict names.
TOP = 5


def center_crop_8bit(picture: Tensor, side: int) -> Tensor:
    """The middle of a picture (1, 3, H, W), ``side`` by ``side`` pixels, rounded to 8 bits a value.

    So the picture attacked is exactly the artifact ``original``.
    """
    return quantize_8bit(center_crop(picture, side))


def verdict(probabilities: Tensor, classes: Sequence[str]) -> dict[str, Any]:
    """What a classifier of probabilities (C,) takes a picture for: the class, and the most likely ones."""
    places = probabilities.argsort(descending=True, stable=True)[:TOP].tolist()
    top = [
        {"class": classes[place], "index": place, "probability": float(probabilities[place])}
        for place in places
    ]
    return {**top[0], "top": top}


def predict(network: Network, picture: Tensor) -> dict[str, Any]:
    """The verdict of a network on a picture (1, 3, H, W), which it sees as large as it is."""
    with torch.no_grad():
        logits = network.logits(picture)[0]
    return verdict(precise(logits).softmax(0), network.classes)


def images_of(original: Tensor, changed: Tensor) -> dict[str, Tensor]:
    """Artifacts: ``image``, which deceives, ``original``, and the ``perturbation``, amplified."""
    perturbation, _ = amplified(changed - original)
    images = {"image": changed, "original": original, "perturbation": perturbation}
    return {name: each.to("cpu", torch.float32, copy=True) for name, each in images.items()}


def numbers_of(original: Tensor, changed: Tensor) -> dict[str, Any]:
    """How large the change is, in levels, and by how much the artifact ``perturbation`` amplifies it."""
    _, factor = amplified(changed - original)
    return {"norms": norms(changed - original), "amplification": factor}
