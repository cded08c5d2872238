"""Activations: the maps of a layer for one picture, and what can be counted of them.

Yosinski, Clune, Nguyen, Fuchs, Lipson, "Understanding neural networks through deep visualization", ICML
workshop 2015, section 2 and figure 2.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor

from app.kinds.activations import ResolvedActivations
from models.network import Network
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import File, Outcome, Step, Steps, StepState
from worker.optim.objectives import precise
from worker.understanding.figures import (
    Bar,
    Panel,
    Scale,
    bar_chart,
    below,
    beside,
    colorize,
    enlarge,
    number,
    overlay,
    percent,
    scale_of,
    sheet,
    signed_scale_of,
)
from worker.understanding.finite import require_finite
from worker.understanding.views import as_input, require_side

# Channels beside the picture, and rows of the table of a layer.
STRONGEST = 5
ROWS = 16
# Pixels of a map of a grid, of 64 and of 256, and of a panel beside it.
MAP_SIDES = ((64, 104), (256, 60))
SIDE = 216


@dataclass(frozen=True)
class ChannelStatistics:
    """One channel over the positions of a layer.

    ``sparsity`` is Hoyer's ("Non-negative matrix factorization with sparseness constraints", JMLR 2004,
    section 3.1): 0 where all positions are equally far from zero, 1 where one alone is not zero; None where
    none is, or there is only one. ``zero_share`` are the positions that are exactly zero; ``dead``: above
    zero nowhere.
    """

    channel: int
    mean: float
    max: float
    sparsity: float | None
    zero_share: float
    dead: bool


def activations(
    params: ResolvedActivations,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """The maps of each of ``params.layers`` for the picture ``image``, as the network is shown it.

    ``image`` has a figure for each layer, one below the other; the file ``maps`` the maps that are shown by
    layer, and the numbers of their channels. Raises InputError if the size is too small for a layer or
    too large for the memory; ComputationError if activations are not finite.
    """
    del resume
    require_side(network, params.layers, params.size, compute, gradient=False)
    picture = as_input(inputs.picture("image"), params.size).to(compute.device)
    with torch.no_grad():
        found = network.features(picture, params.layers)
    maps = {layer: precise(each)[0].cpu() for layer, each in found.items()}
    for each in maps.values():
        require_finite(network, each)
    shown_picture = picture.cpu()
    figures, reports, files, table = [], [], {}, []
    for layer, values in maps.items():
        statistics = channel_statistics(values)
        channels = shown_channels(params, values)
        figures.append(_figure(params, network, layer, shown_picture, values, channels))
        reports.append(_report(layer, values, statistics))
        table += [{"layer": layer, **asdict(statistics[channel])} for channel in channels[:ROWS]]
        files[layer] = values[channels].contiguous()
        files[f"{layer}.channels"] = torch.tensor(channels)
    yield Step(1, 1, losses=dict, image=lambda: figures[0], state=lambda: StepState({}, {}))
    return Outcome(
        {"image": below(figures)},
        {"network": network.name, "size": params.size, "layers": reports, "table": table},
        files={"maps": File(save(files), "application/octet-stream", ".safetensors")},
    )


def channel_statistics(values: Tensor) -> list[ChannelStatistics]:
    """The statistics of each channel of maps (C, h, w), or of units (C,)."""
    flat = values.flatten(1) if values.dim() > 1 else values[:, None]
    positions = flat.shape[1]
    energy, total = flat.square().sum(1).sqrt(), flat.abs().sum(1)
    root = math.sqrt(positions)
    sparsity = (root - total / energy.clamp_min(torch.finfo(flat.dtype).tiny)) / max(root - 1, 1.0)
    defined = (energy > 0) & (positions > 1)
    columns = (flat.mean(1), flat.amax(1), sparsity, defined, (flat == 0).float().mean(1))
    return [
        ChannelStatistics(place, mean, top, min(1.0, max(0.0, sparse)) if known else None, zero, top <= 0)
        for place, (mean, top, sparse, known, zero) in enumerate(
            zip(*(column.tolist() for column in columns), strict=True)
        )
    ]


def strength(values: Tensor) -> Tensor:
    """The mean over positions of what is above zero, (C,), of maps (C, h, w) or units (C,)."""
    return values.clamp_min(0).flatten(1).mean(1) if values.dim() > 1 else values.clamp_min(0)


def shown_channels(params: ResolvedActivations, values: Tensor) -> list[int]:
    """The channels of a layer to show, in order."""
    chosen = params.channels or list(range(len(values)))
    if params.order == "strongest":
        order = strength(values[chosen]).argsort(descending=True, stable=True).tolist()
        chosen = [chosen[place] for place in order]
    return chosen if params.channels else chosen[: params.limit]


def _report(layer: str, values: Tensor, statistics: Sequence[ChannelStatistics]) -> dict[str, Any]:
    dead = [each.channel for each in statistics if each.dead]
    sparse = [each.sparsity for each in statistics if each.sparsity is not None]
    strongest = strength(values).argsort(descending=True, stable=True)[:STRONGEST].tolist()
    return {
        "layer": layer,
        "shape": list(values.shape),
        "mean": float(values.mean()),
        "max": float(values.amax()),
        "sparsity": sum(sparse) / len(sparse) if sparse else None,
        "zero_share": float((values == 0).float().mean()),
        "dead_count": len(dead),
        "dead": dead,
        "strongest": [asdict(statistics[channel]) for channel in strongest],
    }


def _figure(
    params: ResolvedActivations,
    network: Network,
    layer: str,
    picture: Tensor,
    values: Tensor,
    channels: list[int],
) -> Tensor:
    if values.dim() == 1:
        return _units_figure(network, layer, picture, values)
    make = signed_scale_of if bool((values < 0).any()) else scale_of
    # One neuron far above the others would leave the rest dark.
    common = make(values[channels], "activation", 0.999)
    count, height, width = values.shape
    dead = int((values.amax((1, 2)) <= 0).sum())
    heading = f"{network.name}, {layer}: {_shown(len(channels), count)} of {height} × {width}"
    heading += f", {dead} dead on this picture" if dead else ""
    strongest = strength(values).argsort(descending=True, stable=True)[:STRONGEST].tolist()
    panels = [Panel(picture, "What it is shown", f"{picture.shape[3]} × {picture.shape[2]} px")]
    for channel in strongest:
        scale = scale_of(values[channel], "activation")
        big = enlarge(values[channel][None, None], *picture.shape[2:])[0, 0]
        mean, zero = float(values[channel].mean()), float((values[channel] == 0).float().mean())
        caption = f"mean {number(mean)}" + (f", zero at {percent(zero)}" if zero else "")
        panels.append(Panel(overlay(picture, big, scale), f"Strong: channel {channel}", caption, scale))
    maps = [
        Panel(
            colorize(values[channel], common if params.scale == "common" else make(values[channel])),
            f"{channel} dead" if bool(values[channel].amax() <= 0) else str(channel),
        )
        for channel in channels
    ]
    side = next((size for most, size in MAP_SIDES if len(maps) <= most), MAP_SIDES[-1][1])
    grid = sheet(maps, side=side, heading=heading)
    left = sheet(panels, columns=2, side=SIDE, heading=" ")
    if params.scale == "common":
        grid = below([grid, _legend(common)])
    return beside([left, grid], gap=0)


def _legend(scale: Scale) -> Tensor:
    return sheet([Panel(torch.ones(1, 3, 1, SIDE), scale=scale)], side=SIDE)


def _shown(count: int, there: int) -> str:
    return f"{there} channels" if count == there else f"{count} of {there} channels"


def _units_figure(network: Network, layer: str, picture: Tensor, values: Tensor) -> Tensor:
    """A layer without positions: its units as squares, row by row, and the strongest as bars."""
    across = math.ceil(math.sqrt(len(values)))
    rows = math.ceil(len(values) / across)
    make = signed_scale_of if bool((values < 0).any()) else scale_of
    scale = make(values, "activation")
    squares = torch.zeros(rows * across)
    squares[: len(values)] = values
    units = Panel(
        colorize(squares.view(rows, across), scale), f"{len(values)} units, row by row", scale=scale
    )
    named = network.classes if layer == "logits" else ()
    top = values.argsort(descending=True, stable=True)[: 2 * STRONGEST].tolist()
    highest = max(float(values.amax()), torch.finfo(torch.float32).tiny)
    bars = [
        Bar(
            named[unit] if named else f"unit {unit}",
            float(values[unit]) / highest,
            number(float(values[unit])),
        )
        for unit in top
    ]
    panels = sheet(
        [Panel(picture, "What it is shown"), units], side=2 * SIDE, heading=f"{network.name}, {layer}"
    )
    return beside([panels, bar_chart(bars)], gap=0)
