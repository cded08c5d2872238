"""What the API answers with, and takes, of sets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt
from pydantic.config import JsonDict, JsonValue

from app.datasets.builtin import BUILT_IN, DEFAULT_COUNT, DEFAULT_SIZE, PaletteOptions
from app.datasets.dataset import MAX_LABEL, MAX_NAME, NAME_PATTERN, Dataset, Source, StoredMember, is_text
from app.datasets.parts import LabelParts
from app.datasets.repository import Added
from app.datasets.service import ImageMember
from app.datasets.split import Part
from app.http.timestamps import timestamp
from app.images.schemas import content_url


def _check_label(label: str) -> str:
    if not is_text(label, MAX_LABEL):
        raise ValueError("a label has no control characters")
    if not label.strip():
        raise ValueError("a label is more than spaces; null is none")
    return label


_PLAIN = r"[^\x00-\x1f\x7f]"
# U+0085 is a space to Python, and none to the regular expressions of JSON Schema.
_NO_SPACE = r"[^\x00-\x1f\x7f\x85\s]"
_Label = Annotated[
    str,
    Field(
        min_length=1,
        max_length=MAX_LABEL,
        json_schema_extra={"pattern": rf"^{_PLAIN}*{_NO_SPACE}{_PLAIN}*$"},
    ),
    AfterValidator(_check_label),
]


# What is no name is refused with an error of its own.
_Name = Annotated[str, Field(json_schema_extra={"pattern": f"^{NAME_PATTERN}$"})]


class PartCounts(BaseModel):
    """Number of members by part of a set."""

    train: int = Field(0, description="Trained on.")
    validation: int = Field(0, description="What choices are made by, such as when to stop.")
    test: int = Field(0, description="Tested on at the end, and used for no choice.")


class LabelCount(BaseModel):
    """A label, and how many members have it."""

    label: str | None = Field(description="Null: members without a label.")
    members: int
    parts: PartCounts | None = Field(description="How many of them are in which part; null: none is.")


class DatasetView(BaseModel):
    """A set of pictures."""

    id: str
    name: str
    source: Source = Field(description="`upload`, or the built-in source that it was made from.")
    options: dict[str, Any] = Field(
        description="Those of the source that are not its defaults; `relabeled` is the set it is made from."
    )
    state: Literal["open", "closed"] = Field(description="A closed set never changes.")
    sha256: str | None = Field(description="Of its content: hash, label, name and boxes of each member.")
    members: int
    duplicates: int = Field(description="Members whose picture an earlier member has, too.")
    bytes: int = Field(description="Of the files of all members.")
    jobs: list[str] = Field(description="Ids of jobs that have not ended and that need or fill it.")
    created_at: datetime | None
    closed_at: datetime | None

    @classmethod
    def of(cls, dataset: Dataset, jobs: Sequence[str]) -> "DatasetView":
        """The view of a set, with the jobs that need or fill it."""
        times = {"created_at": timestamp(dataset.created_at), "closed_at": timestamp(dataset.closed_at)}
        return cls(**{**vars(dataset), **times, "jobs": list(jobs)})


class DatasetDetail(DatasetView):
    """A set, with its labels and parts."""

    labels: list[LabelCount] = Field(description="In alphabetical order.")
    parts: PartCounts | None = Field(description="Null while it is open.")

    @classmethod
    def with_labels(cls, dataset: Dataset, jobs: Sequence[str], counts: LabelParts) -> "DatasetDetail":
        """The view of a set, with the number of members by label and part."""
        parts = sum_parts(counts) if dataset.state == "closed" else None
        return cls(**dict(DatasetView.of(dataset, jobs)), labels=label_counts(counts), parts=parts)


def label_counts(counts: LabelParts) -> list[LabelCount]:
    """The view of the number of members by label and part."""
    return [
        LabelCount(
            label=label,
            members=sum(by_part.values()),
            parts=sum_parts({label: by_part}) if by_part.keys() - {None} else None,
        )
        for label, by_part in counts.items()
    ]


def sum_parts(counts: LabelParts) -> PartCounts:
    """The number of members by part, whatever their label."""
    total: Counter[Part] = Counter()
    for by_part in counts.values():
        total.update({part: count for part, count in by_part.items() if part is not None})
    return PartCounts.model_validate(total)


class DatasetPage(BaseModel):
    """Sets from the newest on."""

    items: list[DatasetView]
    next_cursor: str | None = Field(description="Pass as cursor for the next page; null: no more.")


class Box(BaseModel):
    """A box around something in a picture, in its pixels as displayed."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    x: float = Field(ge=0, description="Left edge.")
    y: float = Field(ge=0, description="Upper edge.")
    width: float = Field(gt=0)
    height: float = Field(gt=0)
    label: _Label | None = None


class MemberView(BaseModel):
    """A picture of a set."""

    position: int = Field(description="From 0 on.")
    image: str = Field(description="Its id, for every param that takes a picture.")
    url: str = Field(description="Where its bytes are; with `?side=160` a small copy.")
    sha256: str
    label: str | None
    name: str = Field(description="Of its file, with the folders that it lay in.")
    boxes: list[Box] | None
    part: Part | None = Field(description="Null: it has no label, or the set is open.")

    @classmethod
    def of(cls, member: StoredMember) -> "MemberView":
        """The view of a member."""
        image_id = member.image_id
        return cls.model_validate({**vars(member), "image": image_id, "url": content_url(image_id)})


class MemberPage(BaseModel):
    """Members in order."""

    items: list[MemberView]
    next_cursor: int | None = Field(description="Pass as cursor for the next page; null: no more.")


# A set has a name, or that of its source; options are of palette.
_NO_OPTIONS: JsonDict = {name: {"type": "null"} for name in ("classes", "count", "seed", "size")}
_OPTIONS: JsonDict = {
    name: {"anyOf": [option, {"type": "null"}]}
    for name, option in PaletteOptions.model_json_schema()["properties"].items()
}
_WAYS: list[JsonValue] = [
    {
        "required": ["name"],
        "properties": {"name": {"type": "string"}, "source": {"const": "upload"}, **_NO_OPTIONS},
    },
    {"required": ["source"], "properties": {"source": {"const": "palette"}, **_OPTIONS}},
    {
        "required": ["source"],
        "properties": {
            "source": {"enum": [each for each in BUILT_IN if each != "palette"]},
            **_NO_OPTIONS,
        },
    },
]


class NewDataset(BaseModel):
    """An open set without members, or a built-in one."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"anyOf": _WAYS})

    name: _Name | None = Field(
        None, description="1 to 64 of a-z, 0-9, `.`, `_` and `-`; a built-in set has that of its source."
    )
    source: Source = "upload"
    classes: list[str] | None = Field(None, description="Of palette: names of classes; empty: all 64.")
    count: int | None = Field(None, description=f"Of palette: pictures of each class; {DEFAULT_COUNT}.")
    seed: int | None = Field(None, description="Of palette: seed of the first picture of each class; 0.")
    size: int | None = Field(None, description=f"Of palette: side in pixels; {DEFAULT_SIZE}.")

    @property
    def options(self) -> dict[str, Any]:
        """The options of its source that are given."""
        return self.model_dump(exclude={"name", "source"}, exclude_none=True)


class DatasetChange(BaseModel):
    """What can be changed of a set."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(
        description="1 to 64 of a-z, 0-9, `.`, `_` and `-`, beginning with a letter or digit."
    )


class RelabelParams(BaseModel):
    """A new set of the same pictures, with other labels."""

    model_config = ConfigDict(extra="forbid")

    name: _Name = Field(description="Of the new set.")
    labels: dict[str, _Label | None] = Field(
        default_factory=dict,
        description="Labels by name or position of a member; null takes its label away.",
    )
    rename: dict[str, _Label | None] = Field(
        default_factory=dict,
        description="New labels by old label, which may be that of another class; null takes it away.",
    )
    drop: list[StrictInt | str] = Field(
        default_factory=list, description="Labels, and positions of members, that are left out."
    )


class UploadParams(BaseModel):
    """What the JSON field ``params`` beside a ZIP may say."""

    model_config = ConfigDict(extra="forbid")

    label: _Label | None = Field(None, description="Label of the pictures that have none.")


class ZipParams(UploadParams):
    """The same where the call makes the set, too."""

    name: _Name = Field(description="1 to 64 of a-z, 0-9, `.`, `_` and `-`.")
    close: bool = Field(True, description="Close the set once its members are there.")


class NewMemberBody(BaseModel):
    """A stored picture as a member."""

    model_config = ConfigDict(extra="forbid")

    image: str = Field(max_length=100, description="Id of a stored picture.")
    label: _Label | None = None
    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME)] | None = Field(
        None, description="Empty: that of its file, or its id."
    )
    boxes: list[Box] | None = Field(None, max_length=1000)

    def to_member(self) -> ImageMember:
        """As the service takes it."""
        boxes = None if self.boxes is None else [box.model_dump() for box in self.boxes]
        return ImageMember(image=self.image, label=self.label, name=self.name, boxes=boxes)


class NewMembers(BaseModel):
    """Stored pictures to be added to a set."""

    model_config = ConfigDict(extra="forbid")

    members: list[NewMemberBody] = Field(min_length=1, max_length=10_000)


class AddedView(BaseModel):
    """What a call added."""

    added: int = Field(description="New members.")
    present: int = Field(description="Those that were there already, with the same name and content.")
    duplicates: int = Field(description="New members whose picture another member has, too.")

    @classmethod
    def of(cls, added: Added) -> "AddedView":
        """The view."""
        return cls(**vars(added))


ZIP_FIELDS = {
    "file": "A ZIP of pictures.",
    "labels": "A CSV with the columns file and label; it may also lie in the ZIP.",
}


def body_description(
    json_model: type[BaseModel],
    form_model: type[BaseModel],
    example: dict[str, Any],
    file_fields: Mapping[str, str] = ZIP_FIELDS,
    required: Sequence[str] = ("file",),
) -> dict[str, Any]:
    """The description of a body that is JSON, or a form with files of which ``required`` must be there."""
    files = {
        name: {"type": "string", "format": "binary", "description": description}
        for name, description in file_fields.items()
    }
    params = _schema_of(form_model)
    form = {
        "type": "object",
        "additionalProperties": False,
        "required": [*required, *(["params"] if "required" in params else [])],
        "properties": {**files, "params": params},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {"schema": _schema_of(json_model), "example": example},
                "multipart/form-data": {
                    "schema": form,
                    "encoding": {"params": {"contentType": "application/json"}},
                },
            },
        }
    }


def _schema_of(model: type[BaseModel]) -> Any:
    schema = model.model_json_schema()
    definitions = schema.pop("$defs", {})
    return _inlined(schema, definitions)


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """A schema with its definitions in their places."""
    match schema:
        case {"$ref": str(reference)}:
            return _inlined(definitions[reference.rpartition("/")[2]], definitions)
        case dict():
            return {name: _inlined(value, definitions) for name, value in schema.items()}
        case list():
            return [_inlined(value, definitions) for value in schema]
        case _:
            return schema
