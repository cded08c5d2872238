"""The rows of a list of layers: sizes by (N - F + 2P) / S + 1, and what each layer costs."""

from collections import Counter
from collections.abc import Sequence
from math import prod

from app.errors import InputError
from app.kinds.layer_lists import AnyLayer, Filters, FullyConnected, Norm, Pool, Rounding, Simple
from models.geometry import Window
from models.layer_table import (
    Counts,
    Fit,
    LayerRow,
    Shape,
    convolution,
    exact_side,
    formula,
    fully_connected,
    locally_connected,
)

_NAMES = {"locally_connected": "local", "global_average": "mean"}


def layer_rows(layers: Sequence[AnyLayer], given: Shape, rounding: Rounding | None) -> list[LayerRow]:
    """A row for each layer; ``given`` is the input (channels, height, width).

    ``rounding`` is that of layers that name none; None: a size that is not whole is an error. Raises
    InputError on ``layers`` for layers that do not fit their input, or each other.
    """
    rows: list[LayerRow] = []
    counts: Counter[str] = Counter()
    shape, seen = given, Window(1, 1, 0)
    everything = False
    for layer in layers:
        kind = _NAMES.get(layer.type, layer.type)
        counts[kind] += 1
        name = f"{kind}{counts[kind]}"
        if len(shape) == 1 and isinstance(layer, Filters | Pool):
            raise InputError(
                "layers", f"{name} needs positions, and what is before it has none: move it forward."
            )
        window, rounds = _window(layer, rounding)
        fits: tuple[Fit, ...] = ()
        before = shape
        if window is not None:
            fits = tuple(Fit(name, side, window, _side(name, side, window, rounds)) for side in shape[1:])
            shape = (shape[0], *(fit.result for fit in fits))
            seen = seen.then(window)
        cost, shape = _cost(name, layer, before, shape)
        everything = everything or len(shape) == 1
        groups = layer.groups if isinstance(layer, Filters) else 1
        rows.append(
            LayerRow(name, kind, shape, cost, window, None if everything else seen, groups, _once(fits))
        )
    return rows


def _once(fits: tuple[Fit, ...]) -> tuple[Fit, ...]:
    """One fit for both sides where they are the same."""
    return tuple(dict.fromkeys(fits))


def _window(layer: AnyLayer, rounding: Rounding | None) -> tuple[Window | None, bool]:
    """The window of a layer, None if it has none, and whether its number of positions is rounded."""
    if not isinstance(layer, Filters | Pool):
        return None, False
    own = layer.rounding or rounding
    window = Window(layer.size, layer.stride or layer.size, layer.padding, ceil=own == "ceil")
    return window, own is not None


def _side(name: str, side: int, window: Window, rounds: bool) -> int:
    """The positions along a side. Raises InputError where there are none, or no whole number of them."""
    padded = f"{side} positions" + (f", padded by {window.padding}," if window.padding else "")
    exact = exact_side(side, window)
    if exact < 1:
        raise InputError(
            "layers",
            f"{name}: a window of {window.size} is larger than the {padded} that it is given: "
            "make the input larger, or pad more.",
        )
    if exact.denominator > 1 and not rounds:
        room = side - window.size + 2 * window.padding
        strides = [str(stride) for stride in range(1, window.size + 1) if room % stride == 0]
        raise InputError(
            "layers",
            f"{name}: {formula(side, window)}, so windows of {window.size} at stride {window.stride} do not "
            f"fit the {padded.removesuffix(',')}. Strides that do: {', '.join(strides)}; or set rounding to "
            "floor or ceil.",
        )
    return window.output_side(side)


def _cost(name: str, layer: AnyLayer, before: Shape, after: Shape) -> tuple[Counts, Shape]:
    """The cost of a layer and the shape that it gives, once the windows have their sizes."""
    match layer:
        case Filters():
            _require_groups(name, layer, before[0])
            output = (layer.filters, *after[1:])
            count = convolution if layer.type == "conv" else locally_connected
            return count(before[0], output, layer.size, groups=layer.groups, bias=layer.bias), output
        case Pool():
            return Counts(values=prod(after)), after
        case FullyConnected():
            return fully_connected(prod(before), layer.units, bias=layer.bias), (layer.units,)
        case Norm():
            # A scale and a shift for each channel.
            return Counts(2 * before[0] if layer.method == "batch" else 0, values=prod(before)), before
        case Simple(type="global_average"):
            return Counts(values=before[0]), (before[0],)
        case Simple():
            return Counts(), before


def _require_groups(name: str, layer: Filters, channels: int) -> None:
    for count, what in ((channels, "channels of its input"), (layer.filters, "filters")):
        if count % layer.groups:
            raise InputError("layers", f"{name}: {layer.groups} groups do not divide the {count} {what}.")
