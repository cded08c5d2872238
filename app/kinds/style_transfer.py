"""Params and presets of style transfer."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    LayerWeights,
    NetworkName,
    PictureRef,
    PictureRefs,
    ResultSize,
    Seed,
    StepsOrPreset,
)
from app.kinds.layers import first_of_stages, require_card, require_spatial_layers
from app.kinds.results.pictures import StyleTransferResult
from app.kinds.spec import KindSpec, Preset, with_preset
from app.kinds.stacking import fitted, positive, short_hash
from app.kinds.work import activation_bytes, scale_sides, steps_work
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK, Catalogue

PresetName = Literal["impasto", "gatys-2016", "neural-style"]
Optimizer = Literal["lbfgs", "adam"]
Pooling = Literal["average", "max"]
Init = Literal["content", "noise", "image"]


class PresetValues(BaseModel):
    """The values that a preset gives, and that resolved params have."""

    model_config = ConfigDict(frozen=True)

    content_layers: LayerWeights
    style_layers: LayerWeights
    content_weight: float = 1.0
    style_weight: float
    tv_weight: float = 0.0
    optimizer: Optimizer = "lbfgs"
    pooling: Pooling = "average"
    init: Init
    steps: int


class StylePreset(PresetValues, Preset):
    """A preset of style transfer, with what is no param.

    ``variant`` says whose formulas the losses follow, see ``worker.losses``: ``relative`` (ours, independent
    of the size of the picture), ``gatys-2016`` or ``neural-style`` (their sources' own sums).
    """

    variant: Literal["relative", "gatys-2016", "neural-style"]
    noise: float = Field(
        0.1, description="Standard deviation of the noise of init=noise, of values in [0, 1]."
    )
    coarsest: int | None = Field(
        None, description="Longer side it begins at, or a little more; each scale is sqrt(2) times the last."
    )
    margin: int = Field(0, description="Pixels of reflection padding around the picture.")


# Stride of relu3_1, the content layer of the preset "impasto".
CONTENT_STRIDE = 4

STYLE_LAYERS_2016 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

PRESETS: dict[str, StylePreset] = {
    # Chosen by eye and by number on a landscape, a tower and three paintings: docs/style-transfer.md.
    "impasto": StylePreset(
        summary="Ours: coarse to fine, losses that do not depend on the size of the picture.",
        variant="relative",
        content_layers={"relu2_1": 0.5, "relu3_1": 1.0},
        style_layers=dict.fromkeys(("relu1_1", "relu2_1", "relu3_1", "relu4_1"), 1.0),
        style_weight=15.0,
        tv_weight=1.0,
        init="content",
        steps=200,
        coarsest=90,
        margin=16,
    ),
    # Gatys, Ecker, Bethge, "Image Style Transfer Using CNNs", CVPR 2016, sections 2 and 3: sums, not means;
    # conv4_2 and conv1_1..conv5_1 (after the ReLU), w_l = 1/5, alpha/beta = 1e-3, average pooling, from white
    # noise (of no stated amplitude), L-BFGS; 500 steps as in the authors' code. Computed on activations
    # as large as the Caffe network's (worker/losses/distance.py), else that ratio leaves no style.
    "gatys-2016": StylePreset(
        summary="Gatys, Ecker and Bethge 2016, with the paper's own sums; weighs a larger picture otherwise.",
        variant="gatys-2016",
        content_layers={"relu4_2": 1.0},
        style_layers=dict.fromkeys(STYLE_LAYERS_2016, 0.2),
        style_weight=1000.0,
        init="noise",
        steps=500,
    ),
    # Johnson's neural-style, neural_style.lua, defaults of its options: content 5, style 100, tv 1e-3, max
    # pooling, random init (0.001 of 256 levels about grey), 1000 L-BFGS evaluations. Its weights are for the
    # Caffe network: the losses are computed as if activations were as large as its.
    "neural-style": StylePreset(
        summary="Johnson's neural-style with its own sums (total variation grows with the picture).",
        variant="neural-style",
        content_layers={"relu4_2": 1.0},
        style_layers=dict.fromkeys(STYLE_LAYERS_2016, 1.0),
        content_weight=5.0,
        style_weight=100.0,
        tv_weight=1e-3,
        pooling="max",
        init="noise",
        noise=0.001 / 256,
        steps=1000,
    ),
}


class StyleTransferParams(Params):
    """Paint the content of one picture in the style of others (Gatys, Ecker, Bethge 2016)."""

    content: PictureRef = Field(title="Content", description="The picture to paint.")
    style: PictureRefs = Field(
        title="Style",
        description="The painting, or up to eight of them.",
        json_schema_extra={"widget": "pictures", "title_prefix": "after"},
    )
    preset: PresetName = Field(
        "impasto",
        title="Preset",
        description="Where the values left empty come from.",
        json_schema_extra={"widget": "preset"},
    )
    # The long side that neural-style, crowson and Gatys' own code default to.
    size: ResultSize = 512
    style_weight: float | None = Field(
        None,
        ge=0,
        le=1e12,
        title="Style weight",
        description="Strength of the style.",
        json_schema_extra={"widget": "slider", "decades": 2},
    )
    content_weight: float | None = Field(
        None, ge=0, le=1e12, title="Content weight", description="Faithfulness to the content."
    )
    tv_weight: float | None = Field(
        None,
        ge=0,
        le=1e12,
        title="Smoothness",
        description="Weight of the total variation: more gives calmer areas.",
    )
    style_weights: list[Annotated[float, Field(ge=0)]] | None = Field(
        None,
        title="Share of each style",
        description="One number a style picture; only their ratios matter. Empty: equal shares.",
        json_schema_extra={"empty_means": "equal"},
    )
    style_scale: float = Field(
        1.0,
        ge=0.1,
        le=4,
        title="Stroke size",
        description="Size of the style pictures relative to the result: larger gives larger strokes. Smaller "
        "pictures keep their own size; above 1 they are enlarged by this factor at most.",
    )
    color: Literal["style", "content"] = Field(
        "style",
        title="Colours",
        description="Those of the style, or those of the content under the luminance of the result.",
    )
    steps: StepsOrPreset = Field(None, description="Optimizer iterations over all scales.")
    content_layers: LayerWeights | None = Field(
        None, title="Content layers", description="Layer names, or names with weights."
    )
    style_layers: LayerWeights | None = Field(
        None, title="Style layers", description="Layer names, or names with weights."
    )
    optimizer: Optimizer | None = Field(None, title="Optimizer", description="How the loss is minimized.")
    pooling: Pooling | None = Field(None, title="Pooling", description="Average is smoother, max is crisper.")
    init: Init | None = Field(None, title="Start from", description="What the optimizer starts from.")
    init_image: PictureRef | None = Field(
        None, title="Start picture", description="The picture to start from, with init=image."
    )
    network: NetworkName = DEFAULT_NETWORK
    seed: Seed = Field(0, description="Seed of the noise it may start from.")

    def keeps_alpha_of(self) -> str:
        """The content's."""
        return "content"

    def picture_side(self, field: str) -> int | None:
        """Styles are needed at ``size * style_scale``, everything else at ``size``."""
        return math.ceil(self.size * self.style_scale) if field == "style" else self.size

    def network_need(self) -> NetworkNeed:
        """The network as far as the layers."""
        layers = {
            "content_layers": list(self.content_layers or ()),
            "style_layers": list(self.style_layers or ()),
        }
        return NetworkNeed(self.network, layers, self.pooling)

    def resolve(self, catalogue: Catalogue) -> "ResolvedStyleTransfer":
        """Fill in the preset's values and check layers, weights and start picture."""
        values = with_preset(self, PRESETS[self.preset])
        values |= self._layers_elsewhere(require_card(catalogue, self.network))
        if self.init is None and self.init_image is not None:
            values["init"] = "image"
        shares = self.style_weights or [1.0] * len(self.style)
        if len(shares) != len(self.style):
            raise InputError(
                "style_weights",
                f"{len(shares)} weights for {len(self.style)} style pictures: give one for each, or none.",
            )
        if sum(shares) == 0:
            raise InputError("style_weights", "All weights are 0: give one style a positive weight.")
        resolved = self.resolved_as(ResolvedStyleTransfer, {**values, "style_weights": shares})
        resolved.require_valid(catalogue)
        return resolved

    def _layers_elsewhere(self, card: NetworkCard) -> dict[str, dict[str, float]]:
        """The layers that are left to the preset, where the network has not all those of VGG that it names.

        As deep as those of ``impasto``: the first of each stage, and for the content that of stride 4.
        """
        preset = PRESETS[self.preset]
        if {*preset.style_layers, *preset.content_layers} <= {*card.layer_names}:
            return {}
        style, content = first_of_stages(card), first_of_stages(card, CONTENT_STRIDE)[-1:]
        found = {"style_layers": style, "content_layers": content}
        return {
            name: dict.fromkeys(layers, 1.0)
            for name, layers in found.items()
            if getattr(self, name) is None and layers
        }


class ResolvedStyleTransfer(PresetValues, StyleTransferParams):
    """Resolved params of style transfer; ``style_weights`` has a number for each style picture."""

    style_weights: list[Annotated[float, Field(ge=0)]]

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str | None:
        """Results of one size by one network, at as many scales and steps; styles may differ."""
        content = sides.get(self.content)
        if content is None:
            return None
        width, height = fitted(content, self.size)
        layers = short_hash(
            positive(self.content_layers) if self.content_weight else [],
            positive(self.style_layers) if self.style_weight else [],
        )
        return f"{self.network} {self.pooling} {self.preset} {width}x{height} {self.steps} {layers}"

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Targets and steps at each scale, on squares with the preset's margin."""
        del members
        preset = PRESETS[self.preset]
        sides = [side + 2 * preset.margin for side in scale_sides(self.size, preset.coarsest)]
        return steps_work(card, sides, self.steps, self.needed_layers(), targets=1 + len(self.style))

    def working_bytes(self, card: NetworkCard) -> float:
        """In tiles, of a square."""
        side = self.size + 2 * PRESETS[self.preset].margin
        return activation_bytes(card, side**2, self.needed_layers(), tiles=True)

    def require_valid(self, catalogue: Catalogue) -> None:
        """Check the combination of params, and the layers against the network; InputError."""
        if self.init == "image" and self.init_image is None:
            raise InputError("init_image", "init is 'image': name the picture to start from.")
        if self.init != "image" and self.init_image is not None:
            raise InputError("init_image", f"init is {self.init!r}: leave this out, or set init to 'image'.")
        card = require_card(catalogue, self.network)
        require_spatial_layers(card, self.content_layers, "content_layers")
        require_spatial_layers(card, self.style_layers, "style_layers")
        if not any((self.content_weight, self.style_weight)):
            raise InputError("style_weight", "Content and style weight are both 0: nothing to paint.")
        counted = [self.content_weight * w for w in self.content_layers.values()]
        counted += [self.style_weight * w for w in self.style_layers.values()]
        if not any(counted):
            detail = "Every layer has a weight of 0: give one of them, or of content_layers, more."
            raise InputError("style_layers", detail)


SPEC = KindSpec(
    name="style_transfer",
    params=StyleTransferParams,
    result=StyleTransferResult,
    resolved=(ResolvedStyleTransfer,),
    function="worker.synthesis.style_transfer:style_transfer",
    stack_function="worker.synthesis.style_transfer:style_transfer_jobs",
    lane="long",
    title="Style transfer",
    summary="Paint the content of one picture in the style of others.",
    submit_label="Paint",
    command="style",
    primary_fields=("preset", "size", "style_weight"),
    label_fields=("preset", "steps", "network", "size"),
    example={"size": 512, "style_weight": 20},
    presets=PRESETS,
)
