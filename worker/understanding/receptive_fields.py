"""The pixels that a neuron sees: exactly, up to the borders of the picture."""

from dataclasses import dataclass

from models.geometry import Block, is_whole, window_of
from models.network import Network


@dataclass(frozen=True)
class PixelBox:
    """Pixels from ``top`` and ``left`` to just before ``bottom`` and ``right``."""

    top: int
    left: int
    bottom: int
    right: int


def receptive_field(
    network: Network, layer: str, channel: int, position: tuple[int, int], size: tuple[int, int]
) -> PixelBox:
    """The pixels of a picture of ``size`` (height, width) that one neuron of a layer sees, at (y, x).

    A padding sees nothing, that of a layer in between neither: a window is clipped at every layer on the way
    back, not at the picture alone. From the first layer on that sees everything it is the whole picture.
    Raises KeyError for an unknown layer.
    """
    rows, columns = (
        _span(network, layer, channel, place, side) for place, side in zip(position, size, strict=True)
    )
    return PixelBox(rows[0], columns[0], rows[1], columns[1])


def _span(network: Network, layer: str, channel: int, place: int, side: int) -> tuple[int, int]:
    """The pixels along one side, as (first, one after the last)."""
    if layer not in network.stack:
        raise KeyError(layer)
    passed, inputs = [], side
    for name, module in network.stack.items():
        if is_whole(module):
            return 0, side
        window = window_of(module)
        if window is not None:
            if isinstance(module, Block) and name == layer:
                window = module.channel_window(channel)
            passed.append((window, inputs))
            inputs = window.output_side(inputs)
        if name == layer:
            break
    first, last = place, place
    for window, inputs in reversed(passed):
        first = max(0, first * window.stride - window.padding)
        last = min(inputs - 1, last * window.stride - window.padding + window.size - 1)
    return first, last + 1
