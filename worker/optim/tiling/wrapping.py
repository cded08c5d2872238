"""Seamless pictures: circular padding, resizing, and how an ordinary picture becomes one."""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from worker.optim.pyramids.scales import resize
from worker.optim.randomness import generator_at

# How far the correction of :func:`made_periodic` reaches, relative to the shorter side. Of 0.04, 0.06, 0.1,
# 0.25 and no bound, by eye on three photographs: the first two leave a dark rim, the last tints the sky.
REACH = 0.1

# Makes a picture (1, C, H, W) of another height and width.
Resize = Callable[[Tensor, int, int], Tensor]


def wrapped(picture: Tensor, margin: int) -> Tensor:
    """A picture (1, C, H, W) padded circularly by ``margin`` pixels, which may exceed its sides."""
    if margin <= min(picture.shape[-2:]):
        return F.pad(picture, (margin,) * 4, mode="circular")
    # The circular padding of torch does not go around more than once.
    height, width = picture.shape[-2:]
    down, across = math.ceil(margin / height), math.ceil(margin / width)
    many = picture.repeat(1, 1, 2 * down + 1, 2 * across + 1)
    top, left = down * height - margin, across * width - margin
    return many[..., top : top + height + 2 * margin, left : left + width + 2 * margin]


def resize_wrapped(picture: Tensor, height: int, width: int) -> Tensor:
    """A seamless picture (1, C, H, W) at another size, filtered across its edges."""
    return resize_across(resize, picture, height, width)


def resize_across(how: Resize, picture: Tensor, height: int, width: int) -> Tensor:
    """A seamless picture (1, C, H, W) at another size, as ``how`` makes it, but across its edges.

    Each axis in turn, from three copies side by side, of which the middle one is kept: that samples the same
    grid whatever the ratio of the sizes is.
    """
    old_height, old_width = picture.shape[-2:]
    if (height, width) == (old_height, old_width):
        return picture
    taller = how(picture.repeat(1, 1, 3, 1), 3 * height, old_width)[..., height : 2 * height, :]
    wider = how(taller.repeat(1, 1, 1, 3), height, 3 * width)
    return wider[..., width : 2 * width].contiguous()


def enlarge_wrapped(picture: Tensor, height: int, width: int, seed: int) -> Tensor:
    """As :func:`resize_wrapped`, from an origin that is drawn at random; what is where moves half a pixel.

    Where the grids of both sizes have an edge in common, interpolation keeps the contrast of the pixels on
    either side; elsewhere it blurs. With one origin at all scales that is always the seam, which then shows.
    """
    sides = picture.shape[-2:]
    if (height, width) == tuple(sides):
        return picture
    generator = generator_at(seed, *sides, height, width)
    origin = [int(torch.randint(side, (1,), generator=generator)) for side in sides]
    enlarged = resize_wrapped(picture.roll(origin, (2, 3)), height, width)
    back = [-round(place * new / old) for place, new, old in zip(origin, (height, width), sides, strict=True)]
    return enlarged.roll(back, (2, 3))


def made_periodic(picture: Tensor) -> Tensor:
    """A picture (1, 3, H, W) in [0, 1] without a jump from each edge to the opposite one; clipped to [0, 1].

    Moisan, "Periodic plus smooth image decomposition", Journal of Mathematical Imaging and Vision 39, 2011:
    subtracts the smooth picture whose Laplacian is that of the jumps. Here it decays away from the edges,
    with a length of REACH of the shorter side (a screened Poisson equation), so that the middle keeps its
    colors.
    """
    height, width = picture.shape[-2:]
    down, across = (
        4 * torch.sin(math.pi * frequencies).square()
        for frequencies in (torch.fft.fftfreq(height), torch.fft.rfftfreq(width))
    )
    screened = down[:, None] + across + (REACH * min(height, width)) ** -2
    made = torch.empty_like(picture)
    # A channel at a time, for the memory of its spectrum.
    for channel, plane in enumerate(picture[0]):
        jumps = torch.zeros_like(plane)
        down_jump, across_jump = plane[0] - plane[-1], plane[:, 0] - plane[:, -1]
        jumps[0] += down_jump
        jumps[-1] -= down_jump
        jumps[:, 0] += across_jump
        jumps[:, -1] -= across_jump
        spectrum = torch.fft.rfft2(jumps) / screened.to(plane)
        made[0, channel] = plane - torch.fft.irfft2(spectrum, s=(height, width))
    return made.clamp_(0, 1)
