"""Converts torchvision's weight files to ours: checked, rescaled to mean activations of 1, and split.

Only files that torchvision published are unpickled, and only once the SHA-256 of the bytes to be read begins
as published; everything else must be safetensors.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from models.batch_norm import fold
from models.imagenet import (
    PUBLISHED,
    class_names,
    classifier_path,
    make_network,
    weights_path,
    without_classifier,
)
from models.network import Network, hash_weights
from models.network_files import SUFFIX, save_weights
from models.reference_pictures import reference_pictures
from models.rescale import can_be_rescaled, gatys_factors, mean_activations, rescale

# As for vgg19-random.
PICTURES = 16
SIDE = 192

# Of a batch norm: its parameters, and the count of batches, which only training needs.
NORM = ("weight", "bias", "running_mean", "running_var")
COUNTED = ".num_batches_tracked"


class UnusableWeights(ValueError):
    """A file that is not the weights of the network; the message says what is wrong and what is needed."""


def read_state_dict(path: Path, sha256_prefix: str) -> tuple[dict[str, Tensor], str]:
    """The parameters in a file by torchvision's names, and the file's SHA-256.

    A file that is not safetensors (``.safetensors``) must have the published ``sha256_prefix``. Raises
    UnusableWeights, OSError.
    """
    with path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if path.suffix == SUFFIX:
            try:
                return load_file(path), sha256
            except SafetensorError as error:
                raise UnusableWeights(f"{path.name} cannot be read as safetensors: {error}.") from error
        if not sha256.startswith(sha256_prefix):
            raise UnusableWeights(
                f"The SHA-256 of {path.name} begins with {sha256[: len(sha256_prefix)]}, that of the "
                f"published file with {sha256_prefix}. No other pickled file is read, since reading one can "
                f"run what is in it: save its parameters as {SUFFIX} where you trust it."
            )
        file.seek(0)
        state: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return state, sha256


def convert(
    name: str, state: Mapping[str, Tensor], folder: Path, *, source: str, file_sha256: str
) -> dict[str, Any]:
    """Write parameters, by torchvision's names, into a folder as the weights of a network of ``PUBLISHED``.

    The layers end before the first one whose parameters are missing. ``source`` says where the parameters
    come from, and their licence; ``file_sha256`` is the hash of their file. Returns the metadata that is
    written.

    Batch norms are folded into the convolutions. Where that changes no output, the network is rescaled; the
    factors are measured in float64 and rounded to 8 bits, so that the
    same file gives the same weights, and hash, on every machine. Raises UnusableWeights.
    """
    stack, weights = _match(name, _folded(name, state))
    network = make_network(name, stack, source, []).with_weights(weights)
    if can_be_rescaled(network):
        weights = rescale(network, _factors(network)).stack.state_dict()
    first = without_classifier(stack)
    of_first = {key: weight for key, weight in weights.items() if key.partition(".")[0] in first}
    rest = {key: weight for key, weight in weights.items() if key not in of_first}
    classes = class_names() if "logits" in stack else []
    about: dict[str, Any] = {
        "network": name,
        "layers": list(stack),
        "classes": [] if rest else classes,
        "sha256": hash_weights(of_first),
        "classifier": hash_weights(rest) if rest else None,
        "file_sha256": file_sha256,
        "source": source,
    }
    # The file of the convolutions names its classifier, so it is written last: until then the previous
    # network stays in place.
    if rest:
        path = classifier_path(folder, name, about["classifier"])
        save_weights(path, rest, {"network": name, "sha256": about["classifier"], "classes": classes})
    save_weights(weights_path(folder, name), of_first, about)
    for path in folder.glob(f"{name}-classifier-*{SUFFIX}"):
        if not rest or path != classifier_path(folder, name, about["classifier"]):
            path.unlink()
    return about


def _folded(name: str, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The parameters without unused ones, and without batch norms, which become part of the convolutions."""
    published = PUBLISHED[name]
    kept = {
        key: weight
        for key, weight in state.items()
        if not key.startswith(published.unused) and not (published.has_norms and key.endswith(COUNTED))
    }
    for conv, norm in published.norms().items():
        needed = [f"{conv}.weight", *(f"{norm}.{part}" for part in NORM)]
        there = [key for key in needed if key in kept]
        absent = [key for key in needed if key not in kept]
        if there and absent:
            raise UnusableWeights(f"The parameter {absent[0]} is missing, but {there[0]} is there.")
        if there:
            channels = kept[f"{conv}.weight"].shape[:1]
            parts = {key: _check(key, kept.pop(key), channels) for key in needed[1:]}
            parts[f"{conv}.weight"] = kept[f"{conv}.weight"].float()
            kept[f"{conv}.weight"], kept[f"{conv}.bias"] = fold(parts, conv, norm, published.epsilon)
    return kept


def _match(name: str, state: Mapping[str, Tensor]) -> tuple[dict[str, nn.Module], dict[str, Tensor]]:
    """The modules that have parameters, with those in between, and the parameters by our names."""
    names = PUBLISHED[name].names()
    modules = PUBLISHED[name].stack()
    wanted = nn.ModuleDict(modules).state_dict()
    strange = sorted(set(state) - set(names))
    if strange:
        raise UnusableWeights(
            f"There is a parameter {strange[0]!r}, which torchvision's {name} has not; its first are "
            f"{', '.join(list(names)[:3])}."
        )
    stack: dict[str, nn.Module] = {}
    weights: dict[str, Tensor] = {}
    missing = None
    for layer, module in modules.items():
        theirs = [name for name, ours in names.items() if ours.startswith(f"{layer}.")]
        there = [name for name in theirs if name in state]
        absent = [name for name in theirs if name not in state]
        missing = missing or next(iter(absent), None)
        if missing and there:
            raise UnusableWeights(f"The parameter {missing} is missing, but {there[0]} is there.")
        if not missing:
            stack[layer] = module
            weights |= {names[key]: _check(key, state[key], wanted[names[key]].shape) for key in there}
    if not weights:
        raise UnusableWeights(f"There are no parameters: the first of {name} is {next(iter(names))}.")
    return stack, weights


def _check(name: str, weight: Tensor, shape: torch.Size) -> Tensor:
    """A parameter as float32. Raises UnusableWeights if its shape or values do not fit."""
    if weight.shape != shape:
        raise UnusableWeights(f"{name} has the shape {tuple(weight.shape)}, where {tuple(shape)} is needed.")
    weight = weight.detach().float()
    if not weight.isfinite().all():
        raise UnusableWeights(f"{name} holds numbers that are not finite.")
    return weight


def _factors(network: Network) -> dict[str, Tensor]:
    """The factor of each channel of each convolution."""
    first = without_classifier(dict(network.stack.items()))
    seen = make_network(network.name, first, network.source, [])
    exact = seen.prepared(torch.device("cpu"), torch.float64)
    means = mean_activations(exact, reference_pictures(PICTURES, SIDE, seed=0))
    try:
        factors = gatys_factors(means)
    except ValueError as error:
        raise UnusableWeights(f"These are no trained weights: {error}.") from error
    return {name: factor.bfloat16().float() for name, factor in factors.items()}
