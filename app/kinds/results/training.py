"""Results of training, of its learning rates, and of checks of gradients."""

from typing import Literal

from pydantic import ConfigDict, Field

from app.kinds.results.base import ClassScoresRow, DamagedPictures, Result, Row
from app.kinds.transferring import Way

Part = Literal["train", "validation", "test"]
CheckVerdict = Literal["good", "ok", "suspicious", "wrong"]


class PartSizes(Row):
    """Pictures of each part of a set."""

    train: int
    validation: int
    test: int


class EpochRow(Row):
    """An epoch. Measures of a part without pictures are null."""

    epoch: int = Field(description="From 1.")
    loss: float = Field(description="In training, a mean.")
    accuracy: float | None = Field(description="In training, 0 to 1.")
    rate: float = Field(description="The learning rate at its end.")
    validation_loss: float | None
    validation_accuracy: float | None = Field(description="0 to 1.")
    validation_macro_f1: float | None = Field(description="0 to 1.")


class CellPicture(Row):
    """A picture of a cell of the confusion matrix."""

    image: str | None = Field(description="Its id; null: it has none.")
    name: str | None


class ConfusionMatrix(Row):
    """Pictures of each class, and what they are taken for."""

    part: Part
    labels: list[str] = Field(description="The classes that are shown.")
    counts: list[list[int]] = Field(
        description="A row for each right class, a column for what it is taken for."
    )
    pictures: dict[str, list[CellPicture]] = Field(description="Some of each cell, by `row,column` from 0.")


class Mistake(Row):
    """A picture that is taken for another class."""

    name: str
    image: str | None = Field(description="Its id; null: it has none.")
    label: str = Field(description="The right class.")
    taken_for: str
    probability: float = Field(description="Of what it is taken for, 0 to 1.")


class CalibrationBin(Row):
    """Pictures whose classes are given with a probability above `low`, up to `high`."""

    low: float = Field(description="0 to 1.")
    high: float = Field(description="0 to 1.")
    count: int
    confidence: float | None = Field(description="Mean of these probabilities; null: no pictures.")
    accuracy: float | None = Field(description="Share that is right; null: no pictures.")


class Calibration(Row):
    """Whether probabilities mean what they say."""

    temperature: float = Field(description="What scores are divided by before the softmax.")
    fitted_on: Literal["validation"] | None = Field(description="Null: none was fitted.")
    ece_before: float = Field(description="Expected calibration error at temperature 1, 0 to 1.")
    ece_after: float = Field(description="Expected calibration error at this temperature, 0 to 1.")
    bins: list[CalibrationBin] = Field(description="At this temperature.")


class RunRow(Row):
    """One of several trainings, with the params that `search` tries, by name."""

    model_config = ConfigDict(extra="allow")

    run: int = Field(description="From 1.")
    fold: int | None = Field(None, description="Of a cross-validation, from 1.")
    epochs: int
    best_epoch: int | None
    accuracy: float | None = Field(description="On the validation part, 0 to 1.")
    macro_f1: float | None = Field(description="On the validation part, 0 to 1.")
    loss: float | None = Field(description="On the validation part.")
    kept: bool = Field(description="Whether the network is of it.")


class AccuracySpread(Row):
    """How far the accuracies of trainings that differ in chance are apart, 0 to 1."""

    trainings: int
    mean: float
    std: float = Field(description="Standard deviation.")
    min: float
    max: float


class ComparedLayer(Row):
    """How well a linear classifier on a layer does."""

    layer: str
    channels: int
    accuracy: float | None = Field(description="On the validation part, 0 to 1; null: there is none.")
    strength: float = Field(description="That of L2.")


class BaseSimilarity(Row):
    """What says how similar a set is to what the base was trained on."""

    early_layer: str
    early_accuracy: float = Field(description="Of a linear classifier on it, 0 to 1.")
    last_layer: str
    last_accuracy: float = Field(description="Of a linear classifier on it, 0 to 1.")
    chance: float = Field(description="Share of the commonest class, 0 to 1.")
    tested: int = Field(description="Pictures.")
    similar: bool


class TransferSuggestion(Row):
    """The way of transfer that suits the set."""

    transfer: Way
    text: str = Field(description="Why.")
    pictures_per_class: int = Field(description="Of the training part, the median.")
    similarity: BaseSimilarity | None = Field(description="Null: too few pictures to measure it.")


class StrengthTrial(Row):
    """A strength of L2, and what it does on the validation part; null: there is none."""

    strength: float
    accuracy: float | None = Field(description="0 to 1.")
    macro_f1: float | None = Field(description="0 to 1.")
    loss: float | None


class TransferChoice(Row):
    """How the classifier on the base was chosen."""

    way: Way
    layer: str
    strength: float = Field(description="That of L2.")
    trials: list[StrengthTrial]


class TrainResult(Result):
    """Result of a training. Measures are of `part`."""

    network: str = Field(description="The name that the network got.")
    part: Part = Field(description="The part that measures are of; others than `test` are too good.")
    val_accuracy: float | None = Field(description="Share that is right, 0 to 1; null: no such part.")
    test_accuracy: float | None = Field(description="Share that is right, 0 to 1; null: no such part.")
    top5: float = Field(description="Share whose class is among the five most likely, 0 to 1.")
    macro_f1: float | None = Field(description="Mean over classes, 0 to 1.")
    classes: list[str] = Field(description="In the order of the network's scores.")
    split: PartSizes
    best_epoch: int | None = Field(description="The one that was kept, from 1; null: the last.")
    epochs: int = Field(description="Of the training that was kept; 0: it was solved for.")
    history: list[EpochRow] = Field(description="Evenly spaced ones, 1000 at most.")
    confusion: ConfusionMatrix
    per_class: list[ClassScoresRow] = Field(description="Of each class in order; of many, the worst 100.")
    mistakes: list[Mistake] = Field(description="The surest first, 24 at most.")
    calibration: Calibration
    notes: list[str] = Field(description="What the numbers do not mean.")
    parameters: int = Field(description="Numbers that the network has.")
    runs: list[RunRow] = Field(description="Of several trainings only.")
    spread: AccuracySpread | None = Field(description="Of several trainings that differ in chance only.")
    damaged: DamagedPictures
    ended_early: bool = Field(description="Whether it was asked to.")
    found_learning_rate: float | None = Field(None, description="With `find_learning_rate` only.")
    compare_layers: list[ComparedLayer] = Field([], description="With a frozen base and such layers only.")
    suggestion: TransferSuggestion | None = Field(None, description="With a frozen base only.")
    transfer: TransferChoice | None = Field(None, description="With a frozen base only.")


class RateSuggestion(Row):
    """What a learning-rate range test says."""

    learning_rate: float | None = Field(description="In the valley; null: it diverged too early to say.")
    tenth_of_lowest: float | None = Field(description="A tenth of the rate of the lowest loss.")
    diverged_at: float | None = Field(description="The rate where it did; null: it did not.")


class RateStep(Row):
    """A step of a learning-rate range test."""

    rate: float
    loss: float = Field(description="Of its batch.")
    smoothed: float = Field(description="Moving average of the losses.")


class LearningRateRangeResult(Result):
    """Result of a learning-rate range test."""

    suggestion: RateSuggestion
    points: list[RateStep]
    damaged: DamagedPictures


class CheckedLayer(Row):
    """The gradient of a layer's parameters."""

    layer: str
    parameters: int = Field(description="Numbers that it has.")
    checked: int = Field(description="Those that were compared.")
    kinks: int = Field(description="Those that have no gradient to compare with.")
    small: int = Field(description="Those whose error is not relative to the gradient.")
    gradient: float = Field(description="Mean of the absolute values.")
    relative_error: float = Field(description="The largest, without kinks; 0 is none.")
    verdict: CheckVerdict


class CheckedNumber(Row):
    """The gradient of one number of a parameter."""

    parameter: str
    index: list[int] = Field(description="Its place in the parameter, from 0.")
    backpropagated: float
    difference: float = Field(description="By centred differences.")
    relative_error: float = Field(description="0 is none.")
    kink: bool = Field(description="Whether there is no gradient to compare with.")
    small: bool = Field(description="Whether the error is not relative to the gradient.")


class GradientCheckResult(Result):
    """Result of a gradient check."""

    verdict: CheckVerdict
    loss: float = Field(description="Of the random pictures.")
    relative_error: float = Field(description="The largest, without kinks; 0 is none.")
    checked: int = Field(description="Numbers that were compared.")
    kinks: int = Field(description="Those that have no gradient to compare with.")
    small: int = Field(description="Those whose error is not relative to the gradient.")
    layers: list[CheckedLayer] = Field(description="From the picture on.")
    worst: list[CheckedNumber] = Field(description="Those with the largest errors, 12 at most.")
