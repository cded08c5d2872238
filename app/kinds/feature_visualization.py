"""Params of feature visualization."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.activation_maximization import PRESETS, MaximizationParams, ResolvedMaximization
from app.kinds.base import NetworkNeed
from app.kinds.fields import PICTURE_EXTENSIONS, LayerName, PictureRef, as_list, equal_weights
from app.kinds.layers import middle_layer_of_any, require_card, require_channel, require_layers
from app.kinds.results.pictures import FeatureVisualizationResult
from app.kinds.spec import KindSpec
from app.networks import NetworkCard
from app.networks.catalogue import Catalogue

Objective = Literal["channel", "neuron", "layer", "caricature", "direction"]
Sign = Literal["positive", "negative", "both"]

# Objectives that are given by an example.
_BY_EXAMPLE: tuple[Objective, ...] = ("caricature", "direction")

# Kinds of layers with negative activations.
_SIGNED = ("conv", "fc", "logits", "activation", "norm", "luminance", "sparse_conv")

# Channels that are drawn if none is named: a square of them.
USUAL_CHANNELS = 9


def _ranges(value: Any) -> Any:
    """Channels from numbers, and from texts such as ``0-8, 12``."""
    found: list[Any] = []
    for each in as_list(value):
        if not isinstance(each, str):
            found.append(each)
            continue
        for part in filter(None, each.replace(" ", "").split(",")):
            first, dash, last = part.partition("-")
            numbers = [int(each) for each in (first, last or first) if each.isdecimal() and len(each) < 7]
            if len(numbers) < 2 or bool(dash) != bool(last):
                raise ValueError(f"{part!r} is neither a number nor a range such as 0-8")
            if numbers[0] > numbers[1]:
                raise ValueError(f"{part!r} goes backwards: name the smaller number first")
            found += range(numbers[0], numbers[1] + 1)
    return found


Channels = Annotated[
    list[Annotated[int, Field(ge=0)]],
    BeforeValidator(_ranges, json_schema_input_type=str | int | list[str | int]),
    Field(min_length=1, max_length=64, json_schema_extra={"widget": "names"}),
]


Terms = Annotated[
    dict[str, float],
    BeforeValidator(equal_weights, json_schema_input_type=list[str] | dict[str, float]),
    Field(min_length=1, max_length=16, json_schema_extra={"widget": "extents"}),
]


class FeatureVisualizationParams(MaximizationParams):
    """What a neuron, a channel or a layer of a network looks for, or sees in an example.

    Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017.
    """

    layer: LayerName | None = Field(
        None, title="Layer", description="Name of the layer. Empty: one in the middle."
    )
    objective: Objective | None = Field(
        None,
        title="Objective",
        description="channel: whole channels; neuron: one neuron in the middle of each; layer: the energy of "
        "the layer; of an example, caricature: its features at each position; direction: their mean, at any "
        "position. Empty: channel.",
    )
    image: PictureRef | None = Field(
        None,
        title="Example",
        description="Exaggerate what the layer sees in this picture; a square is cut out of its middle. For "
        "a caricature or a direction.",
    )
    channels: Channels | None = Field(
        None,
        title="Channels",
        description="One picture each: numbers, or ranges such as 0-8. Empty: the first nine.",
    )
    terms: Terms | None = Field(
        None,
        title="Terms",
        description="Instead of a layer: several units in one picture, with weights. conv4_1 is a layer, "
        "conv4_1:7 a channel, conv4_1:7:neuron its neuron in the middle.",
    )
    sign: Sign = Field("positive", title="Side", description="Maximize the unit, minimize it, or both.")
    # lucid's notebook on diversity weighs the term 1e-2 to 1e2 for its sums; here it is a mean cosine.
    diversity: float = Field(
        0.0,
        ge=0,
        le=1e6,
        title="Diversity",
        description="Weight of the difference between the variations; 0: none.",
    )

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        return NetworkNeed(self.network, {"layer" if self.layer else "terms": self.layers_used})

    def resolve(self, catalogue: Catalogue) -> "ResolvedFeatureVisualization":
        """Fill in layer, channels and the preset's values, and check them against the network."""
        card = require_card(catalogue, self.network)
        own = self._terms(card) if self.terms is not None else self._units_of_layer(card)
        if self.diversity and self.variations < 2:
            raise InputError(
                "diversity", "One picture has nothing to differ from: set variations to 2 or more."
            )
        values = self.maximization_values(card) | own
        resolved = self.resolved_as(ResolvedFeatureVisualization, values)
        resolved.require_valid(resolved.pictures_made)
        return resolved

    @property
    def units(self) -> int:
        """How many units are drawn, each once a side and variation."""
        return len(self.channels) if self.channels else 1

    @property
    def layers_used(self) -> list[str]:
        """The layers that the units belong to."""
        return [self.layer] if self.layer else [read_unit(unit, "terms")[0] for unit in self.terms or ()]

    @property
    def sides(self) -> list[int]:
        """1 for the positive side, -1 for the negative."""
        return {"positive": [1], "negative": [-1], "both": [1, -1]}[self.sign]

    def _check_example(self) -> None:
        if self.objective not in _BY_EXAMPLE:
            if self.image is not None:
                raise InputError(
                    "image",
                    "Only a caricature and a direction are of an example: leave it out, or set objective to "
                    "one of them.",
                )
            return
        if self.image is None:
            raise InputError("image", f"Name the example; a {self.objective} is not drawn without one.")
        if self.channels is not None:
            raise InputError("channels", "The example says what is drawn: leave them out.")
        if self.objective == "caricature" and self.sign != "positive":
            raise InputError("sign", "A caricature has one side: set it to 'positive'.")

    def _units_of_layer(self, card: NetworkCard) -> dict[str, Any]:
        self._check_example()
        layer = self.layer or middle_layer_of_any(card)
        require_layers(card, [layer], "layer")
        objective = self.objective or "channel"
        values: dict[str, Any] = {"layer": layer, "objective": objective}
        if objective in _BY_EXAMPLE:
            if self.sign != "positive" and card.layer(layer).kind not in _SIGNED:
                raise InputError(
                    "sign",
                    f"{layer} is never below 0, and so has one side: set it to 'positive', or layer to a "
                    "convolution.",
                )
            return values
        if objective == "layer":
            if self.channels is not None:
                raise InputError("channels", "A whole layer has no use for them: leave them out.")
            if self.sign != "positive":
                raise InputError("sign", "A layer's energy has one side: set it to 'positive'.")
            return values
        there = card.layer(layer).channels
        channels = list(dict.fromkeys(self.channels or range(min(USUAL_CHANNELS, there))))
        for channel in channels:
            require_channel(card, layer, channel, "channels")
        return values | {"channels": channels}

    def _terms(self, card: NetworkCard) -> dict[str, Any]:
        for name in ("layer", "objective", "channels", "image"):
            if getattr(self, name) is not None:
                raise InputError(name, "The terms say already what is drawn: leave out one of the two.")
        for unit, weight in (self.terms or {}).items():
            layer, channel, _ = read_unit(unit, "terms")
            require_layers(card, [layer], "terms")
            if channel is not None:
                require_channel(card, layer, channel, "terms")
            elif weight < 0 and len(self.terms or {}) == 1:
                raise InputError("terms", "A layer's energy alone can only rise: give it a positive weight.")
        if not any((self.terms or {}).values()):
            raise InputError("terms", "All weights are 0: give one unit another.")
        # JSON keeps no order, and sums depend on it in their last bits.
        return {"terms": dict(sorted((self.terms or {}).items()))}


class ResolvedFeatureVisualization(ResolvedMaximization, FeatureVisualizationParams):
    """Resolved params of feature visualization. Either ``layer`` and ``objective`` are null, or ``terms``."""

    @property
    def pictures_made(self) -> int:
        """Each unit once a side and variation."""
        return self.units * len(self.sides) * self.variations


def read_unit(unit: str, field: str) -> tuple[str, int | None, bool]:
    """Layer, channel (None: all of the layer) and whether it is the neuron in the middle. InputError."""
    layer, *rest = unit.split(":")
    match rest:
        case []:
            return layer, None, False
        case [channel] if channel.isdecimal():
            return layer, int(channel), False
        case [channel, "neuron"] if channel.isdecimal():
            return layer, int(channel), True
        case _:
            raise InputError(
                field, f"{unit!r} is not a unit: write conv4_1, conv4_1:7 or conv4_1:7:neuron, for example."
            )


SPEC = KindSpec(
    name="feature_visualization",
    params=FeatureVisualizationParams,
    result=FeatureVisualizationResult,
    resolved=(ResolvedFeatureVisualization,),
    function="worker.synthesis.feature_visualization:feature_visualization",
    lane="long",
    title="Feature visualisation",
    summary="What a neuron, a channel or a layer of a network looks for, or sees in an example.",
    submit_label="Visualise",
    command="feature-visualization",
    primary_fields=("layer", "channels", "preset", "size"),
    label_fields=("preset", "layer", "steps", "network", "size"),
    file_extensions=PICTURE_EXTENSIONS,
    format_field="format",
    example={"layer": "conv4_1", "channels": [0, 1, 2, 3]},
    presets=PRESETS,
)
