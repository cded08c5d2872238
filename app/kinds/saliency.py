"""Params of saliency: what in a picture a class, or a neuron, depends on."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.architectures import ENSEMBLE
from app.kinds.base import NetworkNeed, Params
from app.kinds.classes import ClassName, require_classes, require_classifier
from app.kinds.fields import DEFAULT_SIZE, NetworkName, NetworkSize, PictureRef, Seed, split_names
from app.kinds.layers import is_spatial, require_card, require_channel, require_layers, spatial_layers
from app.kinds.results.looks import SaliencyResult
from app.kinds.spec import KindSpec, Lane, lane_by_work
from app.kinds.work import GRADIENT, SAMPLE_PIXELS, activation_bytes, forward_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_CLASSIFIER, Catalogue

Method = Literal[
    "gradient",
    "smooth_grad",
    "integrated_gradients",
    "guided_backprop",
    "deconvnet",
    "grad_cam",
    "smooth_grad_cam",
    "score_cam",
]
Baseline = Literal["black", "mean", "white", "blurred"]

# Methods that weigh the maps of one layer.
CAMS: tuple[Method, ...] = ("grad_cam", "smooth_grad_cam", "score_cam")

# Methods that change the backward of ReLUs, and the kinds of layers that have some.
RECTIFIERS: tuple[Method, ...] = ("guided_backprop", "deconvnet")
RECTIFIED = ("relu", "fire", "residual", "inception")

# The params of some methods alone.
_OF_METHODS: Mapping[tuple[Method, ...], tuple[str, ...]] = {
    ("smooth_grad", "smooth_grad_cam"): ("samples", "noise"),
    ("integrated_gradients",): ("nodes", "baseline"),
}

# The three that lectures show, each a single pass, so that the answer comes at once.
METHODS: tuple[Method, ...] = ("gradient", "guided_backprop", "grad_cam")

# Smilkov et al., "SmoothGrad: removing noise by adding noise", 2017, section 3: noise of 10 to 20 % of the
# picture's range "balances sharpness and structure", and more than about 50 samples change little.
SAMPLES = 25
NOISE = 0.15

# Sundararajan, Taly, Yan, "Axiomatic attribution for deep networks", ICML 2017, section 5: 20 to 300 steps.
# Measured at 50 with four pictures each: the sums of palette were off by up to 1.2 %, those of
# efficientnet_lite0, whose gradient changes faster, by up to 8 % from black and 13 % from the mean color.
NODES = 50


def _position(value: Any) -> Any:
    """Two numbers from ``3, 5``."""
    return split_names(value) if isinstance(value, str) else value


Methods = Annotated[
    list[Method],
    BeforeValidator(split_names, json_schema_input_type=str | list[Method]),
    Field(min_length=1, max_length=8, json_schema_extra={"widget": "names"}),
]
Position = Annotated[
    list[Annotated[int, Field(ge=0)]],
    BeforeValidator(_position, json_schema_input_type=str | list[int]),
    Field(min_length=2, max_length=2),
]


class SaliencyParams(Params):
    """Maps of what in a picture a class, or a neuron, depends on (Simonyan, Vedaldi, Zisserman 2014)."""

    image: PictureRef = Field(
        title="Picture", description="The picture to explain; the network sees the middle of it."
    )
    methods: Methods = Field(
        list(METHODS),
        title="Methods",
        description="Any of gradient, smooth_grad, integrated_gradients, guided_backprop, deconvnet, "
        "grad_cam, smooth_grad_cam, score_cam. deconvnet finds its way back by max pools, as VGG has them; "
        "score_cam takes longest.",
    )
    target: ClassName | None = Field(
        None,
        title="Class",
        description="The class whose score is explained, by name or by index. Empty: the most likely.",
    )
    layer: str | None = Field(
        None,
        title="Layer of a neuron",
        description="Explain one neuron of this layer in place of a class.",
        json_schema_extra={"widget": "layer"},
    )
    channel: int | None = Field(
        None, ge=0, title="Channel", description="Channel of the neuron. Empty: the most active."
    )
    position: Position | None = Field(
        None,
        title="Position",
        description="Row and column of the neuron in the map of its layer. Empty: where it is most active.",
    )
    cam_layer: str | None = Field(
        None,
        title="Layer of class activation maps",
        description="The layer whose maps grad_cam, smooth_grad_cam and score_cam weigh. Empty: the last "
        "one with positions, before its pool.",
        json_schema_extra={"widget": "layer"},
    )
    network: NetworkName = Field(DEFAULT_CLASSIFIER, description="Name of the network to look into.")
    size: NetworkSize = Field(
        None,
        description="Side in pixels of the square that the network sees. Empty: what it classifies, or "
        f"{DEFAULT_SIZE}.",
    )
    samples: int = Field(
        SAMPLES,
        ge=1,
        le=500,
        title="Noisy copies",
        description="Copies of the picture that smooth_grad and smooth_grad_cam average over.",
    )
    noise: float = Field(
        NOISE,
        ge=0,
        le=1,
        title="Noise",
        description="Standard deviation of their noise, as a share of the picture's range of values.",
    )
    nodes: int = Field(
        NODES,
        ge=1,
        le=1000,
        title="Nodes",
        description="Pictures between baseline and picture that integrated_gradients sums over.",
    )
    # Section 3 of the paper: a black picture, which no class is seen in.
    baseline: Baseline = Field(
        "black",
        title="Baseline",
        description="Where integrated_gradients starts: black; mean, the network's mean color; white; or "
        "blurred, the picture without its detail. What has the baseline's color counts for nothing.",
    )
    seed: Seed = Field(0, description="Seed of the noise.")

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """What is for methods that are not among them."""
        methods = values.get("methods")
        if methods is None:
            return {}
        return {
            name: f"None of the methods uses this: leave it out, or add {' or '.join(users)}."
            for users, names in _OF_METHODS.items()
            for name in names
            if not {*users} & {*methods}
        }

    def network_need(self) -> NetworkNeed:
        """The whole network, or as far as the layer of the neuron, in float32."""
        layers = None if self.layer is None else {"layer": [self.layer]}
        return NetworkNeed(self.network, layers, float32=True)

    def resolve(self, catalogue: Catalogue) -> "ResolvedSaliency":
        """Fill in size and layer, and check the class, or the neuron, against the network."""
        card = require_card(catalogue, self.network)
        target = self.target
        if self.layer is None:
            require_classifier(card)
            self._require_no_neuron()
            target = None if target is None else require_classes(card, [target], "target")[0]
        else:
            self._require_neuron(card, self.layer)
        methods = self._methods(card)
        values = {
            "methods": methods,
            "target": target,
            "cam_layer": self._cam_layer(card, methods),
            "size": self.size or card.input_size or DEFAULT_SIZE,
        }
        return self.resolved_as(ResolvedSaliency, values)

    def _methods(self, card: NetworkCard) -> list[Method]:
        """Each method once; of those that nobody named, the ones that the network has the layers for."""
        methods, lacking = list(dict.fromkeys(self.methods)), _lacking(card)
        if "methods" not in self.model_fields_set:
            return [each for each in methods if each not in lacking]
        for method in methods:
            if method in lacking:
                raise InputError("network", f"{card.name} has no {lacking[method]}, which {method} needs.")
        return methods

    def _require_no_neuron(self) -> None:
        for name in ("channel", "position"):
            if getattr(self, name) is not None:
                raise InputError(name, "This chooses a neuron of a layer: name the layer too.")

    def _require_neuron(self, card: NetworkCard, layer: str) -> None:
        require_layers(card, [layer], "layer")
        if self.target is not None:
            raise InputError("target", "Either a class or a neuron: leave out this, or layer.")
        if self.channel is not None:
            require_channel(card, layer, self.channel, "channel")
        if is_spatial(card.layer(layer)):
            cams = [method for method in self.methods if method in CAMS]
            if cams:
                raise InputError(
                    "methods",
                    f"{cams[0]} weighs whole maps, which says little of one position of {layer}: leave it "
                    "out, or explain a class or a fully connected layer.",
                )
        elif self.position is not None:
            raise InputError("position", f"{layer} has no positions: leave this out.")

    def _cam_layer(self, card: NetworkCard, methods: list[Method]) -> str | None:
        """The layer that class activation maps use; None if there are to be none."""
        if not set(methods) & set(CAMS):
            if self.cam_layer is not None:
                raise InputError("cam_layer", f"None of the methods uses this: add {', '.join(CAMS)}.")
            return None
        if self.cam_layer is None:
            return last_maps(card)
        require_layers(card, [self.cam_layer], "cam_layer")
        if not is_spatial(card.layer(self.cam_layer)):
            raise InputError(
                "cam_layer",
                f"{self.cam_layer} has no positions: use a layer before the fully connected ones.",
            )
        return self.cam_layer


class ResolvedSaliency(SaliencyParams):
    """Resolved params of saliency."""

    size: int

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Passes of one picture."""
        del members
        return None if card is None else forward_work(card, self.size, passes(self, card))

    def working_bytes(self, card: NetworkCard) -> float:
        """Of as many samples as are computed at once."""
        sampled = {"smooth_grad", "integrated_gradients", "smooth_grad_cam", "score_cam"} & {*self.methods}
        return activation_bytes(card, max(self.size**2, SAMPLE_PIXELS if sampled else 0))


def _lacking(card: NetworkCard) -> dict[Method, str]:
    """The methods that a network has not the layers for, each with what it lacks."""
    lacking: dict[Method, str] = {}
    if not any(is_spatial(layer) for layer in card.layers):
        lacking |= dict.fromkeys(CAMS, "layers with positions")
    # The layers of an ensemble's members are not on its card.
    if card.architecture != ENSEMBLE and not any(layer.kind in RECTIFIED for layer in card.layers):
        lacking |= dict.fromkeys(RECTIFIERS, "ReLUs")
    return lacking


def last_maps(card: NetworkCard) -> str:
    """The last layer with positions that is no pool, as in Selvaraju et al. 2017, section 3."""
    return [layer for layer in spatial_layers(card) if layer.kind not in ("pool", "dropout")][-1].name


def passes(params: ResolvedSaliency, card: NetworkCard) -> int:
    """Forward passes of one picture that a job costs about as much as."""
    counts: dict[Method, int] = {
        "smooth_grad": GRADIENT * params.samples,
        "integrated_gradients": GRADIENT * params.nodes + 2,
        "smooth_grad_cam": GRADIENT * params.samples,
        "score_cam": card.layer(params.cam_layer).channels if params.cam_layer else 0,
    }
    return 1 + sum(counts.get(method, GRADIENT) for method in params.methods)


def saliency_lane(params: ResolvedSaliency, card: NetworkCard | None) -> Lane:
    """``short`` if it is over in about a second."""
    return lane_by_work(params.work(card, 0))


SPEC = KindSpec(
    name="saliency",
    params=SaliencyParams,
    result=SaliencyResult,
    resolved=(ResolvedSaliency,),
    function="worker.understanding.saliency:saliency",
    lane=saliency_lane,
    wait_seconds=10,
    title="Saliency",
    summary="What in a picture a class, or a neuron, depends on.",
    submit_label="Explain",
    command="saliency",
    group="Look inside",
    primary_fields=("methods", "target"),
    label_fields=("methods", "target", "layer", "network"),
    example={"methods": ["gradient", "grad_cam"], "network": "palette", "size": 64},
)
