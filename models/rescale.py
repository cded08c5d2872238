"""Rescaling a network so that the mean activation of each channel is 1.

Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks" (CVPR 2016),
section 2: "We normalized the network by scaling the weights such that the mean activation of each
convolutional filter over images and positions is equal to one. Such re-scaling can be done for the
VGG network without changing its output, because it contains only rectifying linear activation
functions and no normalization or pooling over feature maps."
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.geometry import Block, GlobalAverage
from models.network import Network
from models.relu import ReLU

# A channel with a mean this far below what is typical of its layer is dead, or active at a few positions of a
# few pictures. Dividing by its mean would make it the strongest of the layer at those positions.
QUIET = 0.1

ROWS = 256  # of a fully connected layer, rescaled at a time


def can_be_rescaled(network: Network) -> bool:
    """Whether channels can be multiplied by factors that the next layer undoes exactly."""
    return all(_passes_factors(module) for module in network.stack.values())


def _passes_factors(module: nn.Module) -> bool:
    match module:
        case Block():
            return bool(module.exits)
        case ReLU():
            return module.ceiling is None
        case nn.Conv2d():
            return module.groups == 1
        case _:
            known = nn.Linear | nn.MaxPool2d | nn.AvgPool2d | nn.LPPool2d | nn.Dropout | GlobalAverage
            return isinstance(module, known)


def mean_activations(network: Network, pictures: Tensor) -> dict[str, Tensor]:
    """The mean activation of each convolution (after its ReLU) or block, over pictures and positions.

    ``pictures`` is (N, 3, H, W) in [0, 1]; the result is float64 (channels,) by name of the convolution
    or block. A convolution whose output is the logits is left out, since these must not change.
    """
    behind = _activations(network)
    totals = dict.fromkeys(behind, torch.zeros((), dtype=torch.float64))
    with torch.no_grad():
        for picture in pictures:
            found = network.features(picture[None], behind.values())
            for conv, relu in behind.items():
                totals[conv] = totals[conv] + found[relu].double().mean(dim=(0, 2, 3))
    return {conv: total / len(pictures) for conv, total in totals.items()}


def _activations(network: Network) -> dict[str, str]:
    """The convolutions and blocks whose scale may change, each with the layer that has their activations."""
    behind: dict[str, str] = {}
    before = ""
    for layer in network.layers:
        if layer.kind == "conv" or isinstance(network.stack[layer.name], Block):
            behind[layer.name] = layer.name
        elif layer.kind == "relu" and before in behind:
            behind[before] = layer.name
        before = layer.name
    if isinstance(network.stack[network.layers[-1].name], GlobalAverage):
        behind.popitem()
    return behind


def gatys_factors(means: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One over each channel's mean activation, float64 (channels,) by name of the convolution.

    The typical mean of a layer is the median over its channels that are not dead. Channels whose mean is
    below ``QUIET`` times that get one over the typical mean. Raises ValueError for a layer with dead channels
    only.
    """
    factors = {}
    for name, mean in means.items():
        live = mean[mean > 0]
        if not len(live):
            raise ValueError(f"no channel of layer {name!r} ever fires: it cannot be rescaled")
        typical = live.median()
        factors[name] = torch.where(mean < QUIET * typical, typical, mean).reciprocal()
    return factors


def rescale(network: Network, factors: Mapping[str, Tensor]) -> Network:
    """The network with the activations of each convolution, or block, multiplied by its factors.

    ``factors`` are positive, (channels,) by name of the convolution or block; one that has none keeps its
    scale. The weights that read these activations are divided by them, so that the outputs of fully connected
    layers, and the logits, do not change. The arithmetic is element by element in float64, so the weights are
    the same on every machine.

    Raises ValueError for a network that does not only have ReLUs between its convolutions, which pass on a
    factor: a ceiling does not, and an addition takes those of both its terms.
    """
    if not can_be_rescaled(network):
        raise ValueError(f"network {network.name!r} cannot be rescaled without a change of its output")
    weights = {name: weight.clone() for name, weight in network.stack.state_dict().items()}

    def scale(name: str, factor: Tensor, before: Tensor) -> None:
        """Scale a convolution's output by its factors, given that its input was scaled by ``before``."""
        weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
        scaled = weight.double() * factor.view(-1, 1, 1, 1) / before.view(1, -1, 1, 1)
        weights[f"{name}.weight"] = scaled.to(network.dtype)
        weights[f"{name}.bias"] = (bias.double() * factor).to(network.dtype)

    one = torch.ones(1, dtype=torch.float64)
    before = one
    for name, module in network.stack.items():
        if isinstance(module, nn.Conv2d):
            factor = factors.get(name, one).double()
            scale(name, factor, before)
            before = factor
        elif isinstance(module, Block):
            for entry in module.entries:
                scale(f"{name}.{entry}", one, before)
            factor = factors.get(name, one).double().expand(module.channels)
            sizes = [len(weights[f"{name}.{exit}.bias"]) for exit in module.exits]
            for exit, part in zip(module.exits, torch.split(factor, sizes), strict=True):
                scale(f"{name}.{exit}", part, one)
            before = factor
        elif isinstance(module, nn.Linear):
            # Maps are flattened channel by channel, so each channel has consecutive columns. VGG's first such
            # layer is 400 MB, and twice that in float64: a few rows at a time.
            for rows in torch.split(weights[f"{name}.weight"], ROWS):
                runs = rows.double().view(len(rows), len(before), -1) / before.view(1, -1, 1)
                rows.copy_(runs.flatten(1))
            break
    return network.with_weights(weights)
