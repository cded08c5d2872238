"""Presets of style transfer: whose losses, and all numbers that come with them."""

import math
from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from app.kinds.fields import LayerWeights
from app.kinds.spec import Preset

PresetName = Literal[
    "impasto",
    "gatys-2016",
    "gatys-2016-code",
    "neural-style",
    "crowson-2021",
    "crowson-2023",
    "strotss-2019",
    "nnst-2022",
]
StyleLossName = Literal[
    "gram",
    "mean_std",
    "covariance",
    "wasserstein",
    "sliced_wasserstein",
    "histogram",
    "nearest_neighbors",
    "relaxed_emd",
]
ContentLossName = Literal["features", "self_similarity", "laplacian"]
# Of models/views.py, and the picture as it is.
View = Literal["picture", "negative", "rotated", "rotated_negative"]
Optimizer = Literal["lbfgs", "preconditioned_lbfgs", "adam"]
Pooling = Literal["average", "max"]
Init = Literal["content", "noise", "image"]


# Losses that take all positions of a layer together, and how many values of each position they sort at a
# step: the projections on so many random directions at most, or all channels.
DIRECTIONS = 64
SORTED_ROWS: Mapping[StyleLossName, float] = {"sliced_wasserstein": DIRECTIONS, "histogram": math.inf}


# Longer side in pixels of the largest scale that has all views; above it they take turns.
LARGEST_VIEWED = 150


class PresetValues(BaseModel):
    """The values that a preset gives, and that resolved params have.

    Layers and losses that count for nothing are null in resolved params, and so is where nothing starts from.
    """

    model_config = ConfigDict(frozen=True)

    content_layers: LayerWeights | None
    style_layers: LayerWeights | None
    # Jobs that were stored before these could be chosen have none of them.
    style_loss: StyleLossName | None = "gram"
    content_loss: ContentLossName | None = "features"
    views: list[View] = Field(default=["picture"], min_length=1)
    content_weight: float = 1.0
    style_weight: float
    tv_weight: float = 0.0
    optimizer: Optimizer = "lbfgs"
    pooling: Pooling = "average"
    init: Init | None
    steps: int


class StylePreset(PresetValues, Preset):
    """A preset of style transfer, with what is no param.

    ``variant`` says whose formulas the losses follow, see ``worker.losses``: ``relative`` (ours, independent
    of the size of the picture), or those of a source, which are for its own losses alone.
    """

    content_layers: LayerWeights
    style_layers: LayerWeights
    init: Init
    variant: Literal["relative", "gatys-2016", "neural-style", "crowson-2021", "crowson-2023"]
    noise: float = Field(
        0.1, description="Standard deviation of the noise of init=noise, of values in [0, 1]."
    )
    coarsest: int | None = Field(
        None, description="Longer side it begins at, or a little more; each scale is sqrt(2) times the last."
    )
    margin: int = Field(0, description="Pixels of padding around the picture.")
    edge: Literal["reflect", "replicate"] = Field("reflect", description="What the padding is.")
    color_strength: float = Field(
        0.0,
        description="How far the result's colors are moved to the distribution of the styles', 0 to 1, "
        "where style weighs much more than content. Only with limits_chroma.",
    )
    limits_chroma: bool = Field(
        False, description="Whether the result may have no more chroma, in any direction, than the styles."
    )


# Stride of relu3_1, the content layer of the preset "impasto".
CONTENT_STRIDE = 4

STYLE_LAYERS_2016 = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")

IMPASTO_STYLE_LAYERS = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_4"),
    "relu4_1",
)

# crowsonkb/style-transfer-pytorch: each layer weighs a quarter of the one before.
CROWSON_STYLE_LAYERS = {
    layer: weight / 341 for layer, weight in zip(STYLE_LAYERS_2016, (256, 64, 16, 4, 1), strict=True)
}

# The layers of VGG-16 that these two take, which VGG-19 has too.
STROTSS_LAYERS = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3", "relu4_3"),
    "relu5_3",
)
NNST_LAYERS = (
    *("relu1_1", "relu1_2", "relu2_1", "relu2_2", "relu3_1", "relu3_2", "relu3_3"),
    *("relu4_1", "relu4_2", "relu4_3"),
)

PRESETS: dict[str, StylePreset] = {
    # Chosen by eye and by number on a landscape, a tower and three paintings: docs/style-transfer.md.
    "impasto": StylePreset(
        summary="Ours: coarse to fine, losses that do not depend on the size of the picture.",
        variant="relative",
        content_layers={"relu2_1": 0.5, "relu3_1": 1.0},
        style_layers=dict.fromkeys(IMPASTO_STYLE_LAYERS, 0.5),
        style_weight=12.0,
        tv_weight=0.2,
        views=["picture", "negative"],
        optimizer="preconditioned_lbfgs",
        init="content",
        steps=120,
        coarsest=90,
        margin=16,
        color_strength=0.75,
        limits_chroma=True,
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
    # Gatys' own code (leongatys/PytorchNeuralStyleTransfer): mean squared errors of Gram matrices that are
    # means over positions, each weighing 1e3 / N**2, so that the objective is neural-style's with other
    # weights; content 1, max pooling, from the content, 500 L-BFGS evaluations.
    "gatys-2016-code": StylePreset(
        summary="Gatys' published code: the weights and the start differ from the paper's.",
        variant="neural-style",
        content_layers={"relu4_2": 1.0},
        style_layers=dict.fromkeys(STYLE_LAYERS_2016, 1.0),
        style_weight=1000.0,
        pooling="max",
        init="content",
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
    # crowsonkb/style-transfer-pytorch as of 2021: losses whose gradients have an L1 norm of about 1, Adam. It
    # takes 1000 steps at 128 px and 500 at each scale from there, 3000 up to its default size of 512 px.
    "crowson-2021": StylePreset(
        summary="Crowson's style-transfer-pytorch of 2021: Gram matrices, with gradients of norm 1.",
        variant="crowson-2021",
        content_layers={"relu4_2": 1.0},
        style_layers=CROWSON_STYLE_LAYERS,
        content_weight=0.015,
        style_weight=1.0,
        tv_weight=2.0,
        optimizer="adam",
        pooling="max",
        init="content",
        steps=3000,
        coarsest=128,
        margin=16,
        edge="replicate",
    ),
    # The same as of 2023 (commit e7e2c71): Gaussians instead of Gram matrices, mean squared errors.
    "crowson-2023": StylePreset(
        summary="Crowson's style-transfer-pytorch of 2023: Wasserstein distances of Gaussians.",
        variant="crowson-2023",
        style_loss="wasserstein",
        content_layers={"relu4_2": 1.0},
        style_layers=CROWSON_STYLE_LAYERS,
        content_weight=0.015,
        style_weight=1.0,
        tv_weight=2.0,
        optimizer="adam",
        pooling="max",
        init="content",
        steps=3000,
        coarsest=128,
        margin=16,
        edge="replicate",
    ),
    # Kolkin, Salavon, Shakhnarovich, CVPR 2019, and nkolkin13/STROTSS: its terms, with the weights of its
    # last scale at 512 px: 2 for the content (16, halved from each of the scales to the next), and 1 each for
    # the distance, the moments and (1/2 there) the colors. 250 steps at each of 64, 128, 256 and 512 px. What
    # differs: docs/style-transfer.md.
    "strotss-2019": StylePreset(
        summary="STROTSS: relaxed optimal transport of features, and self-similarity of the content.",
        variant="relative",
        style_loss="relaxed_emd",
        content_loss="self_similarity",
        content_layers=dict.fromkeys(STROTSS_LAYERS, 1 / 9),
        style_layers=dict.fromkeys(STROTSS_LAYERS, 1 / 9),
        content_weight=2.0,
        # 3 thirds, over the factor 0.4 that relaxed_emd has in this variant (worker/losses/choices.py).
        style_weight=7.5,
        optimizer="adam",
        pooling="max",
        init="content",
        steps=1000,
        coarsest=64,
        margin=16,
    ),
    # Kolkin et al., arXiv 2203.13215 (2022), and nkolkin13/NeuralNeighborStyleTransfer: the last pass of its
    # optimization, feature splitting, at all scales, of as many steps as all its passes: 200 at each of 64,
    # 128, 256 and 512 px and 200 more. The content loss and its weight are ours: docs/style-transfer.md.
    "nnst-2022": StylePreset(
        summary="NNST: each position becomes like the position of the style that is nearest to it.",
        variant="relative",
        style_loss="nearest_neighbors",
        content_loss="self_similarity",
        content_layers={"relu4_1": 1.0},
        style_layers=dict.fromkeys(NNST_LAYERS, 1.0),
        content_weight=1.0,
        style_weight=1.0,
        optimizer="adam",
        pooling="max",
        init="content",
        steps=1000,
        coarsest=64,
        margin=16,
    ),
}
