"""Colours: a class's typical palettes, and natural palettes of every hue. Colours are sRGB in [0, 1]."""

import math

import torch
from torch import Tensor

from models.procedural.hashing import fold, series, unit

Palette = tuple[str, ...]
"""Hexadecimal colours, one per role, in the order that the class's variants use them."""


def parse(color: str) -> tuple[float, float, float]:
    """``"b5523b"`` as three numbers in [0, 1]."""
    red, green, blue = (int(color[start : start + 2], 16) / 255 for start in (0, 2, 4))
    return red, green, blue


def from_oklch(lightness: Tensor, chroma: Tensor, hue: Tensor) -> Tensor:
    """sRGB (..., 3), clipped to [0, 1], of polar Oklab (Ottosson 2020, "A perceptual color space")."""
    a, b = chroma * torch.cos(hue), chroma * torch.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = torch.stack(
        [
            4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        -1,
    ).clamp(0, 1)
    return torch.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear.pow(1 / 2.4) - 0.055).clamp(0, 1)


def natural(seeds: Tensor, count: int) -> Tensor:
    """Palettes as nature mixes them: few hues, moderate chroma, well spread lightness; (n, count, 3)."""

    table = unit(series(seeds, 101, 8 + 5 * count)).double()

    def number(column: int, low: float, high: float) -> Tensor:
        return low + (high - low) * table[:, column]

    def numbers(block: int, low: float, high: float) -> Tensor:
        start = 8 + block * count
        return low + (high - low) * table[:, start : start + count]

    base = number(0, 0, 2 * math.pi)
    # Neighbouring hues, or two opposite families of them.
    opposite = (number(1, 0, 1) < 0.45).double()[:, None] * (numbers(0, 0, 1) < 0.5) * math.pi
    hue = base[:, None] + opposite + numbers(1, -0.6, 0.6)
    chroma = number(2, 0.02, 0.15)[:, None] * numbers(2, 0.5, 1.25)
    low, high = number(3, 0.16, 0.36)[:, None], number(4, 0.74, 0.95)[:, None]
    # Evenly spaced lightnesses in random order, so that any two roles differ.
    order = numbers(3, 0, 1).argsort(1).argsort(1)
    lightness = low + (high - low) * (order + numbers(4, -0.2, 0.2)) / max(count - 1, 1)
    return from_oklch(lightness.clamp(0.1, 0.97), chroma, hue).float()


def typical(seeds: Tensor, palettes: tuple[Palette, ...]) -> Tensor:
    """One of a class's palettes per picture, shifted a little together and apart; (n, roles, 3)."""
    known = torch.tensor([[parse(color) for color in palette] for palette in palettes], device=seeds.device)
    chosen = known[fold(seeds, 201) % len(palettes)]
    count = chosen.shape[1]

    table = unit(series(seeds, 202, 2 + 3 * count))
    apart = (table[:, 2:].reshape(chosen.shape) - 0.5) * 0.08
    exposure = 0.85 + 0.3 * table[:, 0, None, None]
    gray = chosen.mean(-1, keepdim=True)
    saturation = 0.75 + 0.5 * table[:, 1, None, None]
    return ((gray + (chosen - gray) * saturation) * exposure + apart).clamp(0, 1)


def mixed(seeds: Tensor, palettes: tuple[Palette, ...], is_typical: Tensor) -> list[Tensor]:
    """The colours of the roles, each (n, 3, 1, 1): typical where ``is_typical`` (n,) holds, else natural."""
    count = len(palettes[0])
    colors = torch.where(is_typical[:, None, None], typical(seeds, palettes), natural(seeds, count))
    return list(colors[..., None, None].unbind(1))


def blend(first: Tensor, second: Tensor, amount: Tensor | float) -> Tensor:
    """From a colour or picture (n, 3, ., .) to a second by a field (n, h, w) in [0, 1]; (n, 3, h, w)."""
    return first + (second - first) * (amount[:, None] if isinstance(amount, Tensor) else amount)


def gradient(value: Tensor, colors: list[Tensor]) -> Tensor:
    """Colour a field in [0, 1] by a gradient through colours (n, 3, 1, 1) at even distances; (n, 3, h, w)."""
    position = value.clamp(0, 1) * (len(colors) - 1)
    result = blend(colors[0], colors[1], position.clamp(0, 1))
    for index in range(1, len(colors) - 1):
        result = blend(result, colors[index + 1], (position - index).clamp(0, 1))
    return result


def tint(color: Tensor, lightness: Tensor | float, warmth: Tensor | None = None) -> Tensor:
    """A colour lightened or darkened by a field in about [-0.5, 0.5], and shifted between cold and warm."""
    result = color * (1 + (lightness[:, None] if isinstance(lightness, Tensor) else lightness))
    if warmth is not None:
        shift = torch.tensor([0.5, 0.05, -0.5], device=color.device)[None, :, None, None]
        result = result + shift * warmth[:, None]
    return result.clamp(0, 1)


def dark_to_light(colors: list[Tensor]) -> list[Tensor]:
    """The same colours (n, 3, 1, 1), sorted by their brightness in each picture."""
    stacked = torch.stack([color[..., 0, 0] for color in colors], 1)
    weights = torch.tensor([0.299, 0.587, 0.114], device=stacked.device)
    order = (stacked * weights).sum(-1).argsort(1)
    return list(stacked.gather(1, order[..., None].expand_as(stacked))[..., None, None].unbind(1))
