"""Topologies: builders of stacks of named modules, without weights of their own.

A card names its builder and the arguments, so that a network can be built from its card and its weights.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn

from models.architectures.alexnet import alexnet_stack
from models.architectures.alexnet_2012 import alexnet_2012_stack
from models.architectures.cifar_resnet import cifar_resnet_stack
from models.architectures.cnn import cnn_stack
from models.architectures.efficientnet_lite import efficientnet_lite0_stack
from models.architectures.ensemble import ensemble_stack
from models.architectures.googlenet import googlenet_heads, googlenet_stack
from models.architectures.lenet import lenet_1998_stack, lenet_stack
from models.architectures.linear import linear_stack
from models.architectures.mlp import mlp_stack
from models.architectures.mobilenet import mobilenet_v2_stack
from models.architectures.palette import palette_stack
from models.architectures.resnet import resnet_stack
from models.architectures.squeezenet import squeezenet_stack
from models.architectures.vgg import vgg_stack
from models.architectures.zfnet import zfnet_stack
from models.geometry import GlobalAverage
from models.network import describe_layers

Stack = dict[str, nn.Module]

# Each takes JSON values as keyword arguments and returns the modules by layer name, from the picture to the
# output, with their parameters on the meta device.
BUILDERS: dict[str, Callable[..., Stack]] = {
    "linear": linear_stack,
    "mlp": mlp_stack,
    "cnn": cnn_stack,
    "vgg": vgg_stack,
    "squeezenet1_1": squeezenet_stack,
    "palette": palette_stack,
    "lenet": lenet_stack,
    "lenet_1998": lenet_1998_stack,
    "alexnet": alexnet_stack,
    "alexnet_2012": alexnet_2012_stack,
    "zfnet": zfnet_stack,
    "googlenet": googlenet_stack,
    "resnet": resnet_stack,
    "cifar_resnet": cifar_resnet_stack,
    "mobilenet_v2": mobilenet_v2_stack,
    "efficientnet_lite0": efficientnet_lite0_stack,
}

# Auxiliary classifiers that a training has, and the network not.
HEADS: dict[str, Callable[..., dict[str, Stack]]] = {"googlenet": googlenet_heads}

# The param that every architecture takes beside its own, and the layer that it adds.
FEATURES = "features"
MEAN_LAYER = "features_mean"


def build_stack(architecture: str, params: Mapping[str, Any]) -> Stack:
    """The modules of an architecture by layer name, with their parameters on the meta device.

    Beside those of its builder, params may have ``features``, the name of a layer: the stack then ends there,
    and goes on with the mean over positions, if there are any, and a linear layer of ``classes``, ``logits``.
    So a classifier on any layer of any network is again a card and weights.

    Raises ValueError for an unknown architecture, and for params that its builder rejects.
    """
    stack: Stack = _build(_WITH_FEATURES, architecture, params)
    return stack


def build_heads(architecture: str, params: Mapping[str, Any]) -> dict[str, Stack]:
    """The auxiliary classifiers of an architecture, which serve its training, by the layer that each is on.

    Raises ValueError as :func:`build_stack` does.
    """
    if architecture not in HEADS or FEATURES in params:
        return {}
    heads: dict[str, Stack] = _build(HEADS, architecture, params)
    return heads


def classifier_on(stack: Stack, layer: str, classes: int) -> Stack:
    """The modules of a stack up to a layer, then its mean over positions, and ``logits``.

    Raises ValueError for an unknown layer, or one from the logits on.
    """
    names = list(stack)
    if layer not in names[: names.index("logits") if "logits" in names else None]:
        raise ValueError(f"there is no layer {layer!r} before the logits; there are {', '.join(names)}")
    kept = {name: stack[name] for name in names[: names.index(layer) + 1]}
    last = describe_layers(kept)[-1]
    if last.receptive_field:
        kept[MEAN_LAYER] = GlobalAverage()
    with torch.device("meta"):
        kept["logits"] = nn.Linear(last.channels, classes)
    return kept


def _build(builders: Mapping[str, Callable[..., Any]], architecture: str, params: Mapping[str, Any]) -> Any:
    if architecture not in builders:
        raise ValueError(f"there is no architecture {architecture!r}; there are {', '.join(builders)}")
    try:
        return builders[architecture](**params)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"architecture {architecture!r} does not take the params {dict(params)}") from error


def _with_features(builder: Callable[..., Stack], features: str | None = None, **params: Any) -> Stack:
    stack = builder(**params)
    return stack if features is None else classifier_on(stack, features, params["classes"])


BUILDERS["ensemble"] = partial(ensemble_stack, build_stack)
_WITH_FEATURES = {name: partial(_with_features, builder) for name, builder in BUILDERS.items()}
