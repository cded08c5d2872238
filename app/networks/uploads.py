"""Checks a file of weights with a card before it is kept. Nothing in it is unpickled or executed."""

import math
from typing import BinaryIO

from pydantic import ValidationError

from app.networks.card import LayerCard, NetworkCard
from app.networks.errors import UnusableFile
from app.networks.weights_file import KEY, Header, MalformedFile, Tensor, hash_tensors, read_header


def read_card(file: BinaryIO, size: int) -> tuple[Header, NetworkCard]:
    """The header of a file of ``size`` bytes, and the card in its metadata, which its shapes fit.

    What the architecture needs beyond that is checked by the worker that builds it. Raises UnusableFile.
    """
    try:
        header = read_header(file, size)
    except MalformedFile as error:
        raise UnusableFile(f"This cannot be read as safetensors. {error}") from None
    if KEY not in header.metadata:
        raise UnusableFile(f"Its metadata has no entry {KEY!r}, which is the card of the network.")
    try:
        card = NetworkCard.model_validate_json(header.metadata[KEY])
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors()[0]["loc"])[:200]
        raise UnusableFile(f"Its card is wrong at {where!r}: {error.errors()[0]['msg']}.") from None
    _check_shapes(card, header.tensors)
    return header, card


def check_weights(file: BinaryIO, header: Header, card: NetworkCard) -> None:
    """Check that the weights are those that the card was made for. Raises UnusableFile."""
    try:
        sha256 = hash_tensors(file, header)
    except MalformedFile as error:
        raise UnusableFile(f"Its weights cannot be used. {error}") from None
    if sha256 != card.sha256:
        raise UnusableFile(f"The hash of its weights is {sha256}, and its card says {card.sha256}.")


def _check_shapes(card: NetworkCard, tensors: dict[str, Tensor]) -> None:
    """Check what a card says of its layers against the shapes of the tensors."""
    names = card.layer_names
    if len(set(names)) != len(names):
        raise UnusableFile("Its card has two layers of one name.")
    if card.classes and (names[-1] != "logits" or card.layers[-1].channels != len(card.classes)):
        raise UnusableFile(
            f"Its card has {len(card.classes)} classes, and its last layer is no layer of them."
        )
    known = set(names)
    for name in tensors:
        if name.partition(".")[0] not in known:
            raise UnusableFile(f"Tensor {name!r} belongs to no layer of its card.")
    parameters = sum(math.prod(tensor.shape) for tensor in tensors.values())
    if parameters != card.parameters:
        raise UnusableFile(f"It has {parameters:,} parameters, and its card says {card.parameters:,}.")
    before = 3
    for layer in card.layers:
        _check_layer(layer, before, tensors)
        before = layer.channels


def _check_layer(layer: LayerCard, before: int, tensors: dict[str, Tensor]) -> None:
    weight, bias = tensors.get(f"{layer.name}.weight"), tensors.get(f"{layer.name}.bias")
    if weight is None:
        if layer.kind in ("conv", "fc"):
            raise UnusableFile(f"The tensor '{layer.name}.weight' is missing.")
        return
    # A filter of a convolution in groups sees its share of the channels.
    inputs = weight.shape[1] if layer.kind == "conv" and len(weight.shape) == 4 else before
    expected = (layer.channels, before) if layer.kind == "conv" else (layer.channels,)
    if weight.shape[:1] != expected[:1] or (layer.kind == "conv" and (not inputs or before % inputs)):
        raise UnusableFile(
            f"Tensor '{layer.name}.weight' has the shape {list(weight.shape)}; by its card it begins with "
            f"{list(expected)}."
        )
    if bias is not None and bias.shape != (layer.channels,):
        raise UnusableFile(
            f"Tensor '{layer.name}.bias' has the shape {list(bias.shape)}; by its card it has "
            f"{[layer.channels]}."
        )
