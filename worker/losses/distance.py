"""What losses of squared distances share."""

from collections.abc import Iterator
from typing import Any, Literal

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from worker.optim.tiling.maps import Recomputed

Variant = Literal["relative", "gatys-2016", "neural-style", "crowson-2021", "crowson-2023"]
"""Whose formula a loss follows: ours, relative to the target; or its source's own."""

# Mean activations of the Caffe VGG-19 on RGB in [0, 255], the network that the weights of both sources are
# for (Gatys et al. write that theirs was rescaled to 1; but with their alpha / beta = 1e-3 there is no style
# then). A network here has about 1. The figures of relu1_1, relu2_1, relu3_1 and relu3_4 are published; those
# between were measured on seven pictures with the same weights and max pools, as networks are rescaled. The
# deeper ones follow from the losses that neural-style's INSTALL.md prints for its first step, compared with
# those of relu2_1 and relu3_1.
CAFFE_ACTIVATIONS = {
    "relu1_1": 22.0,
    "relu1_2": 99.0,
    "relu2_1": 115.0,
    "relu2_2": 112.0,
    "relu3_1": 122.0,
    "relu3_2": 158.0,
    "relu3_3": 328.0,
    "relu3_4": 488.0,
    "relu4_1": 480.0,
    "relu4_2": 400.0,
    "relu5_1": 40.0,
}
# Of every layer of other networks: with the balance above, palette loses the colors of the style, which
# VGG-19's deeper layers see.
TYPICAL_ACTIVATION = 100.0

# The features of a black picture may be 0: this keeps the relative loss finite (and enormous).
LEAST_ENERGY = 1e-12

# Numbers that are squared at once: more would take several times the memory of what they are read from.
CHUNK = 1 << 24


def squared_distance(a: Tensor, b: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sum of squared differences of equal shapes; float32, or float64 for float64 tensors.

    Takes, and keeps for the gradient, no copy of either. ``weights`` (1, 1, H, W), a constant, multiply the
    squares of maps (1, C, H, W).
    """
    distance: Tensor = _SquaredDistance.apply(a, b, weights)  # type: ignore[no-untyped-call]
    return distance


def scaled_distance(sums: Tensor) -> Tensor:
    """The sum of squared differences over that of absolute ones, from these :func:`distance_sums`.

    Its gradient has an L1 norm of about 1 (``ScaledMSELoss``, crowsonkb/style-transfer-pytorch 2021).
    """
    squares, lengths = sums.unbind()
    return squares / (lengths + 1e-8)


def distance_sums(a: Tensor, b: Tensor, weights: Tensor | None = None) -> Tensor:
    """Sums of squared and of absolute differences of equal shapes, (2,); float32 or better.

    ``weights`` (1, 1, H, W), a constant, multiply both of maps (1, C, H, W).
    """
    lengths = (_precise(a) - _precise(b)).abs()
    lengths = lengths if weights is None else lengths * weights
    return torch.stack([squared_distance(a, b, weights), lengths.sum()])


def sum_of_squares(features: Tensor) -> Tensor:
    """Sum of squares, 0-dimensional; float32, or float64 for a float64 tensor. Takes no copy."""
    return _sum([_precise(part).square().sum() for (part,) in _chunks(features)])


def energy(target: Tensor | Recomputed) -> Tensor:
    """Sum of squares, never 0; float32, or float64 for a float64 tensor."""
    total = target.energy if isinstance(target, Recomputed) else sum_of_squares(target)
    return total.clamp_min(LEAST_ENERGY)


def constant(value: float, like: Tensor | Recomputed) -> Tensor:
    """A number as a tensor on the device of ``like``; float32, or float64 where that is float64."""
    return torch.tensor(value, dtype=torch.promote_types(like.dtype, torch.float32), device=like.device)


def caffe_activation(network: str, layer: str) -> float:
    """The mean activation that ``gatys-2016`` and ``neural-style`` count with at a layer of a network."""
    return CAFFE_ACTIVATIONS.get(layer, TYPICAL_ACTIVATION) if network == "vgg19" else TYPICAL_ACTIVATION


class _SquaredDistance(torch.autograd.Function):
    """The sum of squared differences, which are computed again for the gradient."""

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, weights: Tensor | None) -> Tensor:
        ctx.save_for_backward(a, b, weights)
        chunks = _chunks(a, b) if weights is None else _chunks(a, b, weights)
        return _sum([_weighted((_precise(x) - _precise(y)).square(), *own).sum() for x, y, *own in chunks])

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor | None, None]:
        a, b, weights = ctx.saved_tensors
        of_a = torch.empty_like(a)
        chunks = _chunks(a, b, of_a) if weights is None else _chunks(a, b, of_a, weights)
        for x, y, found, *own in chunks:
            torch.sub(x, y, out=found).mul_(2 * gradient)
            if own:
                found.mul_(own[0])
        return of_a, -of_a if ctx.needs_input_grad[1] else None, None


def _weighted(values: Tensor, weights: Tensor | None = None) -> Tensor:
    return values if weights is None else values * weights


def _chunks(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Views of the same rows of tensors (..., H, W), each of about CHUNK numbers of the first."""
    first = tensors[0]
    rows = max(0, first.dim() - 2)
    each = max(1, CHUNK * first.shape[rows] // max(1, first.numel()))
    return zip(*(torch.split(tensor, each, rows) for tensor in tensors), strict=True)


def _sum(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.stack(parts).sum()


def _precise(tensor: Tensor) -> Tensor:
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
