"""Batch norm for training a plain stack of convolutions, and folding it away afterwards.

Ioffe and Szegedy, "Batch normalization: accelerating deep network training by reducing internal covariate
shift" (ICML 2015), section 3.1: at inference the normalisation is an affine map, so it can be made part of
the convolution before it.
"""

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn


def with_batch_norm(stack: Mapping[str, nn.Module]) -> nn.Sequential:
    """The modules of a stack in sequence, ``bn1_1`` behind ``conv1_1`` and so on.

    The convolutions are new and have no biases, since the norm has one; other modules are the same objects.
    Parameters are on the meta device, like those of a stack: fill them with :func:`initialise`.
    """
    model = nn.Sequential()
    with torch.device("meta"):
        for name, module in stack.items():
            if isinstance(module, nn.Conv2d):
                bare = copy.deepcopy(module)
                bare.register_parameter("bias", None)
                model.add_module(name, bare)
                model.add_module(norm_name(name), nn.BatchNorm2d(module.out_channels))
            else:
                model.add_module(name, module)
    return model


def norm_name(conv: str) -> str:
    """Name of the norm behind a convolution."""
    return f"bn{conv.removeprefix('conv')}"


def initialise(model: nn.Module, seed: int) -> nn.Module:
    """The model on the CPU, with weights drawn from a seed.

    Convolutions are He-normal by fan-out (He et al. 2015, section 2.2), norms are the identity, and the last
    layer has small weights, so that all classes begin about equally likely.
    """
    model = model.to_empty(device="cpu")
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01, generator=generator)
            nn.init.zeros_(module.bias)
    return model


def fold_batch_norm(weights: Mapping[str, Tensor], epsilon: float = 1e-5) -> dict[str, Tensor]:
    """Weights of the plain stack that give what a model ``with_batch_norm`` gives in eval mode.

    ``weights`` are the model's by name; ``epsilon`` is that of its norms. The arithmetic is float64.
    """
    plain: dict[str, Tensor] = {}
    for name, weight in weights.items():
        layer, kind = name.rsplit(".", 1)
        norm = norm_name(layer)
        if layer.startswith("bn"):
            continue
        if f"{norm}.running_var" not in weights:
            plain[name] = weight.clone()
        elif kind == "weight":
            plain[name], plain[f"{layer}.bias"] = fold(weights, layer, norm, epsilon)
    return plain


def fold(weights: Mapping[str, Tensor], conv: str, norm: str, epsilon: float) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution that does what the named one without bias and its norm do.

    The arithmetic is float64, element by element, so the result is the same on every machine.
    """
    weight = weights[f"{conv}.weight"]
    scale, bias, mean, variance = (
        weights[f"{norm}.{part}"].double() for part in ("weight", "bias", "running_mean", "running_var")
    )
    gain = scale / (variance + epsilon).sqrt()
    widened = weight.double() * gain.view(-1, 1, 1, 1)
    return widened.to(weight.dtype), (bias - mean * gain).to(weight.dtype)
