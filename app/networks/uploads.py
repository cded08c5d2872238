"""Checks a file of weights with a card before it is kept. Nothing in it is unpickled or executed."""

import math
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, TypeAdapter, ValidationError

from app.networks.card import (
    LARGEST_SHOWN,
    LEAST_TEMPERATURE,
    MOST_TEMPERATURE,
    SMALLEST_SHOWN,
    LayerCard,
    NetworkCard,
)
from app.networks.errors import UnusableFile
from app.networks.weights_file import KEY, Header, MalformedFile, Tensor, hash_tensors, read_header


def read_card(file: BinaryIO, size: int) -> tuple[Header, NetworkCard]:
    """The header of a file of ``size`` bytes, and the card in its metadata, which its shapes fit.

    Its architecture is known, and so are the names of its params; what their values build is checked by the
    worker that builds it. Raises UnusableFile.
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
    _check_architecture(card)
    _check_input_size(card)
    _check_temperature(card)
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


class Builder(BaseModel):
    """Names of the params of an architecture."""

    required: list[str]
    optional: list[str]


@lru_cache
def _builders() -> dict[str, Builder]:
    """The architectures, as ``python -m models.cards`` writes them down."""
    text = Path(__file__).with_name("builders.json").read_bytes()
    return TypeAdapter(dict[str, Builder]).validate_json(text)


def _check_architecture(card: NetworkCard) -> None:
    """Check that there is the architecture, and the names of its params. Raises UnusableFile."""
    builder = _builders().get(card.architecture)
    if builder is None:
        others = ", ".join(sorted(_builders()))
        raise UnusableFile(
            f"There is no architecture {card.architecture[:80]!r} here. Architectures: {others}."
        )
    known = [*builder.required, *builder.optional]
    for name in card.architecture_params:
        if name not in known:
            raise UnusableFile(
                f"Architecture {card.architecture!r} has no param {name[:80]!r}. "
                f"Its params: {', '.join(known)}."
            )
    for name in builder.required:
        if name not in card.architecture_params:
            raise UnusableFile(f"Architecture {card.architecture!r} needs the param {name!r}.")


def _check_input_size(card: NetworkCard) -> None:
    """Check that jobs can show the network the squares that it classifies. Raises UnusableFile."""
    side = card.input_size
    if side is not None and not SMALLEST_SHOWN <= side <= LARGEST_SHOWN:
        raise UnusableFile(
            f"Its card says that it classifies squares of {side:,} px; {SMALLEST_SHOWN} to "
            f"{LARGEST_SHOWN:,} px are taken."
        )


def _check_temperature(card: NetworkCard) -> None:
    """Check that jobs can divide scores by the temperature. Raises UnusableFile."""
    own = card.temperature
    if own is not None and not LEAST_TEMPERATURE <= own <= MOST_TEMPERATURE:
        raise UnusableFile(
            f"Its card has the temperature {own:g}; {LEAST_TEMPERATURE} to {MOST_TEMPERATURE} are taken."
        )


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
