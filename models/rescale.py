"""Rescaling a network so that the mean activation of each channel is 1.

Gatys, Ecker and Bethge, "Image style transfer using convolutional neural networks" (CVPR 2016),
section 2: "We normalized the network by scaling the weights such that the mean activation of each
convolutional filter over images and positions is equal to one. Such re-scaling can be done for the
VGG network without changing its output, because it contains only rectifying linear activation
functions and no normalization or pooling over feature maps."
"""

from collections.abc import Mapping
from itertools import pairwise

import torch
from torch import Tensor, nn

from models.network import Network

# A channel this much quieter than is typical of its layer is dead, or fires at a few positions of a
# few pictures. Dividing by its mean would make it the loudest of the layer wherever it does fire.
QUIET = 0.1


def mean_activations(network: Network, pictures: Tensor) -> dict[str, Tensor]:
    """The mean over pictures and positions of what the ReLU behind each convolution gives.

    ``pictures`` is (N, 3, H, W) in [0, 1]; the result is float64 (channels,) by name of the
    convolution.
    """
    behind = {conv.name: relu.name for conv, relu in pairwise(network.layers) if conv.kind == "conv"}
    totals = dict.fromkeys(behind, torch.zeros((), dtype=torch.float64))
    with torch.no_grad():
        for picture in pictures:
            found = network.features(picture[None], behind.values())
            for conv, relu in behind.items():
                totals[conv] = totals[conv] + found[relu].double().mean(dim=(0, 2, 3))
    return {conv: total / len(pictures) for conv, total in totals.items()}


def gatys_factors(means: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """One over each channel's mean activation, float64 (channels,) by name of the convolution.

    Channels quieter than ``QUIET`` times their layer's typical mean, the median of the channels that
    fire at all, get one over that typical mean. Raises ValueError for a layer that is dead altogether.
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
    """The network with the activations of each convolution multiplied by its factors.

    ``factors`` are positive, (channels,) by name of the convolution. What follows a convolution is
    divided by them, so that fully connected layers, and the logits, give what they gave before. The
    arithmetic is element by element in float64, so the weights come out the same on every machine.
    """
    weights = {name: weight.clone() for name, weight in network.stack.state_dict().items()}
    before = torch.ones(3, dtype=torch.float64)
    for name, module in network.stack.items():
        weight, bias = f"{name}.weight", f"{name}.bias"
        if isinstance(module, nn.Conv2d):
            factor = factors[name].double()
            scaled = weights[weight].double() * factor.view(-1, 1, 1, 1) / before.view(1, -1, 1, 1)
            weights[weight] = scaled.to(network.dtype)
            weights[bias] = (weights[bias].double() * factor).to(network.dtype)
            before = factor
        elif isinstance(module, nn.Linear):
            # A map was flattened channel by channel, so each channel has a run of columns.
            columns = weights[weight].double().unflatten(1, (len(before), -1)) / before.view(1, -1, 1)
            weights[weight] = columns.flatten(1).to(network.dtype)
            break
    return network.with_weights(weights)
