"""Noise to start from."""

import torch
from torch import Tensor


def noise_picture(height: int, width: int, seed: int, deviation: float) -> Tensor:
    """Normal noise about mid-grey, (1, 3, height, width) float32 in [0, 1], the same on every device.

    ``deviation`` is its standard deviation before it is cut off at 0 and 1. It is drawn on the CPU
    from a generator of its own: neither global state nor the device has a say.
    """
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + deviation * torch.randn(1, 3, height, width, generator=generator)).clamp(0, 1)
