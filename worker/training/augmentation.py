"""Random augmentation of a batch of pictures, different for each, as batched tensor operations.

All random numbers are drawn on the CPU from the given generator, so they are the same on every device.
"""

import math

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
    cosine, sine = (quarters * (math.pi / 2)).cos().round(), (quarters * (math.pi / 2)).sin().round()
    # The map of the output's coordinates: rotated, then mirrored, then scaled and moved to the crop.
    across, down = wide * mirrored, high
    affine = torch.stack(
        [
            torch.stack([across * cosine, -across * sine, left], dim=1),
            torch.stack([down * sine, down * cosine, top], dim=1),
        ],
        dim=1,
    ).to(pictures.device)
    grid = F.affine_grid(affine, [n, 3, size, size], align_corners=False)
    floats = pictures.float() / 255
    crops = F.grid_sample(floats, grid, "bilinear", "reflection", align_corners=False)
    coarse = torch.maximum(wide, high).to(pictures.device) * side / size > math.sqrt(2)
    if coarse.any():
        halved = F.avg_pool2d(floats[coarse], 2)
        crops[coarse] = F.grid_sample(halved, grid[coarse], "bilinear", "reflection", align_corners=False)
    return crops


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


def cutmix(pictures: Tensor, targets: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """CutMix: pictures (n, 3, H, W) with a rectangle of another one, and targets (n, classes) mixed by area.

    Yun et al., "CutMix: regularization strategy to train strong classifiers with localizable features" (ICCV
    2019), section 3, with alpha 1, and a rectangle for each picture.
    """
    n, _, height, width = pictures.shape
    other = torch.randperm(n, generator=generator)
    side = (1 - torch.rand(n, generator=generator)).sqrt()
    middle_y, middle_x = torch.rand(n, generator=generator), torch.rand(n, generator=generator)
    rows, columns = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    inside_y = (rows - middle_y[:, None]).abs() < side[:, None] / 2
    inside_x = (columns - middle_x[:, None]).abs() < side[:, None] / 2
    inside = inside_y[:, None, :, None] & inside_x[:, None, None, :]
    share = inside.float().mean(dim=(2, 3)).to(targets)
    mixed = torch.where(inside.to(pictures.device), pictures[other], pictures)
    return mixed, targets * (1 - share) + targets[other] * share
