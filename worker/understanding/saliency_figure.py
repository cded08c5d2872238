"""The figure of saliency maps: each in colors, and over the picture."""

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from worker.understanding.explanations import Explanation
from worker.understanding.figures import (
    Bar,
    Panel,
    Scale,
    bar_chart,
    colorize,
    number,
    overlay,
    percent,
    scale_of,
    sheet,
    signed_scale_of,
)

# The names of the methods, and who proposed them.
NAMES = {
    "gradient": ("Gradient", "Simonyan et al. 2014"),
    "smooth_grad": ("SmoothGrad", "Smilkov et al. 2017"),
    "integrated_gradients": ("Integrated gradients", "Sundararajan et al. 2017"),
    "guided_backprop": ("Guided backpropagation", "Springenberg et al. 2015"),
    "deconvnet": ("Deconvnet", "Zeiler and Fergus 2014"),
    "grad_cam": ("Grad-CAM", "Selvaraju et al. 2017"),
    "smooth_grad_cam": ("Smooth Grad-CAM++", "Omeiza et al. 2019"),
    "score_cam": ("Score-CAM", "Wang et al. 2020"),
}

# Simonyan's and most figures since cut a hundredth of the values, which would leave all others dark.
CLIPPED = 0.99

# Methods side by side, beside the picture.
ACROSS = 4
_SIDE, _SMALLEST_SIDE, _LARGEST_SIDE = 256, 224, 448


def draw(
    view: Tensor,
    found: Mapping[str, Explanation],
    explained: Mapping[str, Any],
    network: str,
    activations: Tensor | None = None,
) -> dict[str, Tensor]:
    """The figure ``image``, and each map's own pictures, for a picture (1, 3, H, W).

    ``activations`` are those of the neuron's channel, (h, w), where a neuron with a position is explained.
    """
    scales = {name: _scale(name, each) for name, each in found.items()}
    images = {}
    for name, each in found.items():
        images[name] = colorize(each.map, scales[name])
        images[f"{name}_overlay"] = overlay(view, each.map, scales[name])
        if each.pattern is not None:
            images[f"{name}_pattern"] = _pattern(each.pattern)
    return {"image": _figure(view, found, scales, images, explained, network, activations), **images}


def _figure(
    view: Tensor,
    found: Mapping[str, Explanation],
    scales: Mapping[str, Scale],
    images: Mapping[str, Tensor],
    explained: Mapping[str, Any],
    network: str,
    activations: Tensor | None,
) -> Tensor:
    size = view.shape[2]
    side = size if _SMALLEST_SIDE <= size <= _LARGEST_SIDE else _SIDE
    names = list(found)
    # As even as it can be: five methods as three and two.
    across = math.ceil(len(names) / math.ceil(len(names) / ACROSS))
    left = [Panel(view, "As the network sees it"), _evidence(explained, side, activations)]
    panels: list[Panel] = []
    for first in range(0, len(names), across):
        some = names[first : first + across]
        rest = [_blank()] * (across - len(some))
        above, below = left if first == 0 else (_blank(), _blank())
        panels += [above, *(_map_panel(name, images, scales, found[name].numbers) for name in some), *rest]
        panels += [below, *(_picture_panel(name, images) for name in some), *rest]
    return sheet(panels, columns=1 + across, heading=f"{network}: {heading(explained)}", side=side)


def heading(explained: Mapping[str, Any]) -> str:
    """What is explained, in a line."""
    neuron = explained.get("neuron")
    if neuron is None:
        top = explained["top"][0]
        said = f"{explained['class']}, {percent(explained['probability'])}"
        return said if top["index"] == explained["index"] else f"{said} (most likely: {top['class']})"
    place = "" if neuron["position"] is None else " at row {}, column {}".format(*neuron["position"])
    activation = neuron["activation"]
    silent = ", silent here" if activation == 0 else f", activation {number(activation)}"
    return f"{neuron['layer']}, channel {neuron['channel']}{place}{silent}"


def _map_panel(
    name: str, images: Mapping[str, Tensor], scales: Mapping[str, Scale], numbers: Mapping[str, float]
) -> Panel:
    title, source = NAMES[name]
    caption = source if name.endswith("cam") else f"{source}; colors end at the 99th percentile"
    if "attributed" in numbers:
        total, wanted = number(numbers["attributed"]), number(numbers["score_difference"])
        caption += f". Sum {total}, score difference {wanted}"
    return Panel(images[name], title, caption, scales[name])


def _picture_panel(name: str, images: Mapping[str, Tensor]) -> Panel:
    """The map over the picture, or what says more: the colors of a gradient that looks like a picture."""
    pattern = images.get(f"{name}_pattern")
    return Panel(images[f"{name}_overlay"] if pattern is None else pattern)


def _evidence(explained: Mapping[str, Any], side: int, activations: Tensor | None) -> Panel:
    """The most likely classes and that which is explained, or the map of the neuron's channel."""
    if activations is not None:
        neuron, signed = explained["neuron"], bool(activations.min() < 0)
        scale = signed_scale_of(activations, "activation") if signed else scale_of(activations, "activation")
        title = f"Channel {neuron['channel']} of {neuron['layer']}"
        return Panel(colorize(activations, scale), title, "", scale)
    if "top" not in explained:
        return _blank()
    rows = list(explained["top"])
    if explained["index"] not in [row["index"] for row in rows]:
        rows = [*rows[:-1], explained]
    bars = [Bar(row["class"], row["probability"], percent(row["probability"])) for row in rows]
    return Panel(bar_chart(bars, width=side, size=max(12, round(side / 18))))


def _blank() -> Panel:
    return Panel(torch.ones(1, 3, 16, 16))


def _scale(name: str, found: Explanation) -> Scale:
    if found.signed:
        return signed_scale_of(_seen(found.map), found.label, CLIPPED)
    if name.endswith("cam"):
        return scale_of(found.map, found.label)
    return scale_of(_seen(found.map), found.label, CLIPPED)


def _seen(values: Tensor) -> Tensor:
    """The values without those that are 0: most of them, for a neuron that sees a part of the picture."""
    some = values[values != 0]
    return some if some.numel() else values


def _pattern(gradient: Tensor) -> Tensor:
    """A gradient (1, 3, H, W) as a picture about mid-grey, as Zeiler and Fergus show it."""
    return (0.5 + gradient / (2 * signed_scale_of(_seen(gradient), quantile=CLIPPED).high)).clamp(0, 1)
