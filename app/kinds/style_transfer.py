"""Params and presets of style transfer."""

import math
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    MAX_SIDE,
    PICTURE_EXTENSIONS,
    BitsOfPicture,
    FormatOfPicture,
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
from app.kinds.spec import KindSpec, with_preset
from app.kinds.stacking import fitted, positive, short_hash
from app.kinds.style_presets import (
    CONTENT_STRIDE,
    PRESETS,
    SORTED_ROWS,
    ContentLossName,
    Init,
    Optimizer,
    Pooling,
    PresetName,
    PresetValues,
    StyleLossName,
)
from app.kinds.work import (
    GRADIENT,
    activation_bytes,
    layer_numbers,
    product_work,
    scale_sides,
    steps_work,
)
from app.networks import NetworkCard
from app.networks.catalogue import DEFAULT_NETWORK, Catalogue

# What sorting a number costs at a step, in multiply-adds that take as long.
SORTING = 2e3

# Losses of nearest neighbours and of ranks, whose jobs are not computed together: of two positions that are
# about equal, rounding decides which one comes first, and with it the gradient.
ORDERED: tuple[StyleLossName, ...] = (
    "nearest_neighbors",
    "relaxed_emd",
    "sliced_wasserstein",
    "histogram",
)

# Bytes for each number of a layer that a loss takes as a whole: it, a copy of it, and their gradients.
GATHERED = 16

# Of style_scale, and of each of style_scales.
LEAST_SCALE, LARGEST_SCALE = 0.1, 4.0

# Stride of the deepest layers that fine_style is for: relu1_* and relu2_* of a VGG.
FINE_STRIDE = 2

Color = Literal["style", "content", "luminance"]
ColorMatch = Literal["none", "cholesky", "pca", "symmetric", "histogram"]


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
    style_loss: StyleLossName | None = Field(
        None, title="Style loss", description="What of the style pictures is compared with the result."
    )
    content_loss: ContentLossName | None = Field(
        None, title="Content loss", description="What of the content is compared with the result."
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
        ge=LEAST_SCALE,
        le=LARGEST_SCALE,
        title="Stroke size",
        description="Size of the style pictures relative to the result: larger gives larger strokes. Smaller "
        "pictures keep their own size; above 1 they are enlarged by this factor at most.",
    )
    style_masks: PictureRefs | None = Field(
        None,
        title="Style masks",
        description="One picture for each style picture, in the proportions of the content: light where that "
        "style is painted. Each style then has losses of its own over its own region.",
    )
    content_mask: PictureRef | None = Field(
        None,
        title="Mask of the content",
        description="In the proportions of the content: light where it is painted, dark where it stays as it "
        "is, such as a face.",
    )
    content_weight_map: PictureRef | None = Field(
        None,
        title="Map of content weights",
        description="In the proportions of the content: the lighter, the more the content counts there. Only "
        "ratios matter.",
    )
    style_scales: list[Annotated[float, Field(ge=LEAST_SCALE, le=LARGEST_SCALE)]] | None = Field(
        None,
        title="Stroke size of each style",
        description="One number a style picture, each as Stroke size, which is then left at 1. Empty: Stroke "
        "size for all.",
    )
    style_size: int | None = Field(
        None,
        ge=16,
        le=MAX_SIDE,
        title="Style size",
        description="Longer side of the style pictures in pixels, whatever the size of the result is: its "
        "strokes keep their size in pixels. Smaller pictures keep their own size. Empty: that of the result.",
        json_schema_extra={"unit": "px"},
    )
    fine_style: PictureRef | None = Field(
        None,
        title="Fine style",
        description="A picture whose fine texture and colours the result has; the larger forms come from the "
        "style.",
    )
    color: Color = Field(
        "style",
        title="Colours",
        description="Whose colours the result has: the style's; the content's, under the lightness of the "
        "result; or luminance: painted in grey, in the content's range of lightness, and then with its "
        "colours.",
    )
    color_match: ColorMatch = Field(
        "none",
        title="Match colours",
        description="Match colours before painting: the content's to the style's with color=style; with "
        "color=content the style's to the content's, so that strokes keep colours of their own. By mean and "
        "covariance (cholesky; pca; symmetric, which changes the least), or by the whole distribution "
        "(histogram).",
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
    tileable: bool = Field(
        False,
        title="Tileable",
        description="Make a tile: its left edge goes on at its right one, its top edge at its bottom one.",
    )
    network: NetworkName = DEFAULT_NETWORK
    seed: Seed = Field(0, description="Seed of the noise it may start from.")
    format: FormatOfPicture = "png"
    bit_depth: BitsOfPicture = 8

    def keeps_alpha_of(self) -> str:
        """The content's."""
        return "content"

    def picture_side(self, field: str) -> int | None:
        """Styles are needed at ``style_size``, or ``size`` times their scale; everything else at ``size``."""
        match field:
            case "style":
                return self.style_size or math.ceil(self.size * max(self.scales_of_styles()))
            case "fine_style":
                return self.style_size or math.ceil(self.size * self.scales_of_styles()[0])
            case _:
                return self.size

    def scales_of_styles(self) -> list[float]:
        """The ``style_scale`` of each style picture."""
        return self.style_scales or [self.style_scale] * len(self.style)

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
        self._require_losses_of_preset()
        self._require_scales()
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

    def _require_losses_of_preset(self) -> None:
        """Check that a preset whose numbers are for losses of its own keeps these; InputError."""
        preset = PRESETS[self.preset]
        if preset.variant == "relative":
            return
        for field in ("style_loss", "content_loss"):
            own, asked = getattr(preset, field), getattr(self, field)
            if asked not in (None, own):
                detail = f"The weights of the preset {self.preset} are for {own} alone: leave this empty, or "
                raise InputError(field, f"{detail}take the preset impasto.")

    def _require_scales(self) -> None:
        """Check that one param alone says how large the style pictures are; InputError."""
        scales = self.style_scales
        if scales is not None and len(scales) != len(self.style):
            raise InputError(
                "style_scales",
                f"{len(scales)} scales for {len(self.style)} style pictures: give one for each, or none.",
            )
        if scales is not None and self.style_scale != 1:
            detail = (
                f"style_scale is {self.style_scale:g}, for all style pictures: leave it at 1, or this out."
            )
            raise InputError("style_scales", detail)
        if self.style_size is not None and any(scale != 1 for scale in self.scales_of_styles()):
            name = "style_scale" if scales is None else "style_scales"
            detail = f"{name} is relative to the size of the result: leave it at 1, or this out."
            raise InputError("style_size", detail)

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
        if content is None or self.style_loss in ORDERED:
            return None
        width, height = fitted(content, self.size)
        layers = short_hash(
            positive(self.content_layers) if self.content_weight else [],
            positive(self.style_layers) if self.style_weight else [],
        )
        losses = f"{self.style_loss} {self.content_loss}"
        shape = f"{width}x{height} {self.tileable}"
        return f"{self.network} {self.pooling} {self.preset} {losses} {shape} {self.steps} {layers}"

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Targets and steps at each scale, on squares with the preset's margin; statistics of each region."""
        del members
        preset = PRESETS[self.preset]
        sides = [side + 2 * preset.margin for side in scale_sides(self.size, preset.coarsest)]
        passes = steps_work(
            card,
            sides,
            self.steps,
            self.needed_layers(),
            targets=len(self.style) + (2 if self.fine_style else 1),
        )
        if card is None or passes is None or not self.style_weight:
            return passes
        pixels, layers = sum(side**2 for side in sides) / len(sides), positive(self.style_layers)
        regions = len(self.style_masks or ())
        passes += self.steps * regions * GRADIENT * product_work(card, pixels, layers)
        rows = SORTED_ROWS.get(self.style_loss)
        if rows is None:
            return passes
        return passes + self.steps * SORTING * layer_numbers(card, pixels, layers, rows)

    def working_bytes(self, card: NetworkCard) -> float:
        """In tiles, of a square; what a loss takes together is there besides."""
        side = self.size + 2 * PRESETS[self.preset].margin
        in_tiles = activation_bytes(card, side**2, self.needed_layers(), tiles=True)
        if self.style_loss not in SORTED_ROWS:
            return in_tiles
        return in_tiles + GATHERED * layer_numbers(card, self.size**2, self.style_layers)

    def require_valid(self, catalogue: Catalogue) -> None:
        """Check the combination of params, and the layers against the network; InputError."""
        if self.init == "image" and self.init_image is None:
            raise InputError("init_image", "init is 'image': name the picture to start from.")
        if self.init != "image" and self.init_image is not None:
            raise InputError("init_image", f"init is {self.init!r}: leave this out, or set init to 'image'.")
        if self.style_masks is not None and len(self.style_masks) != len(self.style):
            counts = f"{len(self.style_masks)} masks for {len(self.style)} style pictures"
            raise InputError("style_masks", f"{counts}: give one for each, or none.")
        if self.color == "luminance" and self.color_match != "none":
            raise InputError(
                "color_match", "color is 'luminance', which paints in grey: leave this out, or set color."
            )
        card = require_card(catalogue, self.network)
        require_spatial_layers(card, self.content_layers, "content_layers")
        require_spatial_layers(card, self.style_layers, "style_layers")
        if not any((self.content_weight, self.style_weight)):
            raise InputError("style_weight", "Content and style weight are both 0: nothing to paint.")
        self._require_layers_of_fine_style(card)
        counted = [self.content_weight * w for w in self.content_layers.values()]
        counted += [self.style_weight * w for w in self.style_layers.values()]
        if not any(counted):
            detail = "Every layer has a weight of 0: give one of them, or of content_layers, more."
            raise InputError("style_layers", detail)

    def _require_layers_of_fine_style(self, card: NetworkCard) -> None:
        """Check that with a fine style both it and the style have layers; InputError."""
        layers = positive(self.style_layers) if self.style_weight else []
        if self.fine_style is None or not layers:
            return
        strides = [card.layer(name).stride for name in layers]
        if min(strides) <= FINE_STRIDE < max(strides):
            return
        picture, wanted = ("fine_style", "at most") if min(strides) > FINE_STRIDE else ("style", "more than")
        raise InputError(
            "fine_style",
            f"No layer is left for {picture}: of the style layers {', '.join(layers)} none has a stride of "
            f"{wanted} {FINE_STRIDE} px. Add one, or leave fine_style out.",
        )


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
    file_extensions=PICTURE_EXTENSIONS,
    format_field="format",
    presets=PRESETS,
)
