"""The params of style transfer, as requests, the command line and the page give them."""

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from app.kinds.base import Params
from app.kinds.fields import (
    MAX_SIDE,
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
    split_names,
)
from app.kinds.style_presets import (
    ContentLossName,
    Init,
    Optimizer,
    Pooling,
    PresetName,
    StyleLossName,
    View,
)
from app.networks.catalogue import DEFAULT_NETWORK

# Of style_scale, and of each of style_scales.
LEAST_SCALE, LARGEST_SCALE = 0.1, 4.0

Color = Literal["style", "content", "luminance"]
TimelapseFormat = Literal["none", "mp4", "webp"]
ColorMatch = Literal["none", "cholesky", "pca", "symmetric", "histogram"]


def _each_once(views: list[View]) -> list[View]:
    if len(set(views)) < len(views):
        raise ValueError("a view is named twice: leave one of the two out")
    return views


Views = Annotated[
    list[View],
    BeforeValidator(split_names, json_schema_input_type=str | list[View]),
    AfterValidator(_each_once),
    Field(min_length=1, max_length=4, json_schema_extra={"widget": "names"}),
]


class StyleTransferFields(Params):
    """The params alone, without what follows from them."""

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
    views: Views | None = Field(
        None,
        title="Views",
        description="What the network sees: the picture, its negative, or either with its colours exchanged. "
        "Losses are means over them, so that the result fits what is peculiar to the network less. Each is "
        "computed by itself. At scales above 150 px they take turns, and the last scale has the first.",
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
    continue_from: ContinuedRef | None = Field(
        None,
        title="Continue",
        description="A finished job to go on from, at its size: steps are further ones. Params that are left "
        "out, pictures too, are those of that job; null takes one away. Or a picture of the size of the "
        "result.",
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
