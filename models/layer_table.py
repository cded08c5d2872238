"""The layers of a network, or of a list, in a table: sizes, parameters, multiply-adds and values.

The values of a layer are those that it gives, and within a block those of its convolutions. ReLUs and dropout
overwrite what they are given, and sums and concatenations are taken as views, so they have none, unlike in
:mod:`models.costs`, which counts what is written.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from math import prod
from typing import Self

from torch import Tensor, nn

from models.costs import layer_costs
from models.geometry import Window, window_of
from models.network import Network

# (channels, height, width), or (units,).
Shape = tuple[int, ...]

# Modules whose output is new even where it has the shape of the input.
_GIVING = (
    nn.Conv2d,
    nn.Linear,
    nn.MaxPool2d,
    nn.AvgPool2d,
    nn.BatchNorm2d,
    nn.LocalResponseNorm,
)


@dataclass(frozen=True)
class Counts:
    """Numbers of parameters, of multiply-adds for one picture, and of values.

    A multiply-add is one multiplication with its addition, of convolutions and fully connected layers;
    biases, pools and ReLUs are not counted, as is usual (torchvision's ``_ops``).
    """

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
    cost: Counts
    window: Window | None
    seen: Window | None
    groups: int = 1
    fits: tuple[Fit, ...] = ()


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


def _padding(window: Window) -> int:
    """The padding on both sides together."""
    return window.padding + window.after


def convolution(channels: int, output: Shape, size: int, *, groups: int = 1, bias: bool = True) -> Counts:
    """The cost of a convolution from ``channels`` of ``size`` × ``size`` to ``output``."""
    filters = output[0]
    weights = filters * (channels // groups) * size**2
    positions = prod(output[1:])
    return Counts(weights + bias * filters, weights * positions, prod(output))


def locally_connected(
    channels: int, output: Shape, size: int, *, groups: int = 1, bias: bool = True
) -> Counts:
    """The cost of a convolution whose filters, and biases, are others at every position."""
    shared = convolution(channels, output, size, groups=groups, bias=bias)
    return Counts(shared.parameters * prod(output[1:]), shared.multiply_adds, shared.values)


def fully_connected(inputs: int, units: int, *, bias: bool = True) -> Counts:
    """The cost of a fully connected layer."""
    return Counts(units * (inputs + bias), units * inputs, units)


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
    with _watched(network) as watched:
        costs = layer_costs(network, height, width)
    rows = []
    for layer, (name, module) in zip(network.layers, network.stack.items(), strict=True):
        parameters = sum(parameter.numel() for parameter in module.parameters())
        counts = Counts(parameters, costs[name].multiply_adds, watched.values[name])
        seen = Window(layer.receptive_field, layer.stride, 0) if layer.receptive_field else None
        groups = module.groups if isinstance(module, nn.Conv2d) else 1
        fits = tuple(dict.fromkeys(watched.fits[name]))
        rows.append(
            LayerRow(name, layer.kind, costs[name].shape, counts, window_of(module), seen, groups, fits)
        )
    return rows


class _Watched:
    """What the innermost modules of each layer gave while they ran: values, and fits of windows."""

    def __init__(self) -> None:
        self.values: Counter[str] = Counter()
        self.fits: defaultdict[str, list[Fit]] = defaultdict(list)

    def add(self, layer: str, inner: str, module: nn.Module, given: Tensor, made: Tensor) -> None:
        """Count a module, called ``inner`` within the layer ("" for the layer itself)."""
        # A ReLU, dropout or identity gives as much as it is given, in its place.
        if isinstance(module, _GIVING) or made.shape != given.shape:
            self.values[layer] += prod(made.shape[1:])
        window = window_of(module)
        if window is not None:
            name = f"{layer}.{inner}" if inner else layer
            sides = zip(given.shape[2:], made.shape[2:], strict=True)
            self.fits[layer] += [Fit(name, before, window, after) for before, after in sides]


@contextmanager
def _watched(network: Network) -> Iterator[_Watched]:
    """Watch the modules of a network in this context."""
    watched = _Watched()
    with ExitStack() as hooks:
        for layer, module in network.stack.items():
            for inner, leaf in module.named_modules():
                if not any(leaf.children()):
                    hook = leaf.register_forward_hook(partial(_report, watched, layer, inner))
                    hooks.callback(hook.remove)
        yield watched


def _report(
    watched: _Watched, layer: str, inner: str, module: nn.Module, given: tuple[Tensor, ...], made: Tensor
) -> None:
    watched.add(layer, inner, module, given[0], made)
