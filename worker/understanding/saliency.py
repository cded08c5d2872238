"""Saliency: maps of what in a picture a class, or a neuron, depends on, and a figure of them."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from app.kinds.classes import class_index
from app.kinds.saliency import Method, ResolvedSaliency
from models.network import Network
from models.relu import deconvnet, guided
from worker.contract.compute import Compute
from worker.contract.inputs import Inputs
from worker.contract.steps import Outcome, Step, Steps, StepState
from worker.losses.regularizers import blur
from worker.understanding import cams, explanations, gradient_maps
from worker.understanding.aims import Aim, strongest_neuron
from worker.understanding.explanations import Explanation
from worker.understanding.finite import require_finite
from worker.understanding.saliency_figure import draw
from worker.understanding.tables import npz_file
from worker.understanding.verdicts import ranking, verdict
from worker.understanding.views import as_input, require_side

# Sturmfels, Lundberg, Lee, "Visualizing the impact of feature attribution baselines", Distill 2020: a blur of
# about 20 px for pictures of 224 px leaves no detail.
BLUR = 20 / 224


def saliency(
    params: ResolvedSaliency,
    inputs: Inputs,
    network: Network,
    compute: Compute,
    resume: StepState | None = None,
) -> Steps:
    """Explain a class's score, or a neuron's activation, with each of ``params.methods``.

    Artifacts: ``image``, the figure; ``view``, the picture as the network saw it; of each method its map in
    colors and the map over the picture (``grad_cam``, ``grad_cam_overlay``), for guided backpropagation and
    deconvnet also the gradient's own colors (``deconvnet_pattern``); ``maps``, their numbers (NumPy's npz).
    A step is a few samples of one method; ``resume`` goes on behind the last one.

    Raises InputError if the size is too small for the network or too large for the memory, or if the neuron
    is not there; ComputationError if what is explained is not finite.
    """
    layers = [name for name in (params.layer or "logits", params.cam_layer) if name is not None]
    require_side(network, layers, params.size, compute, gradient=True)
    view = as_input(inputs.picture("image").to(compute.device), params.size)
    aim, explained = _aim(params, network, view)
    methods = {name: _method(name, params, aim, view) for name in params.methods}
    at_once = explanations.samples_at_once(params.size, compute.device)
    parts = [(name, part) for name, each in methods.items() for part in explanations.parts_of(each, at_once)]
    sums: dict[str, dict[str, Tensor]] = {name: {} for name in methods}
    done = 0 if resume is None else _restore(resume, sums, compute)
    for number, (name, part) in enumerate(parts[done:], start=done + 1):
        sums[name] = explanations.added(sums[name], methods[name].part(part))
        state = partial(_state, sums, number)
        yield Step(number, len(parts), losses=dict, image=None, state=state)
    found: dict[str, Explanation] = {name: each.finish(sums[name]) for name, each in methods.items()}
    shown = view.to("cpu", torch.float32)
    images = draw(shown, found, explained, network.name, _channel(aim, view))
    reports = [{"method": name, **each.numbers} for name, each in found.items()]
    result = {
        "network": network.name,
        "size": params.size,
        **explained,
        "cam_layer": params.cam_layer,
        "methods": reports,
    }
    maps = npz_file({name: each.map.numpy() for name, each in found.items()})
    return Outcome({**images, "view": shown}, result, files={"maps": maps})


def _aim(params: ResolvedSaliency, network: Network, view: Tensor) -> tuple[Aim, dict[str, Any]]:
    """What is explained, and what is said of it in the result."""
    if params.layer is None:
        with torch.no_grad():
            logits = network.logits(view)[0].float().cpu()
        require_finite(network, logits)
        judged = verdict(logits.softmax(0), network.classes)
        index = judged["index"] if params.target is None else class_index(network.classes, params.target)
        own = ranking([index], logits.softmax(0), network.classes)[0]
        return Aim(network, "logits", index), {**own, "logit": float(logits[index]), "top": judged["top"]}
    position = None if params.position is None else (params.position[0], params.position[1])
    aim = strongest_neuron(network, view, params.layer, params.channel, position)
    with torch.no_grad():
        activation = float(aim.values(view))
    neuron = {
        "layer": aim.layer,
        "channel": aim.channel,
        "position": None if aim.position is None else list(aim.position),
        "activation": activation,
    }
    return aim, {"neuron": neuron}


def _channel(aim: Aim, view: Tensor) -> Tensor | None:
    """The map (h, w) of the channel of a neuron with a position, on the CPU."""
    if aim.position is None:
        return None
    with torch.no_grad():
        return aim.network.features(view, (aim.layer,))[aim.layer][0, aim.channel].float().cpu()


def _method(name: Method, params: ResolvedSaliency, aim: Aim, view: Tensor) -> explanations.Method:
    layer = params.cam_layer or ""
    match name:
        case "gradient":
            return gradient_maps.gradient(aim, view)
        case "smooth_grad":
            return gradient_maps.smooth_grad(aim, view, params.samples, params.noise, params.seed)
        case "integrated_gradients":
            start = _baseline(params, aim.network, view)
            return gradient_maps.integrated_gradients(aim, view, start, params.nodes)
        case "guided_backprop":
            return gradient_maps.gradient(aim, view, guided)
        case "deconvnet":
            return gradient_maps.gradient(aim, view, deconvnet)
        case "grad_cam":
            return cams.grad_cam(aim, view, layer)
        case "smooth_grad_cam":
            return cams.smooth_grad_cam(aim, view, layer, params.samples, params.noise, params.seed)
        case "score_cam":
            return cams.score_cam(aim, view, layer)


def _baseline(params: ResolvedSaliency, network: Network, view: Tensor) -> Tensor:
    """The picture (1, 3, H, W) where integrated gradients start."""
    match params.baseline:
        case "black":
            return torch.zeros_like(view)
        case "white":
            return torch.ones_like(view)
        case "mean":
            return network.mean.to(view).expand_as(view)
        case "blurred":
            return blur(view, BLUR * params.size)


def _state(sums: Mapping[str, Mapping[str, Tensor]], done: int) -> StepState:
    tensors = {
        f"{method}.{name}": each.detach().to("cpu", copy=True).contiguous()
        for method, found in sums.items()
        for name, each in found.items()
    }
    return StepState(tensors, {"done": done})


def _restore(resume: StepState, sums: dict[str, dict[str, Tensor]], compute: Compute) -> int:
    """Fill in the sums of a state; the number of its parts that are done."""
    for key, each in resume.tensors.items():
        method, name = key.split(".")
        sums[method][name] = each.to(compute.device)
    return int(resume.values["done"])
