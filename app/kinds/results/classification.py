"""Results of classification and evaluation."""

from typing import Literal

from pydantic import Field

from app.kinds.results.base import ClassRow, ClassScoresRow, Result, Row

Verdict = Literal["one of its classes", "none of its classes"]

ONE = "Null: several networks answer, see `networks`."
TEMPERATURE = "What its scores are divided by before the softmax."
ENERGY = "minus the log of the sum of exponentials of the scores"
THRESHOLD = "An energy above it says that a picture is none of its classes; null: there is none."


class Voter(Row):
    """A network that answers."""

    network: str
    temperature: float = Field(description=TEMPERATURE)
    energy_threshold: float | None = Field(description=THRESHOLD)


class Classified(Row):
    """What a picture is taken for."""

    name: str = Field(description="Name of its file, or its reference.")
    label: str | None = Field(None, description="That of the set, if it has one.")
    network: str | None = Field(None, description="Of networks that are compared, the one that answers.")
    top: list[ClassRow] = Field(description="The most likely classes, as many as `top` says.")
    energy: float | None = Field(description=f"It is {ENERGY}; null: the mean of several networks.")
    energies: list[float] | None = Field(None, description="Of a mean, that of each network.")
    verdict: Verdict | None = Field(description="By the energy; null: there is no threshold.")


class ClassCount(Row):
    """Pictures of a set that are taken for a class."""

    network: str | None = Field(None, description="Of networks that are compared, the one that answers.")
    class_: str = Field(alias="class", description="Its name.")
    pictures: int
    mean_probability: float = Field(alias="mean probability", description="Of these pictures, 0 to 1.")


class ClassifyResult(Result):
    """Result of a classification: `top` of one picture, `pictures` of several, or counts of a set."""

    network: str | None = Field(None, description=f"The network that answers. {ONE}")
    temperature: float | None = Field(None, description=f"{TEMPERATURE} {ONE}")
    energy_threshold: float | None = Field(None, description=THRESHOLD)
    networks: list[Voter] | None = Field(None, description="If several answer.")
    ensemble: Literal["average", "compare"] | None = Field(None, description="If several answer: how.")
    name: str | None = Field(None, description="Of one picture: the name of its file, or its reference.")
    label: str | None = Field(None, description="Of one picture of a set: its label.")
    top: list[ClassRow] = Field([], description="Of one picture: the most likely classes.")
    energy: float | None = Field(
        None,
        description=f"Of one picture: {ENERGY}; null: the mean of several networks.",
    )
    energies: list[float] | None = Field(None, description="Of one picture and a mean: of each network.")
    verdict: Verdict | None = Field(
        None, description="Of one picture, by the energy; null: there is no threshold."
    )
    pictures: list[Classified] = Field([], description="Of several pictures or networks compared: each.")
    pictures_total: int | None = Field(None, description="Of a set: its pictures.")
    pictures_broken: int | None = Field(None, description="Of a set: those that cannot be decoded.")
    classes_found: int | None = Field(None, description="Of a set: classes that pictures are taken for.")
    none_of_its_classes: int | None = Field(None, description="Of a set: pictures with that verdict.")
    table: list[ClassCount | dict[str, str]] = Field(
        description="Of a set, its commonest classes, 100 at most; else a row of text for each answer: "
        "`name`, `network`, the classes `1` to `3`, `verdict`."
    )


class EvaluationSummary(Row):
    """Measures of a whole set."""

    pictures: int = Field(description="Those that are counted.")
    without_label: int = Field(description="Pictures that are left out.")
    broken: int = Field(description="Pictures that cannot be decoded, and are left out.")
    classes: int = Field(description="Classes that the set has.")
    top1_error: float = Field(description="Share whose class is not the most likely, 0 to 1.")
    top5_error: float = Field(description="Share whose class is not among the five most likely, 0 to 1.")
    macro_precision: float | None = Field(description="Mean over classes, 0 to 1.")
    macro_recall: float | None = Field(description="Mean over classes, 0 to 1.")
    macro_f1: float | None = Field(description="Mean over classes, 0 to 1.")


class Confused(Row):
    """Pictures of a class that are taken for another."""

    class_: str = Field(alias="class", description="The right class.")
    taken_for: str
    pictures: int


class EvaluateResult(Result):
    """Result of an evaluation."""

    network: str | None = Field(None, description=f"The network that answers. {ONE}")
    temperature: float | None = Field(None, description=f"{TEMPERATURE} {ONE}")
    energy_threshold: float | None = Field(None, description=THRESHOLD)
    networks: list[Voter] | None = Field(None, description="If several answer, with the mean of theirs.")
    summary: EvaluationSummary
    most_confused: list[Confused] = Field(description="The 20 pairs with the most pictures.")
    table: list[ClassScoresRow] = Field(description="Measures by class, the worst first, 100 at most.")
