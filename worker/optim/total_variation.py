"""Total variation: how restless a picture is."""

import torch
from torch import Tensor

SMOOTHING = 0.02
"""Differences far below this (about 5 of 255 levels) are smoothed as by a heat flow, those far above are
edges, and cost in proportion to their height only."""


def total_variation(picture: Tensor) -> Tensor:
    """Mean over pixels of the length of the colour gradient, smoothed at zero.

    Rudin, Osher, Fatemi, "Nonlinear total variation based noise removal algorithms", Physica D 1992, in the
    vectorial form: the channels share one root, so that an edge which all of them share costs less than
    three that they do not, and coloured speckle costs most. ``picture`` is (1, C, H, W) in [0, 1]; the
    difference beyond the last row and column is 0. A flat picture scores 0.
    """
    down, right = _differences(picture)
    squares = down.square().sum(1) + right.square().sum(1)
    return (squares + SMOOTHING**2).sqrt().mean() - SMOOTHING


def squared_variation(picture: Tensor) -> Tensor:
    """Half the sum over pixels and channels of squared differences to the pixel below and to the right.

    ``picture`` is (1, C, H, W). This is what Johnson's neural-style descends (``TVLoss`` in neural_style.lua,
    whose gradient leaves out the last row and column, as here); it grows with the picture.
    """
    height, width = picture.shape[-2:]
    inner = picture[..., : height - 1, : width - 1]
    down = picture[..., 1:, : width - 1] - inner
    right = picture[..., : height - 1, 1:] - inner
    return (down.square().sum() + right.square().sum()) / 2


def _differences(picture: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the pixel below and to the right, of the picture's shape; 0 beyond the edge."""
    down = torch.diff(picture, dim=-2, append=picture[..., -1:, :])
    right = torch.diff(picture, dim=-1, append=picture[..., :, -1:])
    return down, right
