"""Filters: the weights of a convolution as pictures.

Krizhevsky, Sutskever, Hinton, "ImageNet classification with deep convolutional neural networks", NIPS 2012,
figure 3; Zeiler and Fergus, "Visualizing and understanding convolutional networks", ECCV 2014, figure 6.

The weights are those that a network computes with: its batch norms are folded into them, and channels of
networks that are used for synthesis are rescaled to a mean activation of 1. Both multiply each filter, and
each of its slices, by a number (a positive one, but for a batch norm that turns the sign): the pattern of a
slice is that of the training, its strength beside other slices is not.
"""

from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from app.errors import InputError
from app.kinds.filters import CONVOLUTIONS, ResolvedFilters
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.understanding.figures import (
    Panel,
    beside,
    colorize,
    enlarge_sharp,
    sheet,
    signed_scale_of,
)

# Pixels of a filter of a grid, and of the grids of slices.
SIDE = 72
SLICE_SIDE = 44
# Slices in a row, and rows, where none are named.
SLICES = 16


@dataclass(frozen=True)
class Filters:
    """The weights (O, I, h, w) of a convolution, and whose they are; ``part`` is empty where it is the layer.

    ``I`` is 3 where they are of colors, 1 for a depthwise convolution.
    """

    network: str
    layer: str
    part: str
    weights: Tensor
    depthwise: bool

    @property
    def title(self) -> str:
        """The name of all this."""
        return f"{self.network}, {self.layer}" + (f".{self.part}" if self.part else "")


def filters(
    params: ResolvedFilters,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """The filters of ``params.layer``, beside those of another network if there is one.

    ``image`` is the figure; the file ``weights`` has what it shows. Raises InputError if a layer has no such
    part, or filter, or slice.
    """
    del compute, resume
    shown = [_filters_of(network, params.layer, params.part, "layer")]
    if params.against is not None:
        other = inputs.networks[params.against]
        is_first = params.layer == _first(network)
        shown.append(_filters_of(other, _first(other) if is_first else params.layer, params.part, "against"))
    drawn = [_draw(params, each) for each in shown]
    image = beside([each for each, _, _ in drawn], gap=24)
    yield Step(1, 1, losses=dict, image=lambda: image, state=lambda: StepState({}, {}))
    weights = {name: each for name, (_, _, each) in zip(("weights", "against"), drawn, strict=False)}
    return Outcome(
        {"image": image},
        {"filters": [report for _, report, _ in drawn]},
        files={"weights": File(save(weights), "application/octet-stream", ".safetensors")},
    )


def picture_of(weights: Tensor, largest: Tensor | float) -> Tensor:
    """Filters of colors (N, 3, h, w) as pictures in [0, 1]: 0 is mid-grey, plus ``largest`` 1, minus it 0."""
    most = torch.as_tensor(largest).clamp_min(torch.finfo(torch.float32).tiny)
    return (0.5 + weights / (2 * most)).clamp(0, 1)


def _first(network: Network) -> str:
    """The first layer with a convolution."""
    return next(layer.name for layer in network.layers if layer.kind in CONVOLUTIONS)


def _filters_of(network: Network, layer: str, part: str | None, field: str) -> Filters:
    module = network.stack[layer]
    convolutions = {name: each for name, each in module.named_modules() if isinstance(each, nn.Conv2d)}
    if part is None:
        larger = [name for name, each in convolutions.items() if max(each.kernel_size) > 1]
        part = (larger or list(convolutions))[0]
    if part not in convolutions:
        there = ", ".join(name for name in convolutions if name) or "one, without a name"
        raise InputError("part", f"{layer} of {network.name} has no part {part!r}. Its parts: {there}.")
    convolution = convolutions[part]
    weights = convolution.weight.detach().float().cpu()
    is_depthwise = convolution.groups > 1 and convolution.weight.shape[1] == 1
    return Filters(network.name, layer, part, weights, is_depthwise)


def _draw(params: ResolvedFilters, shown: Filters) -> tuple[Tensor, dict[str, Any], Tensor]:
    """The figure of filters, what there is to say of them, and the weights that it shows."""
    count, depth, height, width = shown.weights.shape
    whole = depth in (1, 3)
    limit = params.limit if whole else min(params.limit, SLICES)
    channels = _chosen(params.channels, count, limit, "channels")
    if whole and params.inputs is not None:
        seen = "colors" if depth == 3 else "one channel each"
        raise InputError("inputs", f"These filters see {seen}, and are shown whole: leave this out.")
    weights = shown.weights[channels]
    heading = f"{shown.title}: {len(channels)} of {count} filters of {height} × {width}"
    if len(channels) == count:
        heading = f"{shown.title}: {count} filters of {height} × {width}"
    if depth == 3:
        image = _colored(weights, channels, params.scale, heading)
    elif depth == 1:
        image = _grid(weights[:, 0], [str(channel) for channel in channels], params.scale, heading)
    else:
        # A slice sees one channel of the layer before: rows are filters, columns are slices.
        slices = _chosen(params.inputs, depth, len(channels) if len(channels) > 1 else params.limit, "inputs")
        weights = weights[:, slices]
        image = _slices(weights, channels, slices, params.scale, heading)
    report = {
        "network": shown.network,
        "layer": shown.layer,
        "part": shown.part or None,
        "shape": [count, depth, height, width],
        "depthwise": shown.depthwise,
        "channels": channels,
        "largest": float(shown.weights.abs().amax()),
        "rms": float(shown.weights.square().mean().sqrt()),
    }
    return image, report, weights.contiguous()


def _chosen(given: list[int] | None, there: int, limit: int, field: str) -> list[int]:
    for each in given or ():
        if each >= there:
            raise InputError(field, f"There is no {each}: they are 0 to {there - 1}.")
    return list(dict.fromkeys(given)) if given else list(range(min(limit, there)))


def _largest(weights: Tensor, scale: str) -> Tensor:
    """The value that the ends of the colors stand for, of each filter (N, ...)."""
    each = weights.abs().flatten(1).amax(1)
    return (each if scale == "each" else each.amax().expand_as(each)).view(-1, *[1] * (weights.dim() - 1))


def _colored(weights: Tensor, channels: list[int], scale: str, heading: str) -> Tensor:
    pictures = picture_of(weights, _largest(weights, scale))
    panels = [Panel(picture[None], str(channel)) for picture, channel in zip(pictures, channels, strict=True)]
    return sheet(panels, side=SIDE, heading=heading)


def _grid(weights: Tensor, titles: list[str], scale: str, heading: str) -> Tensor:
    """Filters of one slice each, (N, h, w), in the colors of a signed scale."""
    relative = weights / _largest(weights, scale).clamp_min(torch.finfo(torch.float32).tiny)
    signed = signed_scale_of(torch.ones(1), "of the largest" if scale == "common" else "")
    panels = [Panel(colorize(each, signed), title) for each, title in zip(relative, titles, strict=True)]
    return sheet(panels, side=SIDE, heading=heading)


def _slices(weights: Tensor, channels: list[int], slices: list[int], scale: str, heading: str) -> Tensor:
    """Filters (O, I, h, w) by slices: a row for each filter; of a single filter, a grid."""
    largest = _largest(weights.flatten(0, 1), scale).view(*weights.shape[:2], 1, 1)
    relative = weights / largest.clamp_min(torch.finfo(torch.float32).tiny)
    signed = signed_scale_of(torch.ones(1))
    if len(channels) == 1:
        panels = [
            Panel(colorize(each, signed), str(place)) for each, place in zip(relative[0], slices, strict=True)
        ]
        return sheet(panels, side=SIDE, heading=f"{heading}: filter {channels[0]} by input channel")
    height, width = weights.shape[2:]
    times = max(1, SLICE_SIDE // max(height, width))
    rows = []
    for row in relative:
        squares = [
            nn.functional.pad(
                enlarge_sharp(colorize(each, signed), height * times, width * times), (1, 1, 1, 1), value=1.0
            )
            for each in row
        ]
        rows.append(torch.cat(squares, 3))
    grid = torch.cat(rows, 2)
    side = max(grid.shape[2:])
    caption = f"rows: filters {_named(channels)}; columns: input channels {_named(slices)}"
    scaled = "of each slice's largest" if scale == "each" else "of the largest"
    legend = signed_scale_of(torch.ones(1), scaled)
    return sheet([Panel(grid, caption=caption, scale=legend)], side=side, heading=heading)


def _named(numbers: list[int]) -> str:
    if numbers == list(range(numbers[0], numbers[0] + len(numbers))) and len(numbers) > 2:
        return f"{numbers[0]} to {numbers[-1]}"
    return ", ".join(map(str, numbers))
