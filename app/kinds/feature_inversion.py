"""Params of feature inversion: the one source of its defaults."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import BeforeValidator, Field

from app.errors import InputError
from app.kinds.ascent import MOST_PICTURES, USUAL_SIZE
from app.kinds.base import (
    Lane,
    NetworkNeed,
    Params,
    PictureRef,
    following_seeds,
    require_card,
    require_layers,
)
from app.networks import NetworkCard


def _names(value: Any) -> Any:
    """Names one behind the other, or as a form writes layers: each with a weight, which says nothing here."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return list(value) if isinstance(value, dict) else value


LayerNames = Annotated[
    list[str],
    BeforeValidator(_names, json_schema_input_type=str | list[str]),
    Field(min_length=1, max_length=40, json_schema_extra={"widget": "layers"}),
]


class FeatureInversionParams(Params):
    """What a layer still knows of a picture (Mahendran and Vedaldi 2015)."""

    kind: ClassVar[str] = "feature_inversion"
    lane: ClassVar[Lane] = "long"
    title: ClassVar[str] = "Feature inversion"
    summary: ClassVar[str] = "What each layer of a network still knows of a picture."
    action: ClassVar[str] = "Reconstruct"
    foremost: ClassVar[tuple[str, ...]] = ("layers", "size", "steps")
    example: ClassVar[dict[str, Any]] = {"layers": ["relu2_2", "relu4_4", "pool5"]}

    image: PictureRef = Field(title="Picture", description="The picture to reconstruct from its features.")
    network: str = Field("palette", title="Network", description="Name of the network that looks.")
    layers: LayerNames | None = Field(
        None,
        title="Layers",
        description="A reconstruction is made from each. Empty: the end of each stage, the last pool and the "
        "class scores.",
    )
    size: int = Field(
        USUAL_SIZE, ge=16, le=2048, title="Size", description="Longer side of each picture in pixels."
    )
    steps: int = Field(200, ge=1, le=20_000, title="Steps", description="Solver iterations for each picture.")
    variations: int = Field(
        1,
        ge=1,
        le=16,
        title="Variations",
        description="Reconstructions from each layer, from noise of this seed and those that follow it.",
    )
    # Mahendran and Vedaldi, "Visualizing deep convolutional neural networks using natural pre-images", IJCV
    # 2016, section 3.1: both penalties weigh 1 against a feature loss of weight C, 1 to 300. Pixels cannot
    # leave [0, 1] here, so that the p-norm is left with little to do but to darken a white sky: with 0.001, a
    # photo comes back from relu4_2 of palette at 15.0 dB instead of 19.7.
    p_weight: float = Field(
        0.00001,
        ge=0,
        le=1e6,
        title="p-norm weight",
        description="Cost of pixels that are out of the usual range.",
    )
    tv_weight: float = Field(
        0.001, ge=0, le=1e6, title="Smoothness", description="Cost of squared differences between neighbours."
    )
    optimizer: Literal["lbfgs", "adam"] = Field("lbfgs", title="Solver", description="How the loss descends.")
    # The same photo from relu4_2 of palette: a spectrum 19.7 dB, pixels 17.1; from relu3_4 of VGG-19 21.9 and
    # 11.5. Of a network with random weights, pixels give more back.
    parametrization: Literal["fourier", "pixels"] = Field(
        "fourier", title="Parametrisation", description="What is moved: a spectrum, or pixels."
    )
    seed: int = Field(0, ge=0, le=2**63 - 1, title="Seed", description="Seed of the noise it starts from.")

    def picture_side(self, field: str) -> int | None:
        """The picture is reconstructed in ``size``."""
        del field
        return self.size

    def network_need(self) -> NetworkNeed | None:
        """The network that looks."""
        return NetworkNeed(self.network, {"layers": self.looked_at})

    def resolve(self) -> Self:
        """Fill in the layers and check them against the network."""
        card = require_card(self.network)
        given = self.layers or usual_layers(card)
        require_layers(card, given, "layers")
        # Each once, from the picture to the output.
        layers = [name for name in card.layer_names if name in given]
        if len(layers) * self.variations > MOST_PICTURES:
            raise InputError(
                "variations",
                f"{len(layers)} layers and {self.variations} variations make {len(layers) * self.variations} "
                f"pictures: ask for {MOST_PICTURES} at most.",
            )
        return self.model_copy(update={"layers": layers})

    @property
    def looked_at(self) -> list[str]:
        """The layers that are inverted."""
        return self.layers or []

    def seeds(self) -> list[int]:
        """The seeds of the variations; one that is too large begins anew at 0."""
        return following_seeds(self.seed, self.variations)


def usual_layers(card: NetworkCard) -> list[str]:
    """The last layer of each stage but the pools, the last pool, and the class scores."""
    spatial = [layer for layer in card.layers if layer.receptive_field > 0 and layer.kind != "dropout"]
    ends = {layer.stride: layer.name for layer in spatial if layer.kind != "pool"}
    pools = [layer.name for layer in spatial if layer.kind == "pool"][-1:]
    logits = [layer.name for layer in card.layers if layer.kind == "logits"]
    return [*ends.values(), *pools, *logits]
