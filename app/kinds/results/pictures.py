"""Results of the kinds that make pictures."""

from typing import Literal

from pydantic import Field

from app.kinds.results.base import ClassRow, Result, Row, Size

LOSSES = "Weighted terms of the loss by dotted name, such as `style.relu3_1`; `total` is their sum."
REGIONS = "With `style_masks` those of style have the place of the style, from 0: `style.0.relu3_1`."
VARIATION = "Null with several variations: see `pictures`."
PICTURES = "With several variations only: the numbers of each, in order."
REDUCTIONS = "Only if memory was short: what was given up for it, one after the other."
ARTIFACT = "The file that it is: `image`, or `image_0`, `image_1`."


class Reduction(Row):
    """What a descent took less memory with, after there was too little, from a step on."""

    artifact: str | None = Field(None, description="With several variations only: the picture.")
    step: int = Field(description="The last one before; 0: from the first on.")
    tile_bytes: int = Field(description="Most bytes for the activations of a tile.")
    dtype: str = Field(description="Of activations.")
    history: int = Field(description="Most pairs of steps and gradients that L-BFGS keeps.")


class ScaleReport(Row):
    """The descent at one size of the picture."""

    artifact: str | None = Field(None, description="With several variations only: the picture.")
    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    steps: int = Field(description="Evaluations of the loss.")
    losses: dict[str, float] = Field(description=LOSSES)
    rollbacks: int = Field(description="Times that it went back to its best picture, as the loss grew.")


class StyleTransferResult(Result):
    """Result of style transfer."""

    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    losses: dict[str, float] = Field(description=f"{LOSSES} {REGIONS}")
    scales: list[ScaleReport] = Field(description="From the smallest size to the last.")
    rollbacks: int = Field(description="Of all scales.")
    dtype: str = Field(description="Of activations: `float32` or `bfloat16`.")
    reductions: list[Reduction] | None = Field(None, description=REDUCTIONS)


class TextureVariation(Row):
    """One of several textures."""

    artifact: str = Field(description=ARTIFACT)
    seed: int
    losses: dict[str, float] = Field(description=LOSSES)
    rollbacks: int = Field(description="Of all scales.")


class TextureSynthesisResult(Result):
    """Result of texture synthesis."""

    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    texture: Size = Field(description="The size at which the example was seen.")
    dtype: str = Field(description="Of activations: `float32` or `bfloat16`.")
    scales: list[ScaleReport] = Field(description="From the smallest size to the last, of each variation.")
    losses: dict[str, float] | None = Field(None, description=f"{LOSSES} {VARIATION}")
    rollbacks: int | None = Field(None, description=f"Of all scales. {VARIATION}")
    pictures: list[TextureVariation] | None = Field(None, description=PICTURES)
    reductions: list[Reduction] | None = Field(None, description=REDUCTIONS)


class ObjectiveTerm(Row):
    """A term of what a dream makes larger."""

    artifact: str | None = Field(None, description="With several variations only: the picture.")
    term: str = Field(description="Its layer, or `total`.")
    before: float | None = Field(description="Where the last octave of the last frame began; null: unknown.")
    after: float


class DreamVariation(Row):
    """One of several dreams."""

    artifact: str = Field(description=ARTIFACT)
    seed: int


# Of a clip: whether it has sound, and whether the video that was made of it has it, too.
Sound = Literal["copied", "left out", "none"]


class DeepDreamResult(Result):
    """Result of a dream."""

    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    objective: list[ObjectiveTerm] = Field(description="Of the last frame, of each variation.")
    octaves: list[Size] = Field(description="From the smallest to the last.")
    octaves_left_out: int = Field(description="Those that were too small for the layers.")
    without_answer: list[str] = Field(description="Layers that say nothing where the dream begins.")
    channels: dict[str, list[int]] | None = Field(
        None, description="With `strongest` only: the channels that grew, by layer."
    )
    frames: int | None = Field(None, description="Of a clip only: how many it has.")
    fps: float | None = Field(None, description="Of a clip only: frames per second, on average.")
    sound: Sound | None = Field(
        None,
        description="Of a clip only. Sound is copied into an MP4 at the clip's own rate: without `fps`, and "
        "if MP4 has its codec.",
    )
    pictures: list[DreamVariation] | None = Field(None, description=PICTURES)


class Ascent(Row):
    """The objective of a picture, without penalties."""

    start: float
    end: float


class ClassPicture(Row):
    """A picture of a class, and what the network takes it for."""

    artifact: str = Field(description=ARTIFACT)
    class_: str = Field(alias="class", description="The class that was drawn.")
    index: int = Field(description="Its place among the network's classes, from 0.")
    seed: int
    objective: Ascent
    logit: float = Field(description="Its score before the softmax.")
    probability: float = Field(description="0 to 1.")
    top: list[ClassRow] = Field(description="The most likely classes, 5 at most.")


class ClassVisualizationResult(Result):
    """Result of a class visualization."""

    size: int = Field(description="Side of each picture in pixels.")
    pictures: list[ClassPicture] = Field(description="The variations of each class, class by class.")


class UnitPicture(Row):
    """A picture of a unit."""

    artifact: str = Field(description=ARTIFACT)
    unit: str = Field(description="Such as `relu3_1:4`, a channel, or `relu3_1`, a layer.")
    side: Literal["positive", "negative"] = Field(description="What excites the unit, or the opposite.")
    seed: int
    objective: Ascent = Field(description="Of the negative side, minus what the unit is.")
    cosine: float | None = Field(None, description="Of an example only: how like it it is, -1 to 1.")


class FeatureVisualizationResult(Result):
    """Result of a feature visualization."""

    size: int = Field(description="Side of each picture in pixels.")
    pictures: list[UnitPicture] = Field(description="The variations of each side of each unit.")


class RelativeError(Row):
    """The distance of the features from those of the picture, relative to the norm of these; 0 is equal."""

    start: float
    end: float


class Reconstruction(Row):
    """A picture reconstructed from a layer."""

    artifact: str = Field(description=ARTIFACT)
    layer: str
    seed: int
    relative_error: RelativeError
    losses: dict[str, float] = Field(description=LOSSES)
    rollbacks: int = Field(description="Times that it went back to its best picture, as the loss grew.")


class FeatureInversionResult(Result):
    """Result of a feature inversion."""

    width: int = Field(description="In pixels.")
    height: int = Field(description="In pixels.")
    pictures: list[Reconstruction] = Field(description="Of each seed, of each layer.")


class Judgement(Row):
    """What a classifier takes a picture for."""

    class_: str = Field(alias="class", description="The most likely class.")
    index: int = Field(description="Its place among the classes, from 0.")
    probability: float = Field(description="0 to 1.")
    top: list[ClassRow] = Field(description="The most likely classes, 5 at most.")
    score: float | None = Field(
        None, description="Of a linear classifier only: above 0, it is the second class."
    )


class Norms(Row):
    """The size of a change, in levels of 0 to 255."""

    linf: float = Field(description="The largest change of a value.")
    l2: float = Field(description="Root of the sum of squares.")


class DeceptionByWay(Row):
    """Numbers that only some methods have."""

    saved: Judgement | None = Field(
        None, description="Of the changed picture in 8 bits, as it is saved; null with `fooling`: as `after`."
    )
    confidence: float | None = Field(
        None, description="With `fooling` only: the probability of the target, 0 to 1."
    )
    steps: int | None = Field(None, description="With `fooling` only: steps taken.")
    accuracy: float | None = Field(
        None, description="With `linear` only: of the linear classifier on pictures of its own, 0 to 1."
    )
    multiple: float | None = Field(
        None, description="With `linear` only: what the weights are multiplied by, to be added."
    )


class DeceptionVariation(DeceptionByWay):
    """One of several pictures that are to deceive."""

    artifact: str = Field(description=ARTIFACT)
    seed: int
    success: bool = Field(description="Whether it deceives.")
    before: Judgement = Field(description="Of the picture as it was.")
    after: Judgement = Field(description="Of the changed picture.")
    norms: Norms
    amplification: float = Field(description="What the artifact `perturbation` is multiplied by.")


class AdversarialResult(DeceptionByWay, Result):
    """Result of an attempt to deceive a classifier; with several variations there are `pictures` alone."""

    success: bool | None = Field(None, description=f"Whether the picture deceives. {VARIATION}")
    before: Judgement | None = Field(None, description=f"Of the picture as it was. {VARIATION}")
    after: Judgement | None = Field(None, description=f"Of the changed picture. {VARIATION}")
    norms: Norms | None = Field(None, description=VARIATION)
    amplification: float | None = Field(
        None, description=f"What the artifact `perturbation` is multiplied by. {VARIATION}"
    )
    pictures: list[DeceptionVariation] | None = Field(None, description=PICTURES)
