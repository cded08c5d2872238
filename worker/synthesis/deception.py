"""What all ways to deceive a classifier share: the picture to begin with, and what is told of the end."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from models.network import Network
from worker.optim.attacks import amplified, norms, rounded
from worker.optim.pyramid import middle_square

# Classes that a verdict names.
TOP = 5


def squared(picture: Tensor, side: int) -> Tensor:
    """The middle of a picture (1, 3, H, W), ``side`` by ``side`` pixels, as a file of 8 bits keeps it.

    So what is attacked is what the artifact ``original`` shows, and not a little more.
    """
    return rounded(middle_square(picture, side))


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
    return verdict(logits.to(torch.promote_types(logits.dtype, torch.float32)).softmax(0), network.classes)


def images_of(original: Tensor, changed: Tensor) -> dict[str, Tensor]:
    """Artifacts: ``image``, which deceives, ``original``, and the ``perturbation``, amplified."""
    perturbation, _ = amplified(changed - original)
    images = {"image": changed, "original": original, "perturbation": perturbation}
    return {name: each.to("cpu", torch.float32, copy=True) for name, each in images.items()}


def numbers_of(original: Tensor, changed: Tensor) -> dict[str, Any]:
    """How large the change is, in levels, and by how much the artifact ``perturbation`` amplifies it."""
    _, factor = amplified(changed - original)
    return {"norms": norms(changed - original), "amplification": factor}
