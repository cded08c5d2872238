"""Topologies: builders of stacks of named modules, without weights of their own.

A card names its builder and the arguments, so that a network can be built from its card and its weights.
"""

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from models.architectures.alexnet import alexnet_stack
from models.architectures.efficientnet_lite import efficientnet_lite0_stack
from models.architectures.googlenet import googlenet_stack
from models.architectures.mobilenet import mobilenet_v2_stack
from models.architectures.palette import palette_stack
from models.architectures.resnet import resnet_stack
from models.architectures.squeezenet import squeezenet_stack
from models.architectures.vgg import vgg_stack

Stack = dict[str, nn.Module]

# Each takes JSON values as keyword arguments and returns the modules by layer name, from the picture to the
# output, with their parameters on the meta device.
BUILDERS: dict[str, Callable[..., Stack]] = {
    "vgg": vgg_stack,
    "squeezenet1_1": squeezenet_stack,
    "palette": palette_stack,
    "alexnet": alexnet_stack,
    "googlenet": googlenet_stack,
    "resnet": resnet_stack,
    "mobilenet_v2": mobilenet_v2_stack,
    "efficientnet_lite0": efficientnet_lite0_stack,
}


def build_stack(architecture: str, params: Mapping[str, Any]) -> Stack:
    """The modules of an architecture by layer name, with their parameters on the meta device.

    Raises ValueError for an unknown architecture, and for params that its builder rejects.
    """
    if architecture not in BUILDERS:
        raise ValueError(f"there is no architecture {architecture!r}; there are {', '.join(BUILDERS)}")
    try:
        return BUILDERS[architecture](**params)
    except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
        raise ValueError(f"architecture {architecture!r} does not take the params {dict(params)}") from error
