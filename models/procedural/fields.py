"""Coverage, periodic profiles, signed distances. Fields are (n, h, w), parameters (n, 1, 1)."""

import math

import torch
from torch import Tensor

TAU = 2 * math.pi


def cover(distance: Tensor, pixel: Tensor) -> Tensor:
    """Coverage in [0, 1] of the region where a signed distance is negative, smoothed over 1.5 pixels."""
    t = (0.5 - distance / (1.5 * pixel)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def ramp(value: Tensor, low: float | Tensor, high: float | Tensor) -> Tensor:
    """Smoothstep from 0 at ``low`` to 1 at ``high``; ``low`` may exceed ``high``."""
    t = ((value - low) / (high - low)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def slope(field: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences per pixel along x and y, one-sided at the borders."""
    down, right = torch.gradient(field, dim=(-2, -1))
    return right, down


def level(field: Tensor, threshold: float | Tensor = 0.0) -> Tensor:
    """Anti-aliased ``field > threshold`` for a continuous field; its slope gives the size of a pixel."""
    right, down = slope(field)
    steepness = torch.sqrt(right * right + down * down + 1e-12)
    t = (0.5 + (field - threshold) / (1.5 * steepness)).clamp(0, 1)
    return t * t * (3 - 2 * t)


def wave(value: Tensor) -> Tensor:
    """Distance to the nearest integer, in [0, 0.5]: a triangle wave that is 0 at integers."""
    return (value - torch.round(value)).abs()


def bands(position: Tensor, frequency: Tensor | float, duty: Tensor | float, pixel: Tensor) -> Tensor:
    """Coverage of stripes across ``position`` (in units), each ``duty`` of its period wide."""
    return cover((wave(position * frequency) - duty / 2) / frequency, pixel)


def fraction(value: Tensor) -> Tensor:
    """value - floor(value)."""
    return value - torch.floor(value)


def polar(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    """Radius and angle in (-pi, pi]."""
    return torch.sqrt(x * x + y * y + 1e-9), torch.atan2(y, x)


def rotate(x: Tensor, y: Tensor, angle: Tensor | float) -> tuple[Tensor, Tensor]:
    """Coordinates in a frame turned by an angle."""
    # In float64, so that a vector unit and a scalar one round to the same float32.
    turn = torch.as_tensor(angle, dtype=torch.float64, device=x.device)
    cos, sin = torch.cos(turn).float(), torch.sin(turn).float()
    return x * cos + y * sin, y * cos - x * sin


def turn(x: Tensor, y: Tensor, angle: Tensor) -> tuple[Tensor, Tensor]:
    """Coordinates in frames turned by a field of angles, (n, h, w)."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    return x * cos + y * sin, y * cos - x * sin


def fold_angle(x: Tensor, y: Tensor, count: Tensor | float) -> tuple[Tensor, Tensor, Tensor]:
    """Fold the plane into one of ``count`` sectors around the origin, centred on +x.

    Returns x and y in the sector and the sector's number (0-based, may be negative).
    """
    radius, angle = polar(x, y)
    sector = torch.round(angle * count / TAU)
    turned = angle - sector * TAU / count
    return radius * torch.cos(turned), radius * torch.sin(turned), sector


def disc(x: Tensor, y: Tensor, radius: Tensor | float) -> Tensor:
    """Signed distance to a disc around the origin."""
    return torch.sqrt(x * x + y * y + 1e-9) - radius


def ellipse(x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float) -> Tensor:
    """Approximate signed distance to an ellipse: the implicit function over its gradient (first order)."""
    u, v = x / a, y / b
    radius = torch.sqrt(u * u + v * v + 1e-9)
    steepness = torch.sqrt((u / a) ** 2 + (v / b) ** 2 + 1e-9)
    return (radius - 1) * radius / steepness


def box(x: Tensor, y: Tensor, a: Tensor | float, b: Tensor | float, rounding: Tensor | float = 0.0) -> Tensor:
    """Signed distance to a box of half sides a and b with rounded corners (inside the given sides)."""
    u, v = x.abs() - a + rounding, y.abs() - b + rounding
    outside = torch.sqrt(u.clamp_min(0) ** 2 + v.clamp_min(0) ** 2 + 1e-12)
    return outside + torch.maximum(u, v).clamp_max(0) - rounding


def capsule(
    x: Tensor, y: Tensor, ax: Tensor | float, ay: Tensor | float, bx: Tensor | float, by: Tensor | float
) -> tuple[Tensor, Tensor]:
    """Distance to the segment from a to b, and the position along it in [0, 1]."""
    px, py = x - ax, y - ay
    dx, dy = bx - ax, by - ay
    along = ((px * dx + py * dy) / (dx * dx + dy * dy + 1e-9)).clamp(0, 1)
    return torch.sqrt((px - along * dx) ** 2 + (py - along * dy) ** 2 + 1e-9), along


def lens(x: Tensor, y: Tensor, length: Tensor | float, width: Tensor | float) -> Tensor:
    """Signed distance to a vesica (leaf, almond) of half length along x and half width along y."""
    bend = (length * length - width * width) / (2 * width)
    return torch.sqrt(x * x + (y.abs() + bend) ** 2 + 1e-9) - (bend + width)


def join(a: Tensor, b: Tensor, softness: Tensor | float) -> Tensor:
    """Smooth union of two distances (polynomial, Quilez): the blend is ``softness`` wide."""
    h = (0.5 + 0.5 * (b - a) / softness).clamp(0, 1)
    return b + (a - b) * h - softness * h * (1 - h)


def segments(x: Tensor, y: Tensor, ends: Tensor, radii: Tensor) -> Tensor:
    """Signed distance to a union of tapering segments.

    ``ends`` is (n, s, 4): ax, ay, bx, by; ``radii`` (n, s, 2): at a and at b. Works in slices of segments, so
    that memory stays bounded.
    """
    best = torch.full_like(x, 1e3)
    for first in range(0, ends.shape[1], 16):
        piece, radius = ends[:, first : first + 16], radii[:, first : first + 16]
        ax, ay, bx, by = piece[..., None, None].unbind(2)
        start, end = radius[..., None, None].unbind(2)
        distance, along = capsule(x[:, None], y[:, None], ax, ay, bx, by)
        best = torch.minimum(best, (distance - start - (end - start) * along).amin(1))
    return best
