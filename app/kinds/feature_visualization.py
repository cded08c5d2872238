"""Params of feature visualisation: the one source of its defaults."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.ascent import AscentParams
from app.kinds.base import Lane, NetworkNeed, PictureRef, require_card, require_layers
from app.kinds.deep_dream import default_layer
from app.networks import NetworkCard

Objective = Literal["channel", "neuron", "layer", "caricature", "direction"]
Sign = Literal["positive", "negative", "both"]

# Objectives that take what they are after from an example.
_BY_EXAMPLE: tuple[Objective, ...] = ("caricature", "direction")

# Kinds of layers that say also less than 0.
_SIGNED = ("conv", "fc", "logits")

# Channels that are drawn if none is named: a square of them.
USUAL_CHANNELS = 9


def _ranges(value: Any) -> Any:
    """Channels as numbers, or as texts such as ``0-8, 12``."""
    several = value if isinstance(value, list) else [value]
    found: list[Any] = []
    for each in several:
        if not isinstance(each, str):
            found.append(each)
            continue
        for part in filter(None, each.replace(" ", "").split(",")):
            first, dash, last = part.partition("-")
            numbers = [int(each) for each in (first, last or first) if each.isdecimal() and len(each) < 7]
            if len(numbers) < 2 or bool(dash) != bool(last):
                raise ValueError(f"{part!r} is neither a number nor a range such as 0-8")
            found += range(numbers[0], numbers[1] + 1)
    return found


Channels = Annotated[
    list[Annotated[int, Field(ge=0)]],
    BeforeValidator(_ranges, json_schema_input_type=str | int | list[str | int]),
    Field(min_length=1, max_length=64, json_schema_extra={"widget": "names"}),
]


def _weights(value: Any) -> Any:
    """A list of units means a weight of 1 each."""
    several = [value] if isinstance(value, str) else value
    if isinstance(several, list) and all(isinstance(unit, str) for unit in several):
        return dict.fromkeys(several, 1.0)
    return value


Terms = Annotated[
    dict[str, float],
    BeforeValidator(_weights, json_schema_input_type=list[str] | dict[str, float]),
    Field(min_length=1, max_length=16, json_schema_extra={"widget": "extents"}),
]


class FeatureVisualizationParams(AscentParams):
    """What a neuron, a channel or a layer of a network looks for, or sees in an example.

    Olah, Mordvintsev, Schubert, "Feature visualization", Distill 2017.
    """

    kind: ClassVar[str] = "feature_visualization"
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "Feature visualisation"
    summary: ClassVar[str] = (
        "What a neuron, a channel or a layer of a network looks for, or sees in an example."
    )
    action: ClassVar[str] = "Visualise"
    foremost: ClassVar[tuple[str, ...]] = ("layer", "channels", "preset", "size")
    example: ClassVar[dict[str, Any]] = {"layer": "conv4_1", "channels": [0, 1, 2, 3]}

    layer: str | None = Field(None, title="Layer", description="Name of the layer. Empty: one in the middle.")
    objective: Objective | None = Field(
        None,
        title="Objective",
        description="Whole channels, one neuron in the middle of each, or all that the layer has to say; of "
        "an example its caricature, what the layer sees in it at each place, or its direction, what it is "
        "made of, anywhere. Empty: channels.",
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
    sign: Sign = Field(
        "positive", title="Side", description="What excites a unit most, what silences it most, or both."
    )
    # lucid's notebook on diversity weighs the term 1e-2 to 1e2 for its sums; here it is a mean cosine.
    diversity: float = Field(
        0.0,
        ge=0,
        le=1e6,
        title="Diversity",
        description="How much the variations are to differ; 0: as they will.",
    )

    def network_need(self) -> NetworkNeed | None:
        """The network that looks."""
        return NetworkNeed(self.network, {"layer" if self.layer else "terms": self.looked_at})

    def resolve(self) -> Self:
        """Fill in layer, channels and the preset's values, and check them against the network."""
        card = require_card(self.network)
        made = self._with_terms(card) if self.terms is not None else self._with_layer(card)
        if made.diversity and made.variations < 2:
            raise InputError(
                "diversity", "One picture has nothing to differ from: set variations to 2 or more."
            )
        return made.filled(card, made.units * len(made.sides) * made.variations)

    @property
    def units(self) -> int:
        """How many things are drawn, in how many sides and variations whatsoever."""
        return len(self.channels) if self.channels else 1

    @property
    def looked_at(self) -> list[str]:
        """The layers that the units are of."""
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

    def _with_layer(self, card: NetworkCard) -> Self:
        self._check_example()
        layer = self.layer or default_layer(card)
        require_layers(card, [layer], "layer")
        objective = self.objective or "channel"
        made = self.model_copy(update={"layer": layer, "objective": objective})
        if objective in _BY_EXAMPLE:
            if self.sign != "positive" and card.layer(layer).kind not in _SIGNED:
                raise InputError(
                    "sign",
                    f"{layer} is never below 0, and so has one side: set it to 'positive', or layer to a "
                    "convolution.",
                )
            return made
        if objective == "layer":
            if self.channels is not None:
                raise InputError("channels", "A whole layer has no use for them: leave them out.")
            if self.sign != "positive":
                raise InputError("sign", "A layer's energy has one side: set it to 'positive'.")
            return made
        there = card.layer(layer).channels
        channels = list(dict.fromkeys(self.channels or range(min(USUAL_CHANNELS, there))))
        for channel in channels:
            require_channel(card, layer, channel, "channels")
        return made.model_copy(update={"channels": channels})

    def _with_terms(self, card: NetworkCard) -> Self:
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
        return self.model_copy(update={"terms": dict(sorted((self.terms or {}).items()))})


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
                field, f"{unit!r} is no unit: write conv4_1, conv4_1:7 or conv4_1:7:neuron, for example."
            )


def require_channel(card: NetworkCard, layer: str, channel: int, field: str) -> None:
    """Check that a layer has a channel; InputError that says which it has."""
    there = card.layer(layer).channels
    if channel >= there:
        raise InputError(field, f"{layer} has no channel {channel}: its channels are 0 to {there - 1}.")
