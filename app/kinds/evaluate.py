"""Params of evaluation."""

from typing import Literal

from pydantic import Field

from app.kinds.classifying import ClassifyingParams, require_same_classes
from app.kinds.fields import DatasetRef
from app.kinds.results.classification import EvaluateResult
from app.kinds.spec import KindSpec
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue


class EvaluateParams(ClassifyingParams):
    """How often networks are right about a set of pictures whose classes are known."""

    dataset: DatasetRef = Field(title="Set", description="A set of pictures with labels.")
    labels: Literal["names", "indices"] = Field(
        "names",
        title="Labels",
        description="What the labels of the set are: names of the network's classes, or their indices.",
    )
    # Two dozen fill a slide, as in figure 4 of Krizhevsky, Sutskever, Hinton (NIPS 2012) three times over.
    shown: int = Field(
        24, ge=0, le=200, title="Pictures", description="Pictures on the sheet, wrong ones first."
    )

    def picture_short_side(self, field: str) -> int | None:
        """What the crops need."""
        return self.short_side()

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """All pictures of the set."""
        return self.pictures_work(members, card)

    def resolve(self, catalogue: Catalogue) -> "EvaluateParams":
        """Fill in what the networks give."""
        cards = self.cards(catalogue)
        require_same_classes(cards, "evaluate one after the other.")
        return self.resolved_as(EvaluateParams, self.classifying_values(cards))


SPEC = KindSpec(
    name="evaluate",
    params=EvaluateParams,
    result=EvaluateResult,
    function="worker.understanding.evaluate:evaluate",
    lane="long",
    title="Evaluation",
    summary="How often a network is right about pictures whose classes are known, and what it confuses.",
    submit_label="Evaluate",
    command="evaluate",
    group="Look inside",
    primary_fields=("network", "crops"),
    label_fields=("network", "crops"),
    file_extensions=(".png", ".csv", ".jsonl"),
    tables={"summary": (), "table": ()},
    example={"network": "palette", "dataset": "palette"},
)
