"""Params of filters: the weights of a convolution as pictures."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.feature_visualization import Channels
from app.kinds.fields import LayerName, NetworkName
from app.kinds.layers import require_card, require_channel, require_layers
from app.kinds.results.looks import FiltersResult
from app.kinds.spec import KindSpec
from app.networks.card import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

# Kinds of layers that have convolutions.
CONVOLUTIONS = ("conv", "fire", "residual", "inception", "sparse_conv")


class FiltersParams(Params):
    """What the filters of a convolution look like (Krizhevsky, Sutskever, Hinton 2012, figure 3)."""

    network: NetworkName = DEFAULT_CLASSIFIER
    against: NetworkName | None = Field(
        None,
        title="Against",
        description="Another network to show beside it, such as one with random weights.",
        json_schema_extra={"widget": "network"},
    )
    layer: LayerName | None = Field(
        None, title="Layer", description="A layer with a convolution. Empty: the first, which sees colors."
    )
    part: str | None = Field(
        None,
        max_length=64,
        title="Part",
        description="Which convolution of a layer that has several, such as depthwise. Empty: the first with "
        "filters larger than 1×1.",
    )
    channels: Channels | None = Field(
        None, title="Channels", description="Filters to show. Empty: the first, as many as the limit."
    )
    inputs: Channels | None = Field(
        None,
        title="Inputs",
        description="Slices to show of filters that have more than three: channels of the layer before. "
        "Empty: the first, as many as there are filters.",
    )
    # 64 filters are what figures of first layers have had since Zeiler and Fergus (ECCV 2014), figure 6.
    limit: int = Field(
        64, ge=1, le=256, title="Filters", description="Filters shown at most, where none are named."
    )
    # Folding a batch norm, and rescaling, multiply every filter by a factor of its own.
    scale: Literal["each", "common"] = Field(
        "each",
        title="Scale",
        description="each: every filter has its own range; common: a color means the same in all.",
    )

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """How many filters there are at most, where they are named; of one alone it limits the slices."""
        channels = values.get("channels")
        if channels is None or (len(channels) == 1 and values.get("inputs") is None):
            return {}
        return {"limit": "The filters are named: all of them are shown. Leave this out, or channels."}

    def network_need(self) -> NetworkNeed:
        """The network as far as the layer."""
        return NetworkNeed(self.network, {"layer": [self.layer] if self.layer else []}, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedFilters":
        """Fill in the layer, and check it against both networks."""
        card = require_card(catalogue, self.network)
        layer = self.layer or _first(card)
        _require(card, layer, self.channels, "layer")
        if self.against == card.name:
            raise InputError("against", f"{card.name} is the network itself: name another one.")
        if self.against is not None:
            other = require_card(catalogue, self.against, "against")
            # A network that names its first layer otherwise is shown by that.
            counterpart = _first(other) if layer == _first(card) else layer
            _require(other, counterpart, self.channels, "against")
        return self.resolved_as(ResolvedFilters, {"layer": layer})


class ResolvedFilters(FiltersParams):
    """Resolved params of filters."""

    layer: LayerName


def _first(card: NetworkCard) -> str:
    found = [layer.name for layer in card.layers if layer.kind in CONVOLUTIONS]
    if not found:
        raise InputError("network", f"{card.name} has no convolutions: choose a network that has some.")
    return found[0]


def _require(card: NetworkCard, layer: str, channels: list[int] | None, field: str) -> None:
    require_layers(card, [layer], field)
    if card.layer(layer).kind not in CONVOLUTIONS:
        there = ", ".join(each.name for each in card.layers if each.kind in CONVOLUTIONS)
        raise InputError(field, f"{layer} of {card.name} has no filters. Layers with filters: {there}.")
    if card.layer(layer).kind == "conv":
        for channel in channels or ():
            require_channel(card, layer, channel, "channels")


SPEC = KindSpec(
    name="filters",
    params=FiltersParams,
    result=FiltersResult,
    resolved=(ResolvedFilters,),
    function="worker.understanding.filters:filters",
    lane="short",
    wait_seconds=10,
    title="Filters",
    summary="The weights of a convolution as pictures, also of two networks side by side.",
    submit_label="Look",
    command="filters",
    group="Look inside",
    primary_fields=("network", "against", "layer"),
    label_fields=("network", "layer", "against"),
    example={"network": "palette", "against": "vgg19-random"},
)
