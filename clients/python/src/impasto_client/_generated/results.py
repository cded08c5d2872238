"""What jobs come to.

Derived from the API's description by clients/python/generate.py; edit that, not this.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from impasto_client._core.results import ResultPart


class AccuracySpread(ResultPart):
    """How far the accuracies of trainings that differ in chance are apart, 0 to 1."""

    trainings: int
    mean: float
    std: float
    """Standard deviation."""
    min: float
    max: float


class ActivationsResult(ResultPart):
    """Result of activations."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    size: int
    """Side in pixels of the square that the network is shown."""
    layers: list[LayerActivations]
    table: list[ChannelTableRow]
    """The first channels that are shown, 16 of a layer."""


class AdversarialResult(ResultPart):
    """Result of an attempt to deceive a classifier; with several variations there are `pictures`
    alone.
    """

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    saved: Judgement | None = None
    """Of the changed picture in 8 bits, as it is saved; null with `fooling`: as `after`."""
    confidence: float | None = None
    """With `fooling` only: the probability of the target, 0 to 1."""
    steps: int | None = None
    """With `fooling` only: steps taken."""
    accuracy: float | None = None
    """With `linear` only: of the linear classifier on pictures of its own, 0 to 1."""
    multiple: float | None = None
    """With `linear` only: what the weights are multiplied by, to be added."""
    success: bool | None = None
    """Whether the picture deceives. Null with several variations: see `pictures`."""
    before: Judgement | None = None
    """Of the picture as it was. Null with several variations: see `pictures`."""
    after: Judgement | None = None
    """Of the changed picture. Null with several variations: see `pictures`."""
    norms: Norms | None = None
    """Null with several variations: see `pictures`."""
    amplification: float | None = None
    """What the artifact `perturbation` is multiplied by. Null with several variations: see
    `pictures`.
    """
    pictures: list[DeceptionVariation] | None = None
    """With several variations only: the numbers of each, in order."""


class ArchitectureResult(ResultPart):
    """Result of a table of layers."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str | None = None
    """Null: a list of layers was given."""
    input: list[int]
    """Channels, height, width."""
    totals: ArchitectureTotals
    table: list[ArchitectureRow]
    rounded: list[RoundedSize]


class ArchitectureRow(ResultPart):
    """A layer. Null: it has no window of its own, or sees the whole input."""

    layer: str
    kind: str
    window: int | None
    """Side of its window."""
    window_stride: int | None
    padding: int | None
    output: list[int]
    """Channels, height, width; or units alone."""
    size: str | None
    """How its size is computed."""
    parameters: int
    multiply_adds: int
    values: int
    """Of its activations."""
    bytes: int
    """Of these values, in float32."""
    training_bytes: int
    """Of these values and their gradients."""
    receptive_field: int | None
    """Side in pixels of what a position sees."""
    stride: int | None
    """Pixels between positions."""


class ArchitectureTotals(ResultPart):
    """Sums over all layers, for one picture; bytes are of float32."""

    parameters: int
    parameter_bytes: int
    multiply_adds: int
    values: int
    """Of activations, the input's included."""
    bytes: int
    """Of these values."""
    inference_bytes: int
    """What the layer that needs the most takes at once."""
    training_bytes: int
    """Values and parameters, with gradients and momentum."""


class Ascent(ResultPart):
    """The objective of a picture, without penalties."""

    start: float
    end: float


class BaseSimilarity(ResultPart):
    """What says how similar a set is to what the base was trained on."""

    early_layer: str
    early_accuracy: float
    """Of a linear classifier on it, 0 to 1."""
    last_layer: str
    last_accuracy: float
    """Of a linear classifier on it, 0 to 1."""
    chance: float
    """Share of the commonest class, 0 to 1."""
    tested: int
    """Pictures."""
    similar: bool


class Calibration(ResultPart):
    """Whether probabilities mean what they say."""

    temperature: float
    """What scores are divided by before the softmax."""
    fitted_on: Literal["validation"] | None
    """Null: none was fitted."""
    ece_before: float
    """Expected calibration error at temperature 1, 0 to 1."""
    ece_after: float
    """Expected calibration error at this temperature, 0 to 1."""
    bins: list[CalibrationBin]
    """At this temperature."""


class CalibrationBin(ResultPart):
    """Pictures whose classes are given with a probability above `low`, up to `high`."""

    low: float
    """0 to 1."""
    high: float
    """0 to 1."""
    count: int
    confidence: float | None
    """Mean of these probabilities; null: no pictures."""
    accuracy: float | None
    """Share that is right; null: no pictures."""


class CellPicture(ResultPart):
    """A picture of a cell of the confusion matrix."""

    image: str | None
    """Its id; null: it has none."""
    name: str | None


class ChannelRow(ResultPart):
    """A channel over the positions of a layer."""

    channel: int
    """From 0."""
    mean: float
    max: float
    sparsity: float | None
    """Hoyer's: 0 where all positions are alike, 1 where one alone is not 0; null: all are 0."""
    zero_share: float
    """Positions that are exactly 0, 0 to 1."""
    dead: bool
    """Whether it is above 0 nowhere."""


class ChannelTableRow(ResultPart):
    """A channel that is shown."""

    channel: int
    """From 0."""
    mean: float
    max: float
    sparsity: float | None
    """Hoyer's: 0 where all positions are alike, 1 where one alone is not 0; null: all are 0."""
    zero_share: float
    """Positions that are exactly 0, 0 to 1."""
    dead: bool
    """Whether it is above 0 nowhere."""
    layer: str


class CheckedLayer(ResultPart):
    """The gradient of a layer's parameters."""

    layer: str
    parameters: int
    """Numbers that it has."""
    checked: int
    """Those that were compared."""
    kinks: int
    """Those that have no gradient to compare with."""
    small: int
    """Those whose error is not relative to the gradient."""
    gradient: float
    """Mean of the absolute values."""
    relative_error: float
    """The largest, without kinks; 0 is none."""
    verdict: Literal["good", "ok", "suspicious", "wrong"]


class CheckedNumber(ResultPart):
    """The gradient of one number of a parameter."""

    parameter: str
    index: list[int]
    """Its place in the parameter, from 0."""
    backpropagated: float
    difference: float
    """By centred differences."""
    relative_error: float
    """0 is none."""
    kink: bool
    """Whether there is no gradient to compare with."""
    small: bool
    """Whether the error is not relative to the gradient."""


class ClassCount(ResultPart):
    """Pictures of a set that are taken for a class."""

    network: str | None = None
    """Of networks that are compared, the one that answers."""
    class_: str = Field(alias="class")
    """Its name."""
    pictures: int
    mean_probability: float = Field(alias="mean probability")
    """Of these pictures, 0 to 1."""


class ClassMapResult(ResultPart):
    """Result of a class map."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    size: int
    """Longer side of the picture in pixels, at most."""
    class_: str = Field(alias="class")
    """The class of the map."""
    index: int
    """Its place among the network's classes, from 0."""
    probability: float
    """As the middle of the picture is classified, 0 to 1."""
    rows: int
    """Of the map."""
    columns: int
    """Of the map."""
    window: int
    """Side in pixels of what a position sees."""
    stride: int
    """Pixels between positions."""
    strongest: StrongestWindow
    common: list[CommonClass]
    """The commonest first."""


class ClassPicture(ResultPart):
    """A picture of a class, and what the network takes it for."""

    artifact: str
    """The file that it is: `image`, or `image_0`, `image_1`."""
    class_: str = Field(alias="class")
    """The class that was drawn."""
    index: int
    """Its place among the network's classes, from 0."""
    seed: int
    objective: Ascent
    logit: float
    """Its score before the softmax."""
    probability: float
    """0 to 1."""
    top: list[ClassRow]
    """The most likely classes, 5 at most."""


class ClassRow(ResultPart):
    """A class, and how likely it is."""

    class_: str = Field(alias="class")
    """Its name."""
    index: int
    """Its place among the network's classes, from 0."""
    probability: float
    """0 to 1."""


class ClassScoresRow(ResultPart):
    """How well a class is told from others. A share whose denominator is 0 is null."""

    class_: str = Field(alias="class")
    """Its name."""
    precision: float | None
    """Share of what is taken for it that is it, 0 to 1."""
    recall: float | None
    """Share of its pictures that are taken for it, 0 to 1."""
    f1: float | None
    """Harmonic mean of precision and recall, 0 to 1."""
    support: int
    """Pictures that are of it."""
    predicted: int
    """Pictures that are taken for it."""


class ClassVisualizationResult(ResultPart):
    """Result of a class visualization."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    size: int
    """Side of each picture in pixels."""
    pictures: list[ClassPicture]
    """The variations of each class, class by class."""


class Classified(ResultPart):
    """What a picture is taken for."""

    name: str
    """Name of its file, or its reference."""
    label: str | None = None
    """That of the set, if it has one."""
    network: str | None = None
    """Of networks that are compared, the one that answers."""
    top: list[ClassRow]
    """The most likely classes, as many as `top` says."""
    energy: float | None
    """It is minus the log of the sum of exponentials of the scores; null: the mean of several
    networks.
    """
    energies: list[float] | None = None
    """Of a mean, that of each network."""
    verdict: Literal["one of its classes", "none of its classes"] | None
    """By the energy; null: there is no threshold."""


class ClassifyResult(ResultPart):
    """Result of a classification: `top` of one picture, `pictures` of several, or counts of a set."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str | None = None
    """The network that answers. Null: several networks answer, see `networks`."""
    temperature: float | None = None
    """What its scores are divided by before the softmax. Null: several networks answer, see
    `networks`.
    """
    energy_threshold: float | None = None
    """An energy above it says that a picture is none of its classes; null: there is none."""
    networks: list[Voter] | None = None
    """If several answer."""
    ensemble: Literal["average", "compare"] | None = None
    """If several answer: how."""
    name: str | None = None
    """Of one picture: the name of its file, or its reference."""
    label: str | None = None
    """Of one picture of a set: its label."""
    top: list[ClassRow] = Field([])
    """Of one picture: the most likely classes."""
    energy: float | None = None
    """Of one picture: minus the log of the sum of exponentials of the scores; null: the mean of
    several networks.
    """
    energies: list[float] | None = None
    """Of one picture and a mean: of each network."""
    verdict: Literal["one of its classes", "none of its classes"] | None = None
    """Of one picture, by the energy; null: there is no threshold."""
    pictures: list[Classified] = Field([])
    """Of several pictures or networks compared: each."""
    pictures_total: int | None = None
    """Of a set: its pictures."""
    pictures_broken: int | None = None
    """Of a set: those that cannot be decoded."""
    classes_found: int | None = None
    """Of a set: classes that pictures are taken for."""
    none_of_its_classes: int | None = None
    """Of a set: pictures with that verdict."""
    table: list[ClassCount | dict[str, str]]
    """Of a set, its commonest classes, 100 at most; else a row of text for each answer: `name`,
    `network`, the classes `1` to `3`, `verdict`.
    """


class CommonClass(ResultPart):
    """A class that is the most likely at many positions."""

    class_: str = Field(alias="class")
    """Its name."""
    index: int
    """Its place among the network's classes, from 0."""
    share: float
    """Of the positions, 0 to 1."""


class ComparedLayer(ResultPart):
    """How well a linear classifier on a layer does."""

    layer: str
    channels: int
    accuracy: float | None
    """On the validation part, 0 to 1; null: there is none."""
    strength: float
    """That of L2."""


class Confused(ResultPart):
    """Pictures of a class that are taken for another."""

    class_: str = Field(alias="class")
    """The right class."""
    taken_for: str
    pictures: int


class ConfusionMatrix(ResultPart):
    """Pictures of each class, and what they are taken for."""

    part: Literal["train", "validation", "test"]
    labels: list[str]
    """The classes that are shown."""
    counts: list[list[int]]
    """A row for each right class, a column for what it is taken for."""
    pictures: dict[str, list[CellPicture]]
    """Some of each cell, by `row,column` from 0."""


class DamagedPicture(ResultPart):
    """A picture that could not be decoded."""

    name: str
    error: str
    """Why."""


class DamagedPictures(ResultPart):
    """The pictures of a set that could not be decoded, and were left out."""

    count: int
    pictures: list[DamagedPicture]
    """The first 20."""


class DeceptionVariation(ResultPart):
    """One of several pictures that are to deceive."""

    saved: Judgement | None = None
    """Of the changed picture in 8 bits, as it is saved; null with `fooling`: as `after`."""
    confidence: float | None = None
    """With `fooling` only: the probability of the target, 0 to 1."""
    steps: int | None = None
    """With `fooling` only: steps taken."""
    accuracy: float | None = None
    """With `linear` only: of the linear classifier on pictures of its own, 0 to 1."""
    multiple: float | None = None
    """With `linear` only: what the weights are multiplied by, to be added."""
    artifact: str
    """The file that it is: `image`, or `image_0`, `image_1`."""
    seed: int
    success: bool
    """Whether it deceives."""
    before: Judgement
    """Of the picture as it was."""
    after: Judgement
    """Of the changed picture."""
    norms: Norms
    amplification: float
    """What the artifact `perturbation` is multiplied by."""


class DeepDreamResult(ResultPart):
    """Result of a dream."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    objective: list[ObjectiveTerm]
    """Of the last frame, of each variation."""
    octaves: list[Size]
    """From the smallest to the last."""
    octaves_left_out: int
    """Those that were too small for the layers."""
    without_answer: list[str]
    """Layers that say nothing where the dream begins."""
    channels: dict[str, list[int]] | None = None
    """With `strongest` only: the channels that grew, by layer."""
    frames: int | None = None
    """Of a clip only: how many it has."""
    fps: float | None = None
    """Of a clip only: frames per second, on average."""
    sound: Literal["copied", "left out", "none"] | None = None
    """Of a clip only. Sound is copied into an MP4 at the clip's own rate: without `fps`, and if MP4
    has its codec.
    """
    pictures: list[DreamVariation] | None = None
    """With several variations only: the numbers of each, in order."""


class DreamVariation(ResultPart):
    """One of several dreams."""

    artifact: str
    """The file that it is: `image`, or `image_0`, `image_1`."""
    seed: int


class EmbeddingResult(ResultPart):
    """Result of an embedding."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    layer: str
    dimensions: int
    """Length of a code."""
    pictures: int
    """Those that were arranged."""
    set_size: int
    """Pictures of the set."""
    damaged: DamagedPictures
    neighbors_of_same_label: float | None
    """Labelled pictures whose nearest has their label, 0 to 1; null: none is labelled."""
    query: list[Neighbor] | None = None
    """With `image` only: what is like it."""
    probe: list[ProbedLayer] | None = None
    """With `probe` only."""
    probe_summary: ProbeSummary | None = None
    """With `probe` only."""


class EpochRow(ResultPart):
    """An epoch. Measures of a part without pictures are null."""

    epoch: int
    """From 1."""
    loss: float
    """In training, a mean."""
    accuracy: float | None
    """In training, 0 to 1."""
    rate: float
    """The learning rate at its end."""
    validation_loss: float | None
    validation_accuracy: float | None
    """0 to 1."""
    validation_macro_f1: float | None
    """0 to 1."""


class EvaluateResult(ResultPart):
    """Result of an evaluation."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str | None = None
    """The network that answers. Null: several networks answer, see `networks`."""
    temperature: float | None = None
    """What its scores are divided by before the softmax. Null: several networks answer, see
    `networks`.
    """
    energy_threshold: float | None = None
    """An energy above it says that a picture is none of its classes; null: there is none."""
    networks: list[Voter] | None = None
    """If several answer, with the mean of theirs."""
    summary: EvaluationSummary
    most_confused: list[Confused]
    """The 20 pairs with the most pictures."""
    table: list[ClassScoresRow]
    """Measures by class, the worst first, 100 at most."""


class EvaluationSummary(ResultPart):
    """Measures of a whole set."""

    pictures: int
    """Those that are counted."""
    without_label: int
    """Pictures that are left out."""
    broken: int
    """Pictures that cannot be decoded, and are left out."""
    classes: int
    """Classes that the set has."""
    top1_error: float
    """Share whose class is not the most likely, 0 to 1."""
    top5_error: float
    """Share whose class is not among the five most likely, 0 to 1."""
    macro_precision: float | None
    """Mean over classes, 0 to 1."""
    macro_recall: float | None
    """Mean over classes, 0 to 1."""
    macro_f1: float | None
    """Mean over classes, 0 to 1."""


class ExportNetworkResult(ResultPart):
    """Result of an export as an ONNX model."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    input: ModelInput
    outputs: dict[str, list[int | str]]
    """Shapes by name; a letter: any number."""
    opset: int
    """Of ONNX."""
    bytes: int
    """Size of the model's file."""
    sha256: str
    """Hash of the network's weights, in hex."""


class FeatureInversionResult(ResultPart):
    """Result of a feature inversion."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    pictures: list[Reconstruction]
    """Of each seed, of each layer."""


class FeatureVisualizationResult(ResultPart):
    """Result of a feature visualization."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    size: int
    """Side of each picture in pixels."""
    pictures: list[UnitPicture]
    """The variations of each side of each unit."""


class FiltersResult(ResultPart):
    """Result of filters."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    filters: list[LayerFilters]
    """Of the network, and of the one beside it."""


class Float32Modes(ResultPart):
    """How a CUDA device multiplied float32 numbers: `ieee`, `tf32` or `bf16`."""

    matmul: str
    """In products of matrices."""
    convolution: str
    """In convolutions."""


class GradientCheckResult(ResultPart):
    """Result of a gradient check."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    verdict: Literal["good", "ok", "suspicious", "wrong"]
    loss: float
    """Of the random pictures."""
    relative_error: float
    """The largest, without kinks; 0 is none."""
    checked: int
    """Numbers that were compared."""
    kinks: int
    """Those that have no gradient to compare with."""
    small: int
    """Those whose error is not relative to the gradient."""
    layers: list[CheckedLayer]
    """From the picture on."""
    worst: list[CheckedNumber]
    """Those with the largest errors, 12 at most."""


class ImportMembersResult(ResultPart):
    """Result of an import of a ZIP into a set."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    dataset: str
    """The id of the set."""
    sha256: str | None
    """Hash of its content, in hex; null: it is open."""
    pictures: int
    """Those in the ZIP."""
    added: int
    """New members."""
    duplicates: int
    """New members whose picture another member has, too."""
    present: int
    """Those that were there already."""
    ignored: int
    """Files that are no pictures."""
    skipped: list[SkippedPicture]
    """Pictures that cannot be used, the first of them."""
    skipped_count: int
    """All of them."""
    labels: int
    """Labels that pictures have."""
    without_label: int
    """Pictures without one."""
    rows_without_picture: list[str]
    """Of the table of labels, the first of them."""
    rows_without_picture_count: int
    """All of them."""


class Judgement(ResultPart):
    """What a classifier takes a picture for."""

    class_: str = Field(alias="class")
    """The most likely class."""
    index: int
    """Its place among the classes, from 0."""
    probability: float
    """0 to 1."""
    top: list[ClassRow]
    """The most likely classes, 5 at most."""
    score: float | None = None
    """Of a linear classifier only: above 0, it is the second class."""


class LayerActivations(ResultPart):
    """A layer for one picture."""

    layer: str
    shape: list[int]
    """Channels, rows, columns; or units alone."""
    mean: float
    max: float
    sparsity: float | None
    """Mean of the channels that have one."""
    zero_share: float
    """Values that are exactly 0, 0 to 1."""
    dead_count: int
    """Channels that are above 0 nowhere."""
    dead: list[int]
    """These channels, from 0."""
    strongest: list[ChannelRow]
    """Those with the largest means above 0, 5 at most."""


class LayerFilters(ResultPart):
    """The filters of a convolution."""

    network: str
    layer: str
    part: str | None
    """Of the layer; null: the layer is the convolution."""
    shape: list[int]
    """Filters, channels that each sees, height, width."""
    depthwise: bool
    """Whether each sees one channel."""
    channels: list[int]
    """Filters that are shown, from 0."""
    largest: float
    """The largest absolute value of all weights."""
    rms: float
    """Root of the mean square of all weights."""


class LearningRateRangeResult(ResultPart):
    """Result of a learning-rate range test."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    suggestion: RateSuggestion
    points: list[RateStep]
    damaged: DamagedPictures


class MakeDatasetResult(ResultPart):
    """Result of making a built-in set."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    dataset: str
    """The id of the set."""
    sha256: str | None
    """Hash of its content, in hex."""
    members: int
    """Pictures that it has."""


class MaxPatchesResult(ResultPart):
    """Result of a search for the strongest patches."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    layer: str
    projection: Literal["none", "deconvnet", "guided"]
    """How activations become pixels."""
    pictures: int
    """Those that were looked at."""
    damaged: DamagedPictures
    channels: list[int]
    """Those that are shown, from 0."""
    never_excited: int
    """Channels that no picture excites."""
    table: list[PatchRow]


class Mistake(ResultPart):
    """A picture that is taken for another class."""

    name: str
    image: str | None
    """Its id; null: it has none."""
    label: str
    """The right class."""
    taken_for: str
    probability: float
    """Of what it is taken for, 0 to 1."""


class ModelInput(ResultPart):
    """What an ONNX model takes."""

    name: str
    shape: list[int | str]
    """Pictures, channels, height, width; a letter: any number."""
    range: list[int]
    """The lowest and the highest value of a pixel."""


class Neighbor(ResultPart):
    """A picture that is like another."""

    name: str
    label: str | None
    similarity: float
    """Cosine of the codes, -1 to 1."""


class Neuron(ResultPart):
    """A neuron of a layer."""

    layer: str
    channel: int
    """From 0."""
    position: list[int] | None
    """Row and column from 0; null: the layer has no positions."""
    activation: float


class Norms(ResultPart):
    """The size of a change, in levels of 0 to 255."""

    linf: float
    """The largest change of a value."""
    l2: float
    """Root of the sum of squares."""


class ObjectiveTerm(ResultPart):
    """A term of what a dream makes larger."""

    artifact: str | None = None
    """With several variations only: the picture."""
    term: str
    """Its layer, or `total`."""
    before: float | None
    """Where the last octave of the last frame began; null: unknown."""
    after: float


class OccludedSquare(ResultPart):
    """What a square in front of the picture does."""

    top: int
    """Upper edge in pixels."""
    left: int
    """Left edge in pixels."""
    probability: float
    """Of the class, 0 to 1."""
    drop: float
    """What the probability loses, -1 to 1."""
    winner: str
    """The class that is the most likely."""
    winner_index: int
    """Its place among the network's classes, from 0."""


class OcclusionResult(ResultPart):
    """Result of an occlusion."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    class_: str = Field(alias="class")
    """The class that is followed."""
    index: int
    """Its place among the network's classes, from 0."""
    probability: float
    """Without a square, 0 to 1."""
    top: list[ClassRow]
    """The most likely classes without a square, 5 at most."""
    size: int
    """Side in pixels of the square that the network is shown."""
    window: int
    """Side of the hiding square in pixels."""
    stride: int
    """Pixels between squares."""
    positions: int
    """Squares in all."""
    largest_drop: OccludedSquare
    lowest: float
    """The lowest probability, 0 to 1."""
    highest: float
    """The highest probability, 0 to 1."""
    changed_positions: int
    """Squares that make another class win."""
    changed: list[OccludedSquare]
    """These squares, 200 at most."""


class PartSizes(ResultPart):
    """Pictures of each part of a set."""

    train: int
    validation: int
    test: int


class PatchRow(ResultPart):
    """A patch that excites a channel, by the pixels that it is made of."""

    top: int
    left: int
    bottom: int
    right: int
    channel: int
    """From 0."""
    rank: int
    """From 1, the strongest."""
    activation: float
    picture: str
    """The name of the member."""
    position: list[int]
    """Row and column of the layer, from 0."""


class PixelEdges(ResultPart):
    """Pixels from `top` and `left` to just before `bottom` and `right`."""

    top: int
    left: int
    bottom: int
    right: int


class ProbeSummary(ResultPart):
    """What probes learned from."""

    labels: int
    """How many there are."""
    trained_on: int
    """Pictures."""
    tested_on: int
    """Pictures."""
    chance: float
    """Accuracy of always saying the commonest label, 0 to 1."""


class ProbedLayer(ResultPart):
    """How well the labels can be read off a layer."""

    layer: str
    dimensions: int
    """Length of its codes."""
    accuracy: float
    """On held-out pictures, 0 to 1."""


class PullWeightsResult(ResultPart):
    """Result of a download of weights."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    sha256: str
    """Hash of the weights as they are kept, in hex."""
    file_sha256: str
    """Hash of the file that was downloaded, in hex."""
    layers: list[str]
    """Layers that have weights here."""
    source: str
    """Where they are from, and their licence."""


class RateStep(ResultPart):
    """A step of a learning-rate range test."""

    rate: float
    loss: float
    """Of its batch."""
    smoothed: float
    """Moving average of the losses."""


class RateSuggestion(ResultPart):
    """What a learning-rate range test says."""

    learning_rate: float | None
    """In the valley; null: it diverged too early to say."""
    tenth_of_lowest: float | None
    """A tenth of the rate of the lowest loss."""
    diverged_at: float | None
    """The rate where it did; null: it did not."""


class Recipe(ResultPart):
    """What is needed to make the same result again, bit for bit."""

    kind: str
    """The kind of job."""
    params: dict[str, Any]
    """As resolved: nothing is left to a preset."""
    inputs: dict[str, list[str]]
    """SHA-256 of pictures and sets, in hex, by param."""
    network: UsedNetwork | None
    """Null: none was needed."""
    further_networks: list[UsedNetwork]
    """Those beside it."""
    seed: int | None
    """Null: nothing is left to chance."""
    device: str
    """`cpu`, `cuda:0`; several, with commas, of a training."""
    processor: str
    """The name of the GPU, or the instruction set used of the CPU."""
    dtype: str
    """Of activations: `float32` or `bfloat16`."""
    threads: int
    """Threads of the CPU."""
    stack_size: int
    """Jobs that were computed together, this one included."""
    float32: Float32Modes | None
    """Null: the device is no CUDA device."""
    impasto: str
    """Version of the service."""
    torch: str
    """Version of PyTorch."""
    pillow: str
    """Version of Pillow."""


class Reconstruction(ResultPart):
    """A picture reconstructed from a layer."""

    artifact: str
    """The file that it is: `image`, or `image_0`, `image_1`."""
    layer: str
    seed: int
    relative_error: RelativeError
    losses: dict[str, float]
    """Weighted terms of the loss by dotted name, such as `style.relu3_1`; `total` is their sum."""
    rollbacks: int
    """Times that it went back to its best picture, as the loss grew."""


class Reduction(ResultPart):
    """What a descent took less memory with, after there was too little, from a step on."""

    artifact: str | None = None
    """With several variations only: the picture."""
    step: int
    """The last one before; 0: from the first on."""
    tile_bytes: int
    """Most bytes for the activations of a tile."""
    dtype: str
    """Of activations."""
    history: int
    """Most pairs of steps and gradients that L-BFGS keeps."""


class RelativeError(ResultPart):
    """The distance of the features from those of the picture, relative to the norm of these; 0 is
    equal.
    """

    start: float
    end: float


class RoundedSize(ResultPart):
    """A size that is not whole."""

    layer: str
    size: str
    """The division."""
    rounding: Literal["floor", "ceil"]
    result: int


class RunRow(ResultPart):
    """One of several trainings, with the params that `search` tries, by name."""

    run: int
    """From 1."""
    fold: int | None = None
    """Of a cross-validation, from 1."""
    epochs: int
    best_epoch: int | None
    accuracy: float | None
    """On the validation part, 0 to 1."""
    macro_f1: float | None
    """On the validation part, 0 to 1."""
    loss: float | None
    """On the validation part."""
    kept: bool
    """Whether the network is of it."""


class SaliencyMethod(ResultPart):
    """A map, and the numbers of integrated gradients."""

    method: str
    score_difference: float | None = None
    """Of integrated gradients only: score of the picture minus that of the baseline."""
    attributed: float | None = None
    """Of integrated gradients only: sum of the map."""
    completeness_error: float | None = None
    """Of integrated gradients only: how far these are apart, relative to the first."""


class SaliencyResult(ResultPart):
    """Result of saliency: of a class, or with `layer` of a `neuron`."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    size: int
    """Side in pixels of the square that the network is shown."""
    class_: str | None = Field(None, alias="class")
    """The class that is explained."""
    index: int | None = None
    """Its place among the network's classes, from 0."""
    probability: float | None = None
    """Of this class, 0 to 1."""
    logit: float | None = None
    """Its score before the softmax."""
    top: list[ClassRow] = Field([])
    """The most likely classes, 5 at most."""
    neuron: Neuron | None = None
    """The neuron that is explained."""
    cam_layer: str | None
    """The layer of class activation maps; null: there are none."""
    methods: list[SaliencyMethod]


class ScaleReport(ResultPart):
    """The descent at one size of the picture."""

    artifact: str | None = None
    """With several variations only: the picture."""
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    steps: int
    """Evaluations of the loss."""
    losses: dict[str, float]
    """Weighted terms of the loss by dotted name, such as `style.relu3_1`; `total` is their sum."""
    rollbacks: int
    """Times that it went back to its best picture, as the loss grew."""


class Size(ResultPart):
    """The size of a picture."""

    width: int
    """In pixels."""
    height: int
    """In pixels."""


class SkippedPicture(ResultPart):
    """A picture that was not taken into a set."""

    name: str
    reason: str


class StrengthTrial(ResultPart):
    """A strength of L2, and what it does on the validation part; null: there is none."""

    strength: float
    accuracy: float | None
    """0 to 1."""
    macro_f1: float | None
    """0 to 1."""
    loss: float | None


class StrongestWindow(ResultPart):
    """Where a class is the most likely."""

    position: list[int]
    """Row and column of the map, from 0."""
    probability: float
    """Of the class, 0 to 1."""
    logit: float
    """Its score before the softmax."""
    box: PixelEdges


class StyleTransferResult(ResultPart):
    """Result of style transfer."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    losses: dict[str, float]
    """Weighted terms of the loss by dotted name, such as `style.relu3_1`; `total` is their sum. With
    `style_masks` those of style have the place of the style, from 0: `style.0.relu3_1`.
    """
    scales: list[ScaleReport]
    """From the smallest size to the last."""
    rollbacks: int
    """Of all scales."""
    dtype: str
    """Of activations: `float32` or `bfloat16`."""
    reductions: list[Reduction] | None = None
    """Only if memory was short: what was given up for it, one after the other."""


class TextureSynthesisResult(ResultPart):
    """Result of texture synthesis."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    width: int
    """In pixels."""
    height: int
    """In pixels."""
    texture: Size
    """The size at which the example was seen."""
    dtype: str
    """Of activations: `float32` or `bfloat16`."""
    scales: list[ScaleReport]
    """From the smallest size to the last, of each variation."""
    losses: dict[str, float] | None = None
    """Weighted terms of the loss by dotted name, such as `style.relu3_1`; `total` is their sum. Null
    with several variations: see `pictures`.
    """
    rollbacks: int | None = None
    """Of all scales. Null with several variations: see `pictures`."""
    pictures: list[TextureVariation] | None = None
    """With several variations only: the numbers of each, in order."""
    reductions: list[Reduction] | None = None
    """Only if memory was short: what was given up for it, one after the other."""


class TextureVariation(ResultPart):
    """One of several textures."""

    artifact: str
    """The file that it is: `image`, or `image_0`, `image_1`."""
    seed: int
    losses: dict[str, float]
    """Weighted terms of the loss by dotted name, such as `style.relu3_1`; `total` is their sum."""
    rollbacks: int
    """Of all scales."""


class TrainResult(ResultPart):
    """Result of a training. Measures are of `part`."""

    compute_seconds: float
    """Seconds that it was computed for."""
    recipe: Recipe
    network: str
    """The name that the network got."""
    part: Literal["train", "validation", "test"]
    """The part that measures are of; others than `test` are too good."""
    val_accuracy: float | None
    """Share that is right, 0 to 1; null: no such part."""
    test_accuracy: float | None
    """Share that is right, 0 to 1; null: no such part."""
    top5: float
    """Share whose class is among the five most likely, 0 to 1."""
    macro_f1: float | None
    """Mean over classes, 0 to 1."""
    classes: list[str]
    """In the order of the network's scores."""
    split: PartSizes
    best_epoch: int | None
    """The one that was kept, from 1; null: the last."""
    epochs: int
    """Of the training that was kept; 0: it was solved for."""
    history: list[EpochRow]
    """Evenly spaced ones, 1000 at most."""
    confusion: ConfusionMatrix
    per_class: list[ClassScoresRow]
    """Of each class in order; of many, the worst 100."""
    mistakes: list[Mistake]
    """The surest first, 24 at most."""
    calibration: Calibration
    notes: list[str]
    """What the numbers do not mean."""
    parameters: int
    """Numbers that the network has."""
    runs: list[RunRow]
    """Of several trainings only."""
    spread: AccuracySpread | None
    """Of several trainings that differ in chance only."""
    damaged: DamagedPictures
    ended_early: bool
    """Whether it was asked to."""
    found_learning_rate: float | None = None
    """With `find_learning_rate` only."""
    compare_layers: list[ComparedLayer] = Field([])
    """With a frozen base and such layers only."""
    suggestion: TransferSuggestion | None = None
    """With a frozen base only."""
    transfer: TransferChoice | None = None
    """With a frozen base only."""


class TransferChoice(ResultPart):
    """How the classifier on the base was chosen."""

    way: Literal["svm", "head", "last", "all"]
    layer: str
    strength: float
    """That of L2."""
    trials: list[StrengthTrial]


class TransferSuggestion(ResultPart):
    """The way of transfer that suits the set."""

    transfer: Literal["svm", "head", "last", "all"]
    text: str
    """Why."""
    pictures_per_class: int
    """Of the training part, the median."""
    similarity: BaseSimilarity | None
    """Null: too few pictures to measure it."""


class UnitPicture(ResultPart):
    """A picture of a unit."""

    artifact: str
    """The file that it is: `image`, or `image_0`, `image_1`."""
    unit: str
    """Such as `relu3_1:4`, a channel, or `relu3_1`, a layer."""
    side: Literal["positive", "negative"]
    """What excites the unit, or the opposite."""
    seed: int
    objective: Ascent
    """Of the negative side, minus what the unit is."""
    cosine: float | None = None
    """Of an example only: how like it it is, -1 to 1."""


class UsedNetwork(ResultPart):
    """A network that a result was computed with."""

    name: str
    """As it was called then."""
    sha256: str | None
    """Hash of its weights, in hex; null: it was used without weights."""


class Voter(ResultPart):
    """A network that answers."""

    network: str
    temperature: float
    """What its scores are divided by before the softmax."""
    energy_threshold: float | None
    """An energy above it says that a picture is none of its classes; null: there is none."""


RESULTS: dict[str, type[ResultPart]] = {
    "style_transfer": StyleTransferResult,
    "deep_dream": DeepDreamResult,
    "class_visualization": ClassVisualizationResult,
    "feature_visualization": FeatureVisualizationResult,
    "feature_inversion": FeatureInversionResult,
    "texture_synthesis": TextureSynthesisResult,
    "adversarial": AdversarialResult,
    "classify": ClassifyResult,
    "saliency": SaliencyResult,
    "occlusion": OcclusionResult,
    "class_map": ClassMapResult,
    "activations": ActivationsResult,
    "filters": FiltersResult,
    "max_patches": MaxPatchesResult,
    "embedding": EmbeddingResult,
    "evaluate": EvaluateResult,
    "architecture": ArchitectureResult,
    "gradient_check": GradientCheckResult,
    "train": TrainResult,
    "learning_rate_range": LearningRateRangeResult,
    "export_network": ExportNetworkResult,
    "pull_weights": PullWeightsResult,
    "import_members": ImportMembersResult,
    "make_dataset": MakeDatasetResult,
}

__all__ = [
    "AccuracySpread",
    "ActivationsResult",
    "AdversarialResult",
    "ArchitectureResult",
    "ArchitectureRow",
    "ArchitectureTotals",
    "Ascent",
    "BaseSimilarity",
    "Calibration",
    "CalibrationBin",
    "CellPicture",
    "ChannelRow",
    "ChannelTableRow",
    "CheckedLayer",
    "CheckedNumber",
    "ClassCount",
    "ClassMapResult",
    "ClassPicture",
    "ClassRow",
    "ClassScoresRow",
    "ClassVisualizationResult",
    "Classified",
    "ClassifyResult",
    "CommonClass",
    "ComparedLayer",
    "Confused",
    "ConfusionMatrix",
    "DamagedPicture",
    "DamagedPictures",
    "DeceptionVariation",
    "DeepDreamResult",
    "DreamVariation",
    "EmbeddingResult",
    "EpochRow",
    "EvaluateResult",
    "EvaluationSummary",
    "ExportNetworkResult",
    "FeatureInversionResult",
    "FeatureVisualizationResult",
    "FiltersResult",
    "Float32Modes",
    "GradientCheckResult",
    "ImportMembersResult",
    "Judgement",
    "LayerActivations",
    "LayerFilters",
    "LearningRateRangeResult",
    "MakeDatasetResult",
    "MaxPatchesResult",
    "Mistake",
    "ModelInput",
    "Neighbor",
    "Neuron",
    "Norms",
    "ObjectiveTerm",
    "OccludedSquare",
    "OcclusionResult",
    "PartSizes",
    "PatchRow",
    "PixelEdges",
    "ProbeSummary",
    "ProbedLayer",
    "PullWeightsResult",
    "RateStep",
    "RateSuggestion",
    "Recipe",
    "Reconstruction",
    "Reduction",
    "RelativeError",
    "RoundedSize",
    "RunRow",
    "SaliencyMethod",
    "SaliencyResult",
    "ScaleReport",
    "Size",
    "SkippedPicture",
    "StrengthTrial",
    "StrongestWindow",
    "StyleTransferResult",
    "TextureSynthesisResult",
    "TextureVariation",
    "TrainResult",
    "TransferChoice",
    "TransferSuggestion",
    "UnitPicture",
    "UsedNetwork",
    "Voter",
]
