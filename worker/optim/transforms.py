"""Random transforms of pictures: an objective is maximized over all of them.

Each is made by a function of its extent, and takes pictures (N, 3, H, W) in [0, 1] with a generator for each,
so that the transform of a picture does not depend on the batch. All are differentiable; autograd undoes them
in the gradient (a roll need not be unrolled).

Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017, section "Transformation robustness".
"""

import math
from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

Transform = Callable[[Tensor, Sequence[Generator]], Tensor]

# The grey of the padding, as in lucid.
PAD_VALUE = 0.5

# Standard deviation of a crop's centre, in sides of the picture (Fel et al. 2023, as in Horama).
CROP_SPREAD = 0.15


def roll(reach: int) -> Transform:
    """Shift by up to ``reach`` pixels in each direction, wrapping around."""

    def apply(pictures: Tensor, generators: Sequence[Generator]) -> Tensor:
        shifts = [_integers(-reach, reach, generator) for generator in generators]
        return torch.stack(
            [picture.roll(shift, (1, 2)) for picture, shift in zip(pictures, shifts, strict=True)]
        )

    return apply


def pad(width: int) -> Transform:
    """Pad with ``width`` pixels of grey on each side."""
    return lambda pictures, _: F.pad(pictures, (width,) * 4, value=PAD_VALUE)


def jitter(reach: int) -> Transform:
    """Crop a random window that is ``reach`` pixels smaller (at least 1 pixel)."""

    def apply(pictures: Tensor, generators: Sequence[Generator]) -> Tensor:
        height, width = (max(1, side - reach) for side in pictures.shape[2:])
        seen = []
        for picture, generator in zip(pictures, generators, strict=True):
            top, left = _integers(0, reach, generator)
            top, left = min(top, picture.shape[1] - height), min(left, picture.shape[2] - width)
            seen.append(picture[:, top : top + height, left : left + width])
        return torch.stack(seen)

    return apply


def scale(spread: float) -> Transform:
    """Scale about the centre by a factor from 1 - ``spread`` to 1 + ``spread``, at the same size.

    A smaller picture is surrounded by its reflection.
    """

    def matrix(generator: Generator) -> tuple[Tensor, Tensor]:
        factor = 1 + spread * (2 * torch.rand((), generator=generator) - 1)
        return torch.eye(2) / factor, torch.zeros(2)

    return _affine(matrix)


def rotate(degrees: float) -> Transform:
    """Rotate about the centre by up to ``degrees`` in either direction; a reflection fills the corners."""

    def matrix(generator: Generator) -> tuple[Tensor, Tensor]:
        angle = math.radians(degrees) * (2 * torch.rand((), generator=generator) - 1)
        rows = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()])
        return rows.view(2, 2), torch.zeros(2)

    return _affine(matrix)


def crop(smallest: float) -> Transform:
    """A box, mostly near the centre, enlarged to the size of the picture.

    Its sides are a fraction of the picture's, from ``smallest`` (above 0, at most 1) to 1.
    """

    def matrix(generator: Generator) -> tuple[Tensor, Tensor]:
        share = smallest + (1 - smallest) * torch.rand((), generator=generator)
        room = 1 - share
        # The centre of the picture is 0 here and its edges are -1 and 1.
        middle = 2 * CROP_SPREAD * torch.randn(2, generator=generator)
        return torch.eye(2) * share, middle.clamp(-room, room)

    return _affine(matrix)


def noise(deviation: float) -> Transform:
    """Add normal noise of a standard deviation, in units of [0, 1]."""

    def apply(pictures: Tensor, generators: Sequence[Generator]) -> Tensor:
        drawn = [torch.randn(pictures.shape[1:], generator=generator) for generator in generators]
        return pictures + deviation * torch.stack(drawn).to(pictures)

    return apply


def in_turn(transforms: Sequence[Transform]) -> Transform:
    """The composition of some transforms, in order; the identity if there are none."""

    def apply(pictures: Tensor, generators: Sequence[Generator]) -> Tensor:
        for transform in transforms:
            pictures = transform(pictures, generators)
        return pictures

    return apply


def _integers(low: int, high: int, generator: Generator) -> tuple[int, int]:
    first, second = torch.randint(low, high + 1, (2,), generator=generator).tolist()
    return first, second


def _affine(draw: Callable[[Generator], tuple[Tensor, Tensor]]) -> Transform:
    """Sample each picture at an affine map of (x, y), in half sides of the picture.

    ``draw`` gives the map from the result's points to the picture's, as if the picture were square.
    """

    def apply(pictures: Tensor, generators: Sequence[Generator]) -> Tensor:
        height, width = pictures.shape[2:]
        # Half sides differ in length: without this a rotation would shear a picture that is not square.
        aspect = torch.tensor([[1.0, height / width], [width / height, 1.0]])
        maps = []
        for generator in generators:
            linear, shift = draw(generator)
            maps.append(torch.cat([linear * aspect, shift[:, None]], dim=1))
        grid = F.affine_grid(torch.stack(maps).to(pictures), list(pictures.shape), align_corners=False)
        return F.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)

    return apply
