"""Params and presets of style transfer."""

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from app.errors import InputError
from app.kinds.base import NetworkNeed, Params
from app.kinds.fields import (
    PICTURE_EXTENSIONS,
    BitsOfPicture,
    ContinuedRef,
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
from app.kinds.spec import PRESET, KindSpec, with_preset
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
from app.kinds.work import activation_bytes, layer_numbers, scale_sides, steps_work
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

Color = Literal["style", "content", "luminance"]
TimelapseFormat = Literal["none", "mp4", "webp"]
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
        ge=0.1,
        le=4,
        title="Stroke size",
        description="Size of the style pictures relative to the result: larger gives larger strokes. Smaller "
        "pictures keep their own size; above 1 they are enlarged by this factor at most.",
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
    network: NetworkName = DEFAULT_NETWORK
    seed: Seed = Field(0, description="Seed of the noise it may start from.")
    continue_from: ContinuedRef | None = Field(
        None,
        title="Continue",
        description="A finished job to go on from, at its size: steps are further ones. Params that are left "
        "out, pictures too, are those of that job. Or a picture of the size of the result.",
    )
    keep_state: bool = Field(
        False,
        title="Keep the state",
        description="Keep what the optimizer knows as a file, so that a later job can go on exactly: about "
        "300 bytes a pixel with L-BFGS, and fewer with Adam.",
    )
    timelapse: TimelapseFormat = Field(
        "none",
        title="Timelapse",
        description="A short video, besides, of the picture coming into being: MP4, or animated WebP.",
    )
    format: FormatOfPicture = "png"
    bit_depth: BitsOfPicture = 8

    @classmethod
    def continuing(
        cls, earlier: Mapping[str, Any], given: Mapping[str, Any], files: Collection[str] = ()
    ) -> dict[str, Any]:
        """The params of a job that goes on where another one ended: at its size, and by its preset."""
        for name, remedy in (
            ("size", "Leave this out; for another size, start a new job from that picture, with init_image."),
            (PRESET, "Leave this out, or start a new job: a preset fills in what that job already says."),
        ):
            if name in given and given[name] != earlier.get(name):
                raise InputError(name, f"The job to continue has {earlier.get(name)}. {remedy}")
        changed = {*given, *files}
        # Shares are of styles that may be others, and what that job started from is of no use now.
        dropped = {"init", "init_image"} | ({"style_weights"} if "style" in changed else set())
        kept = {name: value for name, value in earlier.items() if name not in dropped}
        return super().continuing(kept, given, files)

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
        self._require_losses_of_preset()
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
        size = f"{width}x{height}{' continued' if self.continue_from else ''}"
        return f"{self.network} {self.pooling} {self.preset} {losses} {size} {self.steps} {layers}"

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Targets and steps at each scale, on squares with the preset's margin."""
        del members
        preset = PRESETS[self.preset]
        coarsest = None if self.continue_from else preset.coarsest
        sides = [side + 2 * preset.margin for side in scale_sides(self.size, coarsest)]
        passes = steps_work(card, sides, self.steps, self.needed_layers(), targets=1 + len(self.style))
        rows = SORTED_ROWS.get(self.style_loss)
        if card is None or passes is None or rows is None or not self.style_weight:
            return passes
        pixels = sum(side**2 for side in sides) / len(sides)
        sorted_numbers = layer_numbers(card, pixels, positive(self.style_layers), rows)
        return passes + self.steps * SORTING * sorted_numbers

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
        if self.continue_from is not None and self.init_image is not None:
            raise InputError(
                "init_image", "The picture to continue is what this starts from: leave one of the two out."
            )
        if self.color == "luminance" and self.color_match != "none":
            raise InputError(
                "color_match", "color is 'luminance', which paints in grey: leave this out, or set color."
            )
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
    file_extensions=PICTURE_EXTENSIONS,
    format_field="format",
    presets=PRESETS,
)
