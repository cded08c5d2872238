"""What the layers of a network cost: sizes, parameters, multiply-adds and values, without computing any.

A multiply-add is one multiplication with its addition, of convolutions and fully connected layers; biases,
pools and ReLUs are not counted, as is usual (torchvision's ``_ops``). The values of a layer are those that it
gives, and within a block those of its convolutions. ReLUs and dropout overwrite what they are given, and sums
and concatenations are taken as views, so they have none.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import prod
from typing import Any, Self

import torch
from torch import Tensor, nn

from models.geometry import Window, window_of
from models.network import Network

# (channels, height, width), or (units,).
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Cost:
    """Numbers of parameters, of multiply-adds for one picture, and of values."""

    parameters: int = 0
    multiply_adds: int = 0
    values: int = 0

    def __add__(self, other: Self) -> Self:
        """The sum."""
        return type(self)(
            self.parameters + other.parameters,
            self.multiply_adds + other.multiply_adds,
            self.values + other.values,
        )


@dataclass(frozen=True)
class Fit:
    """How windows fit along a side of ``side`` positions: (N - F + 2P) / S + 1, and what it is rounded to."""

    name: str
    side: int
    window: Window
    result: int

    @property
    def exact(self) -> Fraction:
        """The quotient, which may be no whole number."""
        return exact_side(self.side, self.window)

    @property
    def rounding(self) -> str | None:
        """``floor`` or ``ceil``; None if there is nothing to round."""
        if self.exact.denominator == 1:
            return None
        return "floor" if self.result < self.exact else "ceil"

    @property
    def formula(self) -> str:
        """The division with its numbers, such as ``(32 - 5 + 2*2) / 1 + 1 = 32``."""
        return formula(self.side, self.window)


@dataclass(frozen=True)
class LayerRow:
    """One layer: what it gives, what it costs, and what a position of it sees.

    ``window`` is its own window on the layer before (None: it has none), ``seen`` that on the picture (None:
    all of it). ``groups`` are those of its convolution. ``fits`` says how its windows fit, those within a
    block included.
    """

    name: str
    kind: str
    output: Shape
    cost: Cost
    window: Window | None
    seen: Window | None
    groups: int = 1
    fits: Sequence[Fit] = field(default_factory=tuple)


def exact_side(side: int, window: Window) -> Fraction:
    """(N - F + 2P) / S + 1, the number of windows that fit along a side if it is whole."""
    return Fraction(side - window.size + _padding(window), window.stride) + 1


def formula(side: int, window: Window) -> str:
    """The division of :func:`exact_side` with its numbers and its result."""
    exact = exact_side(side, window)
    whole = exact.denominator == 1
    result = str(exact.numerator) if whole else f"{float(exact):.2f}".rstrip("0")
    if not whole and Fraction(result) != exact:
        result += "..."
    if not _padding(window):
        padding = ""
    elif _padding(window) == 2 * window.padding:
        padding = f" + 2*{window.padding}"
    else:
        padding = f" + {_padding(window)}"
    return f"({side} - {window.size}{padding}) / {window.stride} + 1 = {result}"


def output_side(side: int, window: Window) -> int:
    """The number of windows along a side, rounded as the window says; less than 1 if there is none."""
    exact = exact_side(side, window)
    result = exact.numerator // exact.denominator
    if window.ceil and exact.denominator > 1 and result * window.stride < side + window.padding:
        # The last window begins within the input, or in the padding before it.
        result += 1
    return result


def _padding(window: Window) -> int:
    """The padding on both sides together."""
    return 2 * window.padding


def convolution(channels: int, output: Shape, size: int, *, groups: int = 1, bias: bool = True) -> Cost:
    """The cost of a convolution from ``channels`` of ``size`` × ``size`` to ``output``."""
    filters = output[0]
    weights = filters * (channels // groups) * size**2
    positions = prod(output[1:])
    return Cost(weights + bias * filters, weights * positions, prod(output))


def locally_connected(channels: int, output: Shape, size: int, *, groups: int = 1, bias: bool = True) -> Cost:
    """The cost of a convolution whose filters, and biases, are others at every position."""
    shared = convolution(channels, output, size, groups=groups, bias=bias)
    return Cost(shared.parameters * prod(output[1:]), shared.multiply_adds, shared.values)


def fully_connected(inputs: int, units: int, *, bias: bool = True) -> Cost:
    """The cost of a fully connected layer."""
    return Cost(units * (inputs + bias), units * inputs, units)


def largest_step(given: Shape, rows: Sequence[LayerRow]) -> int:
    """The most values that one layer needs at once: what it is given, and what it gives."""
    before, most = prod(given), 0
    for row in rows:
        most = max(most, before + row.cost.values)
        before = prod(row.output)
    return most


def network_table(network: Network, height: int, width: int) -> list[LayerRow]:
    """The layers of a network for a picture of that size. One on the meta device needs no weights.

    Raises ValueError for a picture that is too small.
    """
    smallest = network.minimum_side(list(network.stack))
    if min(height, width) < smallest:
        raise ValueError(
            f"a picture of {width}×{height} px is too small for {network.name}: its short side must be at "
            f"least {smallest} px"
        )
    rows = []
    x = torch.empty(1, 3, height, width, device=network.device, dtype=network.dtype)
    for layer, (name, module) in zip(network.layers, network.stack.items(), strict=True):
        x, cost, fits = _measure(name, module, x)
        seen = Window(layer.receptive_field, layer.stride, 0) if layer.receptive_field else None
        groups = module.groups if isinstance(module, nn.Conv2d) else 1
        rows.append(
            LayerRow(name, layer.kind, tuple(x.shape[1:]), cost, window_of(module), seen, groups, fits)
        )
    return rows


def _measure(name: str, module: nn.Module, x: Tensor) -> tuple[Tensor, Cost, list[Fit]]:
    """What a module gives, its cost, and the fits of the windows in it."""
    cost, fits = Cost(sum(parameter.numel() for parameter in module.parameters())), []

    def count(inner: str, leaf: nn.Module, given: Tensor, made: Tensor) -> None:
        nonlocal cost
        cost += _cost(leaf, given, made)
        window = window_of(leaf)
        if window is not None:
            full = f"{name}.{inner}" if inner else name
            for before, after in dict.fromkeys(zip(given.shape[2:], made.shape[2:], strict=True)):
                fits.append(Fit(full, before, window, after))

    hooks = [_watch(inner, leaf, count) for inner, leaf in module.named_modules() if not any(leaf.children())]
    try:
        with torch.no_grad():
            made: Tensor = module(x)
    finally:
        for hook in hooks:
            hook.remove()
    return made, cost, fits


def _watch(name: str, module: nn.Module, count: Any) -> Any:
    return module.register_forward_hook(lambda leaf, given, made: count(name, leaf, given[0], made))


def _cost(leaf: nn.Module, given: Tensor, made: Tensor) -> Cost:
    """The cost of a module without its parameters, which may be used several times."""
    output = tuple(made.shape[1:])
    match leaf:
        case nn.Conv2d():
            whole = convolution(given.shape[1], output, leaf.kernel_size[0], groups=leaf.groups)
        case nn.Linear():
            whole = fully_connected(leaf.in_features, leaf.out_features)
        case nn.MaxPool2d() | nn.AvgPool2d() | nn.BatchNorm2d() | nn.LocalResponseNorm():
            whole = Cost(values=prod(output))
        case _:
            # A ReLU, dropout or identity gives as much as it is given, in its place.
            whole = Cost(values=prod(output) if made.shape != given.shape else 0)
    return Cost(0, whole.multiply_adds, whole.values)
