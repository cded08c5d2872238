"""Params of classification."""

from collections.abc import Collection, Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field

from app.errors import InputError
from app.kinds.classifying import ClassifyingParams, require_same_classes
from app.kinds.exact import NOT_NULL
from app.kinds.fields import DatasetRef, ManyPictureRefs, PictureRef
from app.kinds.results.classification import ClassifyResult
from app.kinds.spec import KindSpec, Lane, lane_by_work
from app.networks.card import NetworkCard
from app.networks.catalogue import Catalogue

# One of them must be given.
PICTURES_OR_SET = ("image", "images", "dataset")


class ClassifyParams(ClassifyingParams):
    """The classes that networks take pictures for, with probabilities."""

    model_config = ConfigDict(
        json_schema_extra={
            "allOf": [
                {"anyOf": [{"required": [name], "properties": {name: NOT_NULL}} for name in PICTURES_OR_SET]}
            ]
        }
    )

    image: PictureRef | None = Field(None, title="Picture", description="The picture.")
    images: ManyPictureRefs | None = Field(
        None, title="Pictures", description="Pictures to classify, up to 100."
    )
    dataset: DatasetRef | None = Field(
        None,
        title="Set",
        description="A set of pictures, in the place of one; the predictions are a file of JSON lines.",
    )
    # The published measure of ImageNet (Russakovsky et al., "ImageNet large scale visual recognition
    # challenge", IJCV 2015, section 4.1).
    top: int = Field(
        5, ge=1, le=1000, title="Classes", description="Number of classes to name, the most likely first."
    )
    ensemble: Literal["average", "compare"] = Field(
        "average",
        title="Ensemble",
        description="Of several networks: average, the mean of their probabilities; compare, one beside the "
        "other.",
    )
    figure: bool = Field(
        False,
        title="Figure",
        description="Also draw each picture beside bars of its classes, which takes about 20 ms a picture.",
    )

    @classmethod
    def without_effect(cls, values: Mapping[str, Any]) -> dict[str, str]:
        """How networks answer together, where there is one."""
        if "networks" not in values or len(values["networks"] or ()) > 1:
            return {}
        return {"ensemble": "There is one network alone: leave this out, or name several in networks."}

    def problem_of_ending(self, ending: str, clips: Collection[str]) -> str | None:
        """A picture is drawn with ``figure`` alone."""
        del clips
        if ending.lower() == ".png" and not self.figure and self.dataset is None:
            return "A picture is drawn with --figure alone: add it."
        return None

    def picture_short_side(self, field: str) -> int | None:
        """What the crops need."""
        return self.short_side()

    def stack_key(self, sides: Mapping[str, tuple[int, int]]) -> str | None:
        """Pictures of one network that are shown alike are computed together; sets are not."""
        del sides
        if self.networks is not None or self.dataset is not None:
            return None
        return f"{self.network} {self.size} {self.crops} {self.scales} {self.temperature}"

    def work(self, card: NetworkCard | None, members: int) -> float | None:
        """All pictures, those of a set or those that are named."""
        named = [*(self.images or ()), *([self.image] if self.image else ())]
        return self.pictures_work(members if self.dataset is not None else len(named), card)

    def resolve(self, catalogue: Catalogue) -> "ClassifyParams":
        """Fill in what the networks give, and check that there is one source of pictures."""
        given = [name for name in ("image", "images", "dataset") if getattr(self, name) is not None]
        if not given:
            raise InputError("image", "Name a picture to classify, or several as images, or a dataset.")
        if len(given) > 1:
            raise InputError(given[1], f"There is {given[0]} already: leave out one of them.")
        if self.figure and self.dataset is not None:
            raise InputError("figure", "A set is too large for a figure: leave this out, or use evaluate.")
        cards = self.cards(catalogue)
        if self.ensemble == "average":
            require_same_classes(cards, "set ensemble to compare.")
        return self.resolved_as(ClassifyParams, self.classifying_values(cards))


def _lane(params: ClassifyParams, card: NetworkCard | None) -> Lane:
    if params.dataset is not None:
        return "long"
    return lane_by_work(params.work(card, 0))


SPEC = KindSpec(
    name="classify",
    params=ClassifyParams,
    result=ClassifyResult,
    function="worker.understanding.classify:classify",
    stack_function="worker.understanding.classify:classify_jobs",
    stacks_within="lane",
    lane=_lane,
    wait_seconds=10,
    title="Classification",
    summary="What is in a picture: the most likely classes with their probabilities.",
    submit_label="Classify",
    command="classify",
    group="Look inside",
    class_looks=("saliency", "occlusion"),
    arguments=("image", "images"),
    primary_fields=("dataset", "network"),
    label_fields=("network", "crops"),
    file_extensions=(".png", ".jsonl"),
    tables={"table": ()},
    example_picture="image",
    example={"network": "palette", "top": 3},
)
