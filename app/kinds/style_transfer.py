"""Params and presets of style transfer."""

import math
from collections.abc import Collection, Mapping
from typing import Annotated, Any

from pydantic import Field

from app.errors import FieldError, InputError, field_of
from app.kinds.base import NetworkNeed, SidesOf
from app.kinds.fields import (
    PICTURE_EXTENSIONS,
)
from app.kinds.layers import first_of_stages, require_card, require_spatial_layers
from app.kinds.proportions import problem_of_mask
from app.kinds.results.pictures import StyleTransferResult
from app.kinds.spec import PRESET, KindSpec, with_preset
from app.kinds.stacking import fitted, positive, short_hash
from app.kinds.style_fields import StyleTransferFields
from app.kinds.style_idle import without_effect
from app.kinds.style_presets import (
    CONTENT_STRIDE,
    LARGEST_VIEWED,
    PRESETS,
    SORTED_ROWS,
    PresetValues,
    StyleLossName,
    View,
)
from app.kinds.work import (
    GRADIENT,
    NUMBER,
    Spending,
    activation_bytes,
    descent_bytes,
    layer_numbers,
    product_work,
    scale_sides,
    steps_work,
    targets_bytes,
)
from app.networks import NetworkCard
from app.networks.catalogue import Catalogue

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

# Of the features that a style is summed up of, what each further region was measured to take as much as.
OF_REGION = 0.5

# The style weight, as a multiple of the content weight, at which the colors move half as far as they may.
BALANCED_STYLE = 3.0

# Stride of the deepest layers that fine_style is for: relu1_* and relu2_* of a VGG.
FINE_STRIDE = 2

# Params that have an entry for each style picture.
OF_EACH_STYLE = ("style_weights", "style_scales", "style_masks")

# Params that are masks of the content.
MASKS = ("style_masks", "content_mask", "content_weight_map")


class StyleTransferParams(StyleTransferFields):
    """Paint the content of one picture in the style of others (Gatys, Ecker, Bethge 2016)."""

    @classmethod
    def of_other_pictures(cls, values: Mapping[str, Any], changed: Collection[str]) -> dict[str, Any]:
        """Without lists that have an entry for each style picture, if these are others."""
        dropped = OF_EACH_STYLE if "style" in changed else ()
        return {name: value for name, value in values.items() if name not in dropped}

    @classmethod
    def continuing(
        cls, earlier: Mapping[str, Any], given: Mapping[str, Any], files: Collection[str] = ()
    ) -> dict[str, Any]:
        """The params of a job that goes on where another one ended: at its size, and by its preset."""
        for name, remedy in (
            ("size", "Leave this out; for another size, start a new job from that picture, with init_image."),
            (PRESET, "Leave this out, or start a new job: a preset fills in what that job already says."),
        ):
            # A number may be given as text.
            if name in given and given[name] not in (earlier.get(name), str(earlier.get(name))):
                raise InputError(name, f"The job to continue has {earlier.get(name)}. {remedy}")
        # What that job started from is of no use now.
        dropped = {"init", "init_image"}
        kept = cls.of_other_pictures(earlier, {*given, *files})
        kept = {name: value for name, value in kept.items() if name not in dropped}
        return super().continuing(kept, given, files)

    @classmethod
    def present_values(cls, values: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
        """Also the view that all jobs had before there was a choice; else the preset would say which."""
        found = super().present_values(values, names)
        if values.get("style_layers") is not None and found.get("views") is None:
            found["views"] = ["picture"]
        return found

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """What is of losses that have no weight, and what is started from where a job goes on."""
        return without_effect(values)

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

    def problems_of_sides(self, sides_of: SidesOf) -> list[FieldError]:
        """Masks must have the proportions of the content."""
        given = [name for name in MASKS if getattr(self, name) is not None]
        content = sides_of("content")[0] if given else None
        if content is None:
            return []
        found = []
        for name in given:
            masks = sides_of(name)
            details = [mask and problem_of_mask(mask, content, self.size) for mask in masks]
            found += [
                FieldError(field_of(name, place, len(masks)), detail)
                for place, detail in enumerate(details)
                if detail is not None
            ]
        return found

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

    @property
    def counted_content(self) -> list[str]:
        """The layers of content that weigh anything."""
        return positive(self.content_layers or {}) if self.content_weight else []

    @property
    def counted_style(self) -> list[str]:
        """The layers of style that weigh anything."""
        return positive(self.style_layers or {}) if self.style_weight else []

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str | None:
        """Results of one size by one network, at as many scales and steps; styles may differ."""
        content = sides.get(self.content)
        if content is None or self.style_loss in ORDERED:
            return None
        width, height = fitted(content, self.size)
        layers = short_hash(self.counted_content, self.counted_style)
        losses = f"{self.style_loss} {self.content_loss}"
        shape = f"{width}x{height} {self.tileable}{' continued' if self.continue_from else ''}"
        views = " ".join(self.views)
        return f"{self.network} {self.pooling} {self.preset} {losses} {views} {shape} {self.steps} {layers}"

    def views_at(self, side: int) -> list[View]:
        """The views of a scale whose longer side is so many pixels.

        Beyond LARGEST_VIEWED they take turns from scale to scale, and the first has that of ``size``.
        """
        if side <= LARGEST_VIEWED:
            return self.views
        scales_left = round(2 * math.log2(self.size / side))
        return [self.views[scales_left % len(self.views)]]

    def color_strength(self) -> float:
        """How far colors are moved to the styles', 0 to 1; the less, the less style weighs beside content."""
        if self.style_loss is None:
            return 0.0
        style = self.style_weight / (self.style_weight + BALANCED_STYLE * self.content_weight)
        return PRESETS[self.preset].color_strength * style

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """Targets and steps at each scale, on squares with the preset's margin; statistics of each region."""
        del members
        preset = PRESETS[self.preset]
        coarsest = None if self.continue_from else preset.coarsest
        scales = scale_sides(self.size, coarsest)
        sides = [side + 2 * preset.margin for side in scales]
        views = [len(self.views_at(side)) for side in scales]
        passes = steps_work(
            card,
            sides,
            self.steps,
            self.needed_layers(),
            targets=len(self.style) + (2 if self.fine_style else 1),
            views=views,
        )
        if card is None or passes is None or not self.style_weight:
            return passes
        seen = sum(side**2 * often for side, often in zip(sides, views, strict=True))
        pixels, layers = seen / len(sides), self.counted_style
        regions = len(self.style_masks or ())
        passes += self.steps * regions * GRADIENT * product_work(card, pixels, layers)
        rows = None if self.style_loss is None else SORTED_ROWS.get(self.style_loss)
        if rows is None:
            return passes
        return passes + self.steps * SORTING * layer_numbers(card, pixels, layers, rows)

    def shaped_bytes(self, card: NetworkCard, spending: Spending, shape: float) -> float:
        """Of a result shaped as the content; what a loss takes together is there besides.

        Style pictures are taken to be as large as they may be of use, and of the same shape, or square where
        they may be larger.
        """
        sides, margin = (self.size * shape, self.size), PRESETS[self.preset].margin
        pixels = sides[0] * sides[1]
        layers = self.needed_layers()
        descent = descent_bytes(card, sides, layers, spending, margin, self.counted_content)
        if self.style_loss in SORTED_ROWS:
            descent += GATHERED * layer_numbers(card, pixels, self.style_layers or {})
        descent += self._bytes_of_masks(card, spending, pixels)
        style_sides = [self.style_size or self.size * scale for scale in self.scales_of_styles()]
        styles = [side**2 * (1.0 if side > self.size else shape) for side in style_sides]
        waiting = pixels + sum(styles) - max(styles)
        return max(descent, targets_bytes(card, max(styles), self.counted_style, spending, waiting))

    def _bytes_of_masks(self, card: NetworkCard, spending: Spending, pixels: float) -> float:
        """Masks, those of the present scale, the content that stays, and the sums of each region."""
        regions = len(self.style_masks or ())
        masks = regions + sum(mask is not None for mask in (self.content_mask, self.content_weight_map))
        found = 2 * NUMBER * masks * pixels
        if self.content_mask is not None:
            found += 2 * 3 * NUMBER * pixels
        whole = activation_bytes(card, pixels, self.needed_layers())
        if regions > 1 and whole:
            seen = min(1.0, spending.tile_bytes / whole) * pixels
            summed = layer_numbers(card, seen, self.counted_style)
            found += OF_REGION * NUMBER * (regions - 1) * summed
        return found

    def require_valid(self, catalogue: Catalogue) -> None:
        """Check the combination of params, and the layers against the network; InputError."""
        if self.continue_from is not None and self.init_image is not None:
            raise InputError(
                "init_image", "The picture to continue is what this starts from: leave one of the two out."
            )
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
        require_spatial_layers(card, self.content_layers or {}, "content_layers")
        require_spatial_layers(card, self.style_layers or {}, "style_layers")
        if not any((self.content_weight, self.style_weight)):
            raise InputError("style_weight", "Content and style weight are both 0: nothing to paint.")
        self._require_layers_of_fine_style(card)
        if not self.counted_content and not self.counted_style:
            detail = "Every layer has a weight of 0: give one of them, or of content_layers, more."
            raise InputError("style_layers", detail)

    def _require_layers_of_fine_style(self, card: NetworkCard) -> None:
        """Check that with a fine style both it and the style have layers; InputError."""
        layers = self.counted_style
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
