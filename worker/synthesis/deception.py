"""Shared by all ways to deceive a classifier: the start picture, and the outcome."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from worker.contract.steps import Outcome
from worker.optim.attacks import amplified, norms, quantize_8bit
from worker.optim.pyramids.scales import center_crop


def center_crop_8bit(picture: Tensor, side: int) -> Tensor:
    """The central square of a picture (1, 3, H, W), ``side`` by ``side`` pixels, rounded to 8 bits.

    So the picture attacked is exactly the artifact ``original``.
    """
    return quantize_8bit(center_crop(picture, side))


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
