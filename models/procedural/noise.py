"""Noise: smooth lattice noise, 1/f spectra, diamond-square. Seeded by hashes, batched, on any device."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from models.procedural.hashing import series, unit_pair

_PERIOD = 32


def white(seeds: Tensor, channels: int, height: int, width: int) -> Tensor:
    """Independent numbers in [-1, 1); (n, channels, height, width) from seeds (n,)."""
    count = channels * height * width
    # 16 bits are enough for noise, so that every hash gives two numbers.
    first, second = unit_pair(series(seeds, 1, (count + 1) // 2))
    return (torch.cat([first, second], 1)[:, :count] * 2 - 1).reshape(-1, channels, height, width)


def smooth(seeds: Tensor, x: Tensor, y: Tensor, channels: int = 1) -> Tensor:
    """Lattice noise by cubic interpolation of white noise, one lattice point per unit of x and y.

    ``x`` and ``y`` are (n, h, w); returns (n, channels, h, w), mostly within [-1, 1]. Repeats after 32 units.
    """
    table = white(seeds, channels, _PERIOD, _PERIOD)
    table = functional.pad(table, (2, 2, 2, 2), mode="circular")
    places = torch.stack([torch.remainder(x, _PERIOD), torch.remainder(y, _PERIOD)], -1)
    grid = places.add_(2).mul_(2 / (_PERIOD + 3)).sub_(1)
    noise: Tensor = functional.grid_sample(table, grid, mode="bicubic", align_corners=True)
    return noise


def fractal(
    seeds: Tensor,
    x: Tensor,
    y: Tensor,
    octaves: int,
    gain: float = 0.5,
    channels: int = 1,
    pixel: Tensor | None = None,
) -> Tensor:
    """Sum of octaves of :func:`smooth`, each twice as fine and ``gain`` times as strong; in about [-1, 1].

    ``pixel`` (n, 1, 1) is the size of a pixel in units of x and y: octaves too fine for it fade out.
    """
    total = torch.zeros_like(x)[:, None]
    weight = 0.0
    for octave in range(octaves):
        amplitude = gain**octave
        weight += amplitude
        # The odd factor and the shift keep the lattices of the octaves apart.
        frequency = 2.03**octave
        finer = smooth(
            seeds + 7919 * octave, x * frequency + 3.7 * octave, y * frequency - 5.1 * octave, channels
        )
        if pixel is not None:
            finer = finer * (1.7 - 2 * pixel * frequency).clamp(0, 1)[:, None]
        total = total + amplitude * finer
    return total * (1.4 / math.sqrt(weight))


def spectrum(
    seeds: Tensor, size: int, slope: Tensor, channels: int = 1, stretch: Tensor | None = None
) -> Tensor:
    """Noise whose amplitude falls as frequency**-slope, standardised to mean 0 and deviation 1 per channel.

    ``slope`` is (n,); ``stretch`` (n,) above 1 makes features wider than high. Returns (n, channels, size,
    size).
    White noise filtered in the frequency domain on a larger square and cropped, since the filter wraps around
    (Baradad et al. 2021, "Learning to See by Looking at Noise", section 3, "Spectrum").
    """
    full = size + size // 4 + 1
    rows = torch.fft.fftfreq(full, device=seeds.device)[:, None] * full
    columns = torch.fft.rfftfreq(full, device=seeds.device)[None, :] * full
    ratio = torch.ones_like(slope) if stretch is None else stretch
    squared = rows**2 / ratio[:, None, None] + columns**2 * ratio[:, None, None]
    gain = squared.clamp_min(1e-6).pow(-slope[:, None, None] / 2)
    gain[:, 0, 0] = 0
    waves = torch.fft.rfft2(white(seeds, channels, full, full)) * gain[:, None]
    field: Tensor = torch.fft.irfft2(waves, s=(full, full))[..., :size, :size]
    centered = field - field.mean((-2, -1), keepdim=True)
    return centered / centered.std((-2, -1), keepdim=True).clamp_min(1e-6)


def diamond_square(seeds: Tensor, size: int, roughness: Tensor, channels: int = 1) -> Tensor:
    """Midpoint displacement (Fournier, Fussell and Carpenter 1982), standardised; (n, channels, size, size).

    ``roughness`` (n,) in (0, 1) is the factor of the displacement from level to level; near 1 is craggy.
    """
    levels = max(3, math.ceil(math.log2(max(size - 1, 2))))
    field = white(seeds, channels, 3, 3)
    scale = torch.ones_like(roughness)[:, None, None, None]
    for level in range(1, levels):
        scale = scale * roughness[:, None, None, None]
        side = field.shape[-1] * 2 - 1
        jitter = white(seeds + level, channels, side, side) * scale
        finer = functional.interpolate(field, (side, side), mode="bilinear", align_corners=True) + jitter
        finer[..., ::2, ::2] = field
        field = finer
    field = functional.interpolate(field, (size, size), mode="bilinear", align_corners=True)
    centered = field - field.mean((-2, -1), keepdim=True)
    return centered / centered.std((-2, -1), keepdim=True).clamp_min(1e-6)


def labyrinth(
    seeds: Tensor, size: int, frequency: Tensor, rounds: int = 4, lean: Tensor | None = None
) -> Tensor:
    """A field whose sign makes winding bands, as reaction and diffusion do; in [-1, 1], (n, size, size).

    ``frequency`` (n,) is in periods per picture. Alternates a band-pass with a saturation (a difference of
    Gaussians and a threshold, Young 1984, "A local activator-inhibitor model"). ``lean`` (n,) in [0, 1] lets
    the bands prefer one direction.
    """
    full = size + size // 4 + 1
    rows = torch.fft.fftfreq(full, device=seeds.device)[None, :, None] * full
    columns = torch.fft.rfftfreq(full, device=seeds.device)[None, None, :] * full
    wanted = (frequency * (full / size))[:, None, None]
    preferred = torch.ones_like(wanted) if lean is None else 1 - lean[:, None, None]
    radius = torch.sqrt(rows**2 / preferred.clamp_min(0.05) + columns**2)
    gain = torch.exp(-(((radius / wanted - 1) / 0.28) ** 2))
    field = white(seeds, 1, full, full)[:, 0]
    for _ in range(rounds):
        field = torch.fft.irfft2(torch.fft.rfft2(field) * gain, s=(full, full))
        field = torch.tanh(2.0 * field / field.std((-2, -1), keepdim=True).clamp_min(1e-6))
    return field[:, :size, :size]
