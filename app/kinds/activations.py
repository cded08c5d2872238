"""Params of activations: the maps of a layer for one picture."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.feature_visualization import Channels
from app.kinds.fields import (
    CROP_SHARE,
    DEFAULT_SIZE,
    SMALLEST_SEEN,
    LayerName,
    LayerNames,
    NetworkName,
    PictureRef,
)
from app.kinds.layers import middle_layer_of_any, require_card, require_channel, require_layers
from app.kinds.results.looks import ActivationsResult
from app.kinds.spec import KindSpec, Lane, lane_by_work
from app.kinds.work import DECODING, activation_bytes, forward_work
from app.networks.card import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

# Maps on one figure at most: 16 x 16 are still told apart on a slide.
MOST_MAPS = 256

# What drawing 64 maps costs, in multiply-adds that take as long: 0.2 s.
DRAWING = 4e9

# The first layers of VGG-19 take half a gigabyte at the largest.
ShownSize = Annotated[
    int | None,
    Field(
        ge=SMALLEST_SEEN,
        le=1024,
        title="Size",
        description="Side in pixels of the square that the network is shown. Empty: what it classifies, or "
        f"{DEFAULT_SIZE}.",
        json_schema_extra={"widget": "size", "unit": "px"},
    ),
]


class ActivationsParams(Params):
    """What the channels of a layer respond to in a picture (Yosinski et al. 2015, figure 2)."""

    image: PictureRef = Field(title="Picture", description="The picture that the network is shown.")
    network: NetworkName = DEFAULT_CLASSIFIER
    layer: LayerName | None = Field(
        None, title="Layer", description="The layer to look at. Empty: one that responds to parts of things."
    )
    layers: LayerNames | None = Field(
        None, title="Layers", description="Several layers, one below the other, in the place of one."
    )
    channels: Channels | None = Field(
        None, title="Channels", description="Channels to show. Empty: as many as the limit, by their order."
    )
    order: Literal["index", "strongest"] = Field(
        "index",
        title="Order",
        description="index: channels by number; strongest: those with the largest mean first.",
    )
    # 8 x 8 maps with their numbers fill a slide.
    limit: int = Field(
        64,
        ge=1,
        le=MOST_MAPS,
        title="Maps",
        description="Channels shown of each layer at most, where none are named.",
    )
    scale: Literal["each", "common"] = Field(
        "common",
        title="Scale",
        description="common: a color means the same in all maps; each: every map has its own range.",
    )
    size: ShownSize = None

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """How many channels there are at most, where they are named."""
        if values.get("channels") is None:
            return {}
        return {"limit": "The channels are named: all of them are shown. Leave this out, or them."}

    def picture_short_side(self, field: str) -> int | None:
        """The square in the middle is cut out of a picture a little larger."""
        del field
        return None if self.size is None else round(self.size / CROP_SHARE)

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        named = "layers" if self.layer is None else "layer"
        return NetworkNeed(self.network, {named: self.layers or ()}, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedActivations":
        """Fill in layers and size, and check the channels against the network."""
        card = require_card(catalogue, self.network)
        if self.layer is not None and self.layers is not None and self.layers != [self.layer]:
            raise InputError("layers", "There is a layer already: leave out one of the two.")
        field = "layers" if self.layer is None else "layer"
        given = self.layers or [self.layer or middle_layer_of_any(card)]
        require_layers(card, given, field)
        for layer in given:
            for channel in self.channels or ():
                require_channel(card, layer, channel, "channels")
        layers = [name for name in card.layer_names if name in given]
        values = {"layers": layers, "size": self.size or card.input_size or DEFAULT_SIZE}
        if self.channels is not None:
            values["channels"] = list(dict.fromkeys(self.channels))
        return self.resolved_as(ResolvedActivations, values)


class ResolvedActivations(ActivationsParams):
    """Resolved params of activations. ``layers`` are in the network's order, each once."""

    layers: LayerNames
    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """One pass, and the drawing of each layer."""
        del members
        work = forward_work(card, self.size)
        return None if work is None else DECODING + work + DRAWING * len(self.layers)

    def working_bytes(self, card: NetworkCard) -> float:
        """Without a gradient."""
        return activation_bytes(card, self.size**2, self.layers, gradient=False)


def _lane(params: ResolvedActivations, card: NetworkCard | None) -> Lane:
    return lane_by_work(params.work(card, 0))


SPEC = KindSpec(
    name="activations",
    params=ActivationsParams,
    result=ActivationsResult,
    resolved=(ResolvedActivations,),
    function="worker.understanding.activations:activations",
    lane=_lane,
    wait_seconds=10,
    title="Activations",
    summary="The maps of a layer for one picture: what each channel responds to, and where.",
    submit_label="Look",
    command="activations",
    group="Look inside",
    primary_fields=("network", "layer", "limit"),
    label_fields=("network", "layers"),
    tables={"table": ()},
    example={"network": "palette", "layer": "relu2_2", "limit": 16},
)
