"""Noise as a start picture."""

import torch
from torch import Tensor


def noise_picture(height: int, width: int, seed: int, deviation: float) -> Tensor:
    """Normal noise about mid-grey, (1, 3, height, width) float32 in [0, 1], the same on every device.

    ``deviation`` is its standard deviation before clamping. It is drawn on the CPU from its own generator, so
    that it depends neither on global state nor on the device.
    """
    generator = torch.Generator().manual_seed(seed)
    return (0.5 + deviation * torch.randn(1, 3, height, width, generator=generator)).clamp(0, 1)


def noise_like(picture: Tensor, height: int, width: int, seed: int) -> Tensor:
    """Normal noise with the colors of a picture (1, 3, H, W), drawn as in :func:`noise_picture`.

    Pixels are independent, (1, 3, height, width) float32 in [0, 1]; mean and covariance of RGB are the
    picture's, before clamping.
    """
    pixels = picture.detach().to("cpu", torch.float64)[0].flatten(1)
    variances, axes = torch.linalg.eigh(torch.cov(pixels, correction=0))
    root = axes * variances.clamp_min(0).sqrt()
    generator = torch.Generator().manual_seed(seed)
    drawn = root.float() @ torch.randn(3, height * width, generator=generator)
    colors: Tensor = pixels.mean(1, keepdim=True).float() + drawn
    return colors.view(1, 3, height, width).clamp(0, 1)
