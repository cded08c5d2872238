"""Random augmentation of a batch of pictures, different for each, as batched tensor operations.

All random numbers are drawn on the CPU from the given generator, so they are the same on every device.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from worker.optim.color import luma

# Crops by share of the area and by aspect: Szegedy et al., "Going deeper with convolutions", CVPR 2015,
# section 6, but never so small that a pattern cannot be recognised.
AREA = (0.25, 1.0)
ASPECT = (3 / 4, 4 / 3)

# Where pictures are hardly larger than the crops, crops go down to this fraction of the side.
MOST_ENLARGED = 0.75

# Fractions of a batch, and strengths. They are weak, since the pictures are already drawn in a wide range of
# colours and light.
GREY = 0.05
NOISY = 0.3
MOST_NOISE = 0.04
MOST_CONTRAST = 0.25
MOST_BRIGHTNESS = 0.12

# What a strength of 1 of changes of light and color means, in shares of the strength.
LIGHT = 0.5
CAST = 0.25

# The value of cutouts.
CUT_OUT = 0.5


@dataclass(frozen=True)
class Augmentation:
    """How pictures are changed at random; the defaults change nothing.

    ``flip``: half are mirrored. ``crop``: the smallest share of the area that is shown. ``shift``: the
    largest, in shares of the side, rounded to whole pixels. ``rotation``: the largest, in degrees.
    ``distortion``: the largest move of a corner along a side, in shares of the side. ``color``: strength of
    changes of light and color. ``cutout``: side of a grey square, in shares of the side. ``mixup`` and
    ``cutmix``: alpha of the beta distribution of the shares of two pictures; 0: they are not mixed.
    """

    flip: bool = False
    crop: float = 1.0
    shift: float = 0.0
    rotation: float = 0.0
    distortion: float = 0.0
    color: float = 0.0
    cutout: float = 0.0
    mixup: float = 0.0
    cutmix: float = 0.0


def augment(pictures: Tensor, size: int, settings: Augmentation, generator: Generator) -> Tensor:
    """Pictures (n, 3, S, S) uint8, each changed at random, as (n, 3, size, size) floats in [0, 1].

    With settings that change nothing they are the pictures at that size.
    """
    changed = _warped(pictures, size, settings, generator)
    if settings.color > 0:
        changed = change_colors(changed, settings.color, generator)
    if settings.cutout > 0:
        changed = cut_out(changed, settings.cutout, generator)
    return changed


def mix(
    pictures: Tensor, targets: Tensor, settings: Augmentation, generator: Generator
) -> tuple[Tensor, Tensor]:
    """Pictures (n, 3, H, W) mixed in pairs, and their targets (n, classes), by what settings say.

    Of mixup and cutmix, if there are both, one is drawn for the batch.
    """
    both = settings.mixup > 0 and settings.cutmix > 0
    if both and float(torch.rand(1, generator=generator)) < 0.5:
        return mixup(pictures, targets, generator, settings.mixup)
    if settings.cutmix > 0:
        return cutmix(pictures, targets, generator, settings.cutmix)
    if settings.mixup > 0:
        return mixup(pictures, targets, generator, settings.mixup)
    return pictures, targets


def _warped(pictures: Tensor, size: int, settings: Augmentation, generator: Generator) -> Tensor:
    """Pictures (n, 3, S, S) uint8 after all changes of their geometry, as (n, 3, size, size) floats."""
    n, side = len(pictures), pictures.shape[-1]
    mirrored = torch.rand(n, generator=generator) < (0.5 if settings.flip else 0)
    floats = pictures.float() / 255
    if max(1 - settings.crop, settings.rotation, settings.distortion, settings.shift) == 0:
        if side != size:
            floats = F.interpolate(floats, (size, size), mode="bilinear", antialias=True)
        return torch.where(mirrored.to(floats.device).view(-1, 1, 1, 1), floats.flip(3), floats)
    corners, zoom = _corners(n, size, settings, generator)
    corners = torch.where(mirrored[:, None, None], corners[:, [1, 0, 3, 2]], corners)
    # Between its corners a picture is stretched bilinearly.
    along = ((torch.arange(size) + 0.5) / size).view(-1, 1)
    left, right = (torch.lerp(corners[:, [k]], corners[:, [k + 2]], along) for k in (0, 1))
    grid = torch.lerp(left[:, :, None], right[:, :, None], along).to(floats.device)
    return _sampled(floats, grid, zoom * side / size)


def _corners(n: int, size: int, settings: Augmentation, generator: Generator) -> tuple[Tensor, Tensor]:
    """Where the corners of the results lie in the pictures: (n, 4, 2), x and y in [-1, 1] if inside.

    They are those at the left and right above, then below. And what share (n,) of the longer side is shown.
    """
    corners = torch.tensor([[-1.0, -1.0], [1.0, -1.0], [-1.0, 1.0], [1.0, 1.0]]).repeat(n, 1, 1)
    scale = torch.ones(n, 1, 2)
    if settings.crop < 1:
        area = torch.empty(n).uniform_(settings.crop, 1, generator=generator)
        # No crop is wider or higher than the picture.
        longest = (1 / area).clamp_max(ASPECT[1]).log()
        aspect = ((2 * torch.rand(n, generator=generator) - 1) * longest).exp()
        scale = torch.stack([area * aspect, area / aspect], dim=1).sqrt()[:, None]
        corners = corners * scale + (2 * torch.rand(n, 1, 2, generator=generator) - 1) * (1 - scale)
    if settings.rotation > 0:
        most = math.radians(settings.rotation)
        angle = torch.empty(n).uniform_(-most, most, generator=generator)
        cosine, sine = angle.cos(), angle.sin()
        turn = torch.stack([torch.stack([cosine, sine], 1), torch.stack([-sine, cosine], 1)], 1)
        middle = corners.mean(1, keepdim=True)
        corners = (corners - middle) @ turn + middle
    if settings.distortion > 0:
        moves = 2 * torch.rand(n, 4, 2, generator=generator) - 1
        corners = corners + moves * 2 * settings.distortion * scale
    if settings.shift > 0:
        most = settings.shift * size
        pixels = torch.empty(n, 1, 2).uniform_(-most, most, generator=generator).round()
        corners = corners + pixels * 2 / size * scale
    return corners, scale.amax((1, 2))


def _sampled(floats: Tensor, grid: Tensor, zoom: Tensor) -> Tensor:
    """Pictures (n, 3, H, W) at the points of a grid (n, h, w, 2), which are ``zoom`` (n,) pixels apart.

    Where that is far, the picture is sampled at half its size, to avoid aliasing.
    """
    sampled = F.grid_sample(floats, grid, "bilinear", "reflection", align_corners=False)
    # Known on the CPU, so that the device need not be waited for.
    places = [place for place, pixels in enumerate(zoom.tolist()) if pixels > math.sqrt(2)]
    if places:
        coarse = torch.tensor(places, device=floats.device)
        halved = F.avg_pool2d(floats[coarse], 2)
        sampled[coarse] = F.grid_sample(halved, grid[coarse], "bilinear", "reflection", align_corners=False)
    return sampled


def change_colors(pictures: Tensor, strength: float, generator: Generator) -> Tensor:
    """Pictures (n, 3, H, W) in other light: contrast, saturation, brightness, and a cast of color.

    Color casts: Wu et al., "Deep Image: scaling up image recognition" (2015), section 3.2; the rest as
    Krizhevsky, Sutskever, Hinton (NIPS 2012), section 4.1, is after: objects stay what they are in any light.
    """
    n, device = len(pictures), pictures.device

    def uniform(channels: int, most: float) -> Tensor:
        drawn = torch.empty(n, channels, 1, 1).uniform_(-most, most, generator=generator)
        return drawn.to(device)

    contrast, saturation = 1 + uniform(1, strength), 1 + uniform(1, strength)
    light = uniform(1, strength * LIGHT) + uniform(3, strength * CAST)
    grey = luma(pictures)
    mean = grey.mean((2, 3), keepdim=True)
    saturated = grey + (pictures - grey) * saturation
    return (mean + (saturated - mean) * contrast + light).clamp(0, 1)


def cut_out(pictures: Tensor, share: float, generator: Generator) -> Tensor:
    """Pictures (n, 3, H, W) with a grey square of ``share`` of their shorter side, anywhere, also in part.

    DeVries and Taylor, "Improved regularization of convolutional neural networks with cutout" (2017).
    """
    n, _, height, width = pictures.shape
    half = share * min(height, width) / 2
    y, x = (torch.rand(n, 1, generator=generator) * side for side in (height, width))
    rows = (torch.arange(height) + 0.5 - y).abs() < half
    columns = (torch.arange(width) + 0.5 - x).abs() < half
    inside = rows[:, None, :, None] & columns[:, None, None, :]
    return pictures.masked_fill(inside.to(pictures.device), CUT_OUT)


def mixup(
    pictures: Tensor, targets: Tensor, generator: Generator, alpha: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Weighted means of two pictures (n, 3, H, W) each, and of their targets (n, classes).

    Zhang, Cisse, Dauphin, Lopez-Paz, "mixup: beyond empirical risk minimization" (ICLR 2018), equation 1,
    with a weight for each picture.
    """
    n = len(pictures)
    other = torch.randperm(n, generator=generator).to(pictures.device)
    share = beta(alpha, n, generator)
    of_pictures = share.view(-1, 1, 1, 1).to(pictures)
    of_targets = share.view(-1, 1).to(targets)
    return (
        torch.lerp(pictures[other], pictures, of_pictures),
        torch.lerp(targets[other], targets, of_targets),
    )


def beta(alpha: float, n: int, generator: Generator) -> Tensor:
    """Numbers (n,) in [0, 1] of the beta distribution with both parameters ``alpha``."""
    # torch has no such numbers from a generator of its own.
    seed = int(torch.randint(2**62, (1,), generator=generator))
    return torch.from_numpy(np.random.default_rng(seed).beta(alpha, alpha, n).astype(np.float32))


def random_crops(pictures: Tensor, size: int, turnable: Tensor, generator: Generator) -> Tensor:
    """A crop of each picture (n, 3, H, H) uint8, as (n, 3, size, size) floats in [0, 1].

    Area, aspect and position are random. Half are mirrored, and those marked in ``turnable`` (n,) are rotated
    by a multiple of 90 degrees. Large crops are sampled from the picture at half its size, to avoid aliasing.
    """
    n, side = len(pictures), pictures.shape[-1]
    # Crops are not enlarged by much, since that blurs them.
    least = max(AREA[0], min(size / side, MOST_ENLARGED) ** 2)
    area = torch.empty(n).uniform_(least, AREA[1], generator=generator)
    aspect = torch.empty(n).uniform_(*(math.log(bound) for bound in ASPECT), generator=generator).exp()
    wide = (area * aspect).sqrt().clamp_max(1)
    high = (area / aspect).sqrt().clamp_max(1)
    left = (torch.rand(n, generator=generator) * 2 - 1) * (1 - wide)
    top = (torch.rand(n, generator=generator) * 2 - 1) * (1 - high)
    mirrored = torch.randint(0, 2, (n,), generator=generator) * 2.0 - 1
    quarters = torch.randint(0, 4, (n,), generator=generator) * turnable.cpu()
    crops = Crops(wide, high, left, top, mirrored, quarters)
    return cut_crops(pictures, crops, size)


@dataclass(frozen=True)
class Crops:
    """Where crops lie in pictures, each (n,) on the CPU.

    ``wide`` and ``high`` are shares of the side, ``left`` and ``top`` the middle, where the picture spans
    [-1, 1]; ``mirrored`` is -1 for mirrored ones, else 1; ``quarters`` are turns of 90 degrees.
    """

    wide: Tensor
    high: Tensor
    left: Tensor
    top: Tensor
    mirrored: Tensor
    quarters: Tensor


def cut_crops(pictures: Tensor, crops: Crops, size: int) -> Tensor:
    """A crop of each picture (n, 3, H, H) uint8, as (n, 3, size, size) floats in [0, 1]."""
    n, side = len(pictures), pictures.shape[-1]
    quarters = crops.quarters
    cosine, sine = (quarters * (math.pi / 2)).cos().round(), (quarters * (math.pi / 2)).sin().round()
    # The map of the output's coordinates: rotated, then mirrored, then scaled and moved to the crop.
    across, down = crops.wide * crops.mirrored, crops.high
    affine = torch.stack(
        [
            torch.stack([across * cosine, -across * sine, crops.left], dim=1),
            torch.stack([down * sine, down * cosine, crops.top], dim=1),
        ],
        dim=1,
    ).to(pictures.device)
    grid = F.affine_grid(affine, [n, 3, size, size], align_corners=False)
    zoom = torch.maximum(crops.wide, crops.high) * side / size
    return _sampled(pictures.float() / 255, grid, zoom)


def jitter(pictures: Tensor, generator: Generator) -> Tensor:
    """Pictures (n, 3, H, W) with small changes of contrast, brightness and noise, some of them grey."""
    n, device = len(pictures), pictures.device

    def uniform(low: float, high: float) -> Tensor:
        return torch.empty(n, 1, 1, 1).uniform_(low, high, generator=generator).to(device)

    mean = pictures.mean(dim=(1, 2, 3), keepdim=True)
    contrast = uniform(1 - MOST_CONTRAST, 1 + MOST_CONTRAST)
    changed = (pictures - mean) * contrast + mean + uniform(-MOST_BRIGHTNESS, MOST_BRIGHTNESS)
    grey = uniform(0, 1) < GREY
    changed = torch.where(grey, luma(changed), changed)
    noise = torch.randn(pictures.shape, generator=generator).to(device)
    amount = uniform(0, MOST_NOISE) * (uniform(0, 1) < NOISY)
    return (changed + amount * noise).clamp(0, 1)


def cutmix(
    pictures: Tensor, targets: Tensor, generator: Generator, alpha: float = 1.0
) -> tuple[Tensor, Tensor]:
    """CutMix: pictures (n, 3, H, W) with a rectangle of another one, and targets (n, classes) mixed by area.

    Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features" (ICCV
    2019), section 3, with a rectangle for each picture.
    """
    n, _, height, width = pictures.shape
    other = torch.randperm(n, generator=generator).to(pictures.device)
    # With an alpha of 1 the shares are uniform.
    share = torch.rand(n, generator=generator) if alpha == 1 else beta(alpha, n, generator)
    side = (1 - share).sqrt()
    middle_y, middle_x = torch.rand(n, generator=generator), torch.rand(n, generator=generator)
    rows, columns = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    inside_y = (rows - middle_y[:, None]).abs() < side[:, None] / 2
    inside_x = (columns - middle_x[:, None]).abs() < side[:, None] / 2
    inside = inside_y[:, None, :, None] & inside_x[:, None, None, :]
    replaced = inside.float().mean(dim=(2, 3)).to(targets)
    mixed = torch.where(inside.to(pictures.device), pictures[other], pictures)
    return mixed, targets * (1 - replaced) + targets[other] * replaced
