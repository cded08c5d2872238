"""Seeded pictures with the statistics of natural ones, to measure mean activations on.

Half are noise whose amplitude falls as 1/f^a with a from 0.8 to 1.5 (Tolhurst, Tadmor and Chao, "Amplitude
spectra of natural images", 1992), half are dead leaves: overlapping discs with radii distributed as r^-3
(Lee, Mumford and Huang, "Occlusion models for natural images", IJCV 2001).
"""

import numpy as np
import torch
from torch import Tensor

Floats = np.typing.NDArray[np.float64]

LEAVES = 400
SMALLEST, LARGEST = 0.02, 0.5  # radii of the leaves, as fractions of the side


def reference_pictures(count: int, side: int, seed: int) -> Tensor:
    """(count, 3, side, side), float32 RGB in [0, 1]; the same for the same arguments."""
    rng = np.random.default_rng(seed)
    makers = (_noise, _dead_leaves)
    pictures = np.stack([makers[i % 2](rng, side) for i in range(count)])
    return torch.from_numpy(pictures.clip(0, 1).astype(np.float32))


def _noise(rng: np.random.Generator, side: int) -> Floats:
    vertical, horizontal = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    frequency = np.hypot(vertical, horizontal)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(rng.standard_normal((3, side, side))) / frequency ** rng.uniform(0.8, 1.5)
    noise = np.fft.irfft2(spectrum, s=(side, side))
    noise /= noise.std(axis=(1, 2), keepdims=True)
    # Channels of natural pictures are correlated: a common part outweighs each channel's own.
    mixed = 0.9 * noise.mean(axis=0) * 3**0.5 + 0.4 * noise
    picture: Floats = rng.uniform(0.3, 0.7, (3, 1, 1)) + rng.uniform(0.1, 0.25) * mixed
    return picture


def _dead_leaves(rng: np.random.Generator, side: int) -> Floats:
    rows, columns = np.mgrid[:side, :side] / side
    picture = np.broadcast_to(rng.uniform(size=(3, 1, 1)), (3, side, side)).copy()
    # The inverse of the distribution function of a density that falls as r^-3 between the bounds.
    radii = (SMALLEST**-2 + rng.uniform(size=LEAVES) * (LARGEST**-2 - SMALLEST**-2)) ** -0.5
    for radius in radii:
        y, x = rng.uniform(-0.1, 1.1, 2)
        leaf = (rows - y) ** 2 + (columns - x) ** 2 < radius**2
        picture[:, leaf] = rng.uniform(size=(3, 1)) + rng.normal(0, 0.03, (3, int(leaf.sum())))
    return picture
