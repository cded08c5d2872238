"""Checks of params against the card of a network, and layers chosen where a job names none."""

from collections.abc import Iterable, Mapping, Sequence

from app.errors import InputError
from app.networks import LayerCard, NetworkCard
from app.networks.catalogue import Catalogue

# How far through the ReLUs of a network its layers respond to parts of things, rather than to strokes or to
# whole things. Chosen by eye on palette, where it is relu4_3; inception_4c of GoogLeNet, which the first
# dreams are from, lies as far.
MIDDLE = 0.65

# Kinds of layers that end in what a network passes on: activations, and blocks of several convolutions.
ACTIVATIONS = ("relu", "activation", "fire", "residual", "inception")

# Stride of the deepest layer that textures and styles are taken from: relu4_1 of a VGG, as in style transfer.
# One stage deeper adds little to a texture, and its positions see 156 px.
DEEPEST_STRIDE = 8


def require_card(catalogue: Catalogue, name: str, field: str = "network") -> NetworkCard:
    """The card of a network; InputError that lists the networks there are."""
    card = catalogue.find(name)
    if card is None:
        known = ", ".join(catalogue.names())
        raise InputError(field, f"There is no network {name!r}. Networks: {known}.")
    return card


def require_layers(card: NetworkCard, names: Iterable[str], field: str) -> None:
    """Check that a network has all the layers named; InputError that lists what it has."""
    known = card.layer_names
    for name in names:
        if name not in known:
            raise InputError(field, f"{card.name} has no layer {name!r}. Layers: {', '.join(known)}.")


def require_spatial_layers(card: NetworkCard, weights: Mapping[str, float], field: str) -> None:
    """Check that the layers are there and have positions; InputError."""
    require_layers(card, weights, field)
    for name in weights:
        if not is_spatial(card.layer(name)):
            raise InputError(
                field, f"{name} sees the whole picture at once: use a convolution, relu or pool."
            )


def require_positive_weight(weights: Mapping[str, float], field: str) -> None:
    """Check that not all weights are 0; InputError."""
    if not any(weights.values()):
        raise InputError(field, "All weights are 0: give one layer a positive weight.")


def require_channel(card: NetworkCard, layer: str, channel: int, field: str) -> None:
    """Check that a layer has a channel; InputError that says which it has."""
    count = card.layer(layer).channels
    if channel >= count:
        raise InputError(field, f"{layer} has no channel {channel}: its channels are 0 to {count - 1}.")


def is_spatial(layer: LayerCard) -> bool:
    """Whether a layer has positions that each see a part of the picture."""
    return layer.receptive_field > 0


def spatial_layers(card: NetworkCard) -> list[LayerCard]:
    """The layers of a network that have positions; InputError on ``network`` if none has."""
    found = [layer for layer in card.layers if is_spatial(layer)]
    if not found:
        raise InputError(
            "network",
            f"{card.name} has no layers with positions: all of them see the whole picture at once. Choose a "
            "network with convolutions.",
        )
    return found


def middle_layer(card: NetworkCard) -> str:
    """The activation or block (or else the layer) MIDDLE of the way through the spatial part of a network.

    InputError on ``network`` if it has no such part.
    """
    return _middle(spatial_layers(card))


def middle_layer_of_any(card: NetworkCard) -> str:
    """As :func:`middle_layer`, but of all layers in a network without positions."""
    return _middle([layer for layer in card.layers if is_spatial(layer)] or card.layers)


def _middle(layers: Sequence[LayerCard]) -> str:
    choice = [layer for layer in layers if layer.kind in ACTIVATIONS] or layers
    return choice[int(MIDDLE * len(choice))].name


def first_of_stages(card: NetworkCard, deepest: int = DEEPEST_STRIDE) -> list[str]:
    """The first activation or block of each stage, up to a stride of ``deepest``, or else of the first stage.

    InputError on ``network`` if it has no layers with positions.
    """
    spatial = spatial_layers(card)
    first: dict[int, str] = {}
    for layer in [each for each in spatial if each.kind in ACTIVATIONS] or spatial:
        if layer.stride <= deepest or not first:
            first.setdefault(layer.stride, layer.name)
    return list(first.values())
