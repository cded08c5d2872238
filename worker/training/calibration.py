"""The temperature and the energy threshold of palette, measured on drawn pictures that it has not seen."""

from dataclasses import dataclass

import torch
from torch import Tensor

from models.network import Network
from models.reference_pictures import reference_pictures
from worker.training.confidence import fit_temperature
from worker.training.evaluation import unseen_pictures
from worker.understanding.predictions import energy, logits_of
from worker.understanding.views import as_input, input_side

# The share of pictures of its own classes that a threshold keeps: the measure of Liu et al., "Energy-based
# out-of-distribution detection" (NeurIPS 2020), section 4.1.
KEPT = 0.95

# Side in pixels at which pictures are drawn, and pictures of what is none of the classes.
DRAWN = 192
FOREIGN = 64


@dataclass(frozen=True)
class Calibration:
    """What belongs on a card, and shares of pictures that are then taken for none of the classes.

    ``new_seeds`` and ``held_out_variants`` are drawn as the measured ones were, of seeds of their own;
    ``natural_statistics`` are dead leaves and noise with the spectrum of photographs, ``noise`` is of
    independent pixels, ``flat`` of one color.
    """

    temperature: float
    energy_threshold: float
    rejected_new_seeds: float
    rejected_held_out_variants: float
    rejected_natural_statistics: float
    rejected_noise: float
    rejected_flat: float


def calibrate(network: Network, per_class: int) -> Calibration:
    """Measured on ``per_class`` drawn pictures of each class, and as many of variants not trained on.

    The other half of them, not measured on, is counted.
    """
    measured, classes, counted = [], [], []
    for split in ("train", "held-out"):
        pictures, labels = unseen_pictures(split, 2 * per_class, DRAWN)
        logits = logits_of(network, as_input(pictures, input_side(network)))
        first = torch.arange(len(labels)) % 2 == 0
        measured.append(logits[first])
        classes.append(labels[first])
        counted.append(logits[~first])
    temperature = round(fit_temperature(torch.cat(measured), torch.cat(classes)), 2)
    threshold = float(energy(torch.cat(measured), temperature).quantile(KEPT))

    def rejected(logits: Tensor) -> float:
        return float((energy(logits, temperature) > threshold).float().mean())

    side = input_side(network)
    noise = torch.rand(FOREIGN, 3, side, side, generator=torch.Generator().manual_seed(0))
    natural = as_input(reference_pictures(count=FOREIGN, side=DRAWN, seed=1), side)
    return Calibration(
        temperature,
        threshold,
        rejected(counted[0]),
        rejected(counted[1]),
        rejected(logits_of(network, natural)),
        rejected(logits_of(network, noise)),
        rejected(logits_of(network, noise[:, :, :1, :1].expand_as(noise))),
    )
