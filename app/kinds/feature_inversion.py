"""Params of feature inversion."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    DEFAULT_SIZE,
    MAX_PICTURES,
    PICTURE_EXTENSIONS,
    BitsOfPicture,
    FormatOfPicture,
    LayerNames,
    NetworkName,
    PictureRef,
    Seed,
    SmallSize,
    Steps,
    Variations,
    following_seeds,
)
from app.kinds.layers import is_spatial, require_card, require_layers
from app.kinds.results.pictures import FeatureInversionResult
from app.kinds.spec import KindSpec
from app.kinds.stacking import fitted, short_hash
from app.kinds.work import Spending, activation_bytes, steps_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK, Catalogue


class FeatureInversionParams(Params):
    """What a layer still knows of a picture (Mahendran and Vedaldi 2015)."""

    image: PictureRef = Field(title="Picture", description="The picture to reconstruct from its features.")
    network: NetworkName = DEFAULT_NETWORK
    layers: LayerNames | None = Field(
        None,
        title="Layers",
        description="A reconstruction is made from each. Empty: the end of each stage, the last pool and the "
        "class scores.",
    )
    size: SmallSize = Field(DEFAULT_SIZE, description="Longer side of each picture in pixels.")
    steps: Steps = Field(200, description="Optimizer iterations for each picture.")
    variations: Variations = Field(
        1, description="Reconstructions from each layer, from noise of this seed and those that follow it."
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
        description="Cost of pixels outside the usual range.",
    )
    tv_weight: float = Field(
        0.001, ge=0, le=1e6, title="Smoothness", description="Cost of squared differences between neighbours."
    )
    optimizer: Literal["lbfgs", "adam"] = Field(
        "lbfgs", title="Optimizer", description="How the loss is minimized."
    )
    # The same photo from relu4_2 of palette: a spectrum 19.7 dB, pixels 17.1; from relu3_4 of VGG-19 21.9 and
    # 11.5. Of a network with random weights, pixels give more back.
    parametrization: Literal["fourier", "pixels"] = Field(
        "fourier", title="Parametrisation", description="What is optimized: a spectrum, or pixels."
    )
    seed: Seed = Field(0, description="Seed of the noise it starts from.")
    format: FormatOfPicture = "png"
    bit_depth: BitsOfPicture = 8

    def picture_side(self, field: str) -> int | None:
        """The picture is reconstructed at ``size``."""
        del field
        return self.size

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        return NetworkNeed(self.network, {"layers": self.layers or ()})

    def resolve(self, catalogue: Catalogue) -> "ResolvedFeatureInversion":
        """Fill in the layers and check them against the network."""
        card = require_card(catalogue, self.network)
        given = self.layers or usual_layers(card)
        require_layers(card, given, "layers")
        # Each once, from the picture to the output.
        layers = [name for name in card.layer_names if name in given]
        if len(layers) * self.variations > MAX_PICTURES:
            raise InputError(
                "variations",
                f"{len(layers)} layers and {self.variations} variations make {len(layers) * self.variations} "
                f"pictures: ask for {MAX_PICTURES} at most.",
            )
        return self.resolved_as(ResolvedFeatureInversion, {"layers": layers})

    def seeds(self) -> list[int]:
        """The seeds of the variations; after the largest comes 0."""
        return following_seeds(self.seed, self.variations)


class ResolvedFeatureInversion(FeatureInversionParams):
    """Resolved params of feature inversion. ``layers`` are in the network's order, each once."""

    layers: LayerNames

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str | None:
        """Pictures of one size from the same layers of one network, with the same penalties."""
        picture = sides.get(self.image)
        if picture is None:
            return None
        width, height = fitted(picture, self.size)
        shape = f"{width}x{height} {self.parametrization} {self.p_weight} {self.tv_weight}"
        return f"{self.network} {shape} {self.variations} {self.steps} {short_hash(self.layers)}"

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Steps to invert each layer."""
        del members
        steps = self.steps * self.variations
        found = [steps_work(card, [self.size], steps, [layer]) for layer in self.layers]
        known = [each for each in found if each is not None]
        return sum(known) if known else None

    def shaped_bytes(self, card: NetworkCard, spending: Spending, shape: float) -> float:
        """Of one picture."""
        del spending
        return activation_bytes(card, shape * self.size**2, self.layers)


def usual_layers(card: NetworkCard) -> list[str]:
    """The last layer of each stage but the pools, the last pool, and the class scores."""
    spatial = [layer for layer in card.layers if is_spatial(layer) and layer.kind != "dropout"]
    ends = {layer.stride: layer.name for layer in spatial if layer.kind != "pool"}
    pools = [layer.name for layer in spatial if layer.kind == "pool"][-1:]
    logits = [layer.name for layer in card.layers if layer.kind == "logits"]
    return [*ends.values(), *pools, *logits]


SPEC = KindSpec(
    name="feature_inversion",
    params=FeatureInversionParams,
    result=FeatureInversionResult,
    resolved=(ResolvedFeatureInversion,),
    function="worker.synthesis.feature_inversion:feature_inversion",
    stack_function="worker.synthesis.feature_inversion:feature_inversion_jobs",
    lane="long",
    title="Feature inversion",
    summary="What each layer of a network still knows of a picture.",
    submit_label="Reconstruct",
    command="feature-inversion",
    primary_fields=("layers", "size", "steps"),
    label_fields=("layers", "steps", "network", "size"),
    file_extensions=PICTURE_EXTENSIONS,
    format_field="format",
    example={"layers": ["relu2_2", "relu4_4", "pool5"]},
)
