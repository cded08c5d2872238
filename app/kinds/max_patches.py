"""Params of max_patches: what of a set of pictures excites the channels of a layer the most."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from app.kinds.activations import ShownSize
from app.kinds.base import NetworkNeed, Params
from app.kinds.feature_visualization import Channels
from app.kinds.fields import CROP_SHARE, DEFAULT_SIZE, DatasetRef, LayerName, NetworkName
from app.kinds.layers import middle_layer, require_card, require_channel, require_spatial_layers
from app.kinds.results.looks import MaxPatchesResult
from app.kinds.spec import KindSpec
from app.kinds.work import DECODING, SAMPLE_PIXELS, activation_bytes, forward_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue


class MaxPatchesParams(Params):
    """The patches of a set that excite chosen channels the most (Zeiler and Fergus 2014, figure 2)."""

    dataset: DatasetRef = Field(title="Set", description="The pictures that patches are looked for in.")
    network: NetworkName = DEFAULT_CLASSIFIER
    layer: LayerName | None = Field(
        None,
        title="Layer",
        description="The layer that channels belong to. Empty: one that responds to parts of things.",
    )
    channels: Channels | None = Field(
        None,
        title="Channels",
        description="Channels to look for. Empty: those that some picture excites the most.",
    )
    # Zeiler and Fergus show 9 of each feature map, in figure 2.
    patches: int = Field(
        9, ge=1, le=36, title="Patches", description="Patches of each channel, of as many pictures."
    )
    limit: int = Field(
        8, ge=1, le=64, title="Rows", description="Channels shown at most, where none are named."
    )
    projection: Literal["auto", "deconvnet", "guided", "none"] = Field(
        "auto",
        title="Projection",
        description="What in each patch excites the channel: by a deconvolutional network, by guided "
        "backpropagation, or not shown. auto: a deconvolutional network where max pools remember the "
        "picture, else guided.",
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
        """The network as far as the layer."""
        return NetworkNeed(self.network, {"layer": [self.layer] if self.layer else []}, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedMaxPatches":
        """Fill in layer and size, and check the channels against the network."""
        card = require_card(catalogue, self.network)
        layer = self.layer or middle_layer(card)
        require_spatial_layers(card, {layer: 1.0}, "layer")
        for channel in self.channels or ():
            require_channel(card, layer, channel, "channels")
        values = {"layer": layer, "size": self.size or card.input_size or DEFAULT_SIZE}
        if self.channels is not None:
            values["channels"] = list(dict.fromkeys(self.channels))
        return self.resolved_as(ResolvedMaxPatches, values)


class ResolvedMaxPatches(MaxPatchesParams):
    """Resolved params of max_patches."""

    layer: LayerName
    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """One pass over each picture of the set."""
        each = forward_work(card, self.size, layers=self.needed_layers())
        return None if each is None else members * (DECODING + each)

    def working_bytes(self, card: NetworkCard) -> float:
        """Of as many pictures as go forward at once."""
        return activation_bytes(card, max(self.size**2, SAMPLE_PIXELS), self.needed_layers(), gradient=False)


SPEC = KindSpec(
    name="max_patches",
    params=MaxPatchesParams,
    result=MaxPatchesResult,
    resolved=(ResolvedMaxPatches,),
    function="worker.understanding.max_patches:max_patches",
    lane="long",
    title="Strongest patches",
    summary="The patches of a set that excite each channel of a layer the most, and what in them does.",
    submit_label="Search",
    command="max-patches",
    group="Look inside",
    primary_fields=("network", "layer", "channels"),
    label_fields=("network", "layer"),
    tables={"table": ()},
    example={"network": "palette", "layer": "relu2_2", "dataset": "palette", "limit": 2},
)
