"""What the API takes and answers about batches."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue
from pydantic_core import PydanticCustomError

from app.batches.batch import BatchState
from app.jobs.schemas import RESULT, ArtifactView, Estimate, JobError, Progress
from app.jobs.service import Priority

EntryState = Literal["waiting", "queued", "running", "succeeded", "failed", "cancelled"]


class Line(BaseModel):
    """A line of a batch: the request for one job."""

    model_config = ConfigDict(extra="forbid")

    custom_id: str = Field(min_length=1, max_length=200, description="Its name, unique in the batch.")
    kind: str
    params: dict[str, Any] = Field(default_factory=dict)
    reproducible: bool = Field(False, description="Never computed together with other jobs.")


def _check_values(value: object) -> object:
    if not isinstance(value, list | str):
        raise PydanticCustomError("values", "Give a list of values, or the name or id of a set of pictures")
    return value


# Checked before the union is, whose error would be about each of its types.
Values = Annotated[list[JsonValue] | str, BeforeValidator(_check_values)]


class Matrix(BaseModel):
    """One recipe over many values: a job for each combination."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    params: dict[str, Any] = Field(default_factory=dict, description="What all jobs have in common.")
    over: dict[str, Values] = Field(
        description="By param the values that it takes, or the id or name of a set whose pictures it takes."
    )
    combine: Literal["cross", "zip"] = Field(
        "cross", description="`cross`: every combination; `zip`: the first of each, then the second of each."
    )


class CountsView(BaseModel):
    """How many entries are in which state."""

    waiting: int = Field(description="Lines that are not a job yet.")
    queued: int
    running: int
    succeeded: int
    failed: int = Field(description="Also lines that were wrong, and skipped.")
    cancelled: int


class EntryError(BaseModel):
    """A failed entry."""

    line: int = Field(description="From 1.")
    custom_id: str | None
    job_id: str | None = Field(description="Null: the line was wrong, and became no job.")
    error: JobError


class Axis(BaseModel):
    """A param that a matrix is over."""

    param: str
    labels: list[str] = Field(
        description="What its values are called, in order; in a page of batches, the first 20."
    )
    images: list[str] | None = Field(description="The values, if they are pictures, as many.")


class MatrixView(BaseModel):
    """What a matrix is over. Entries of a cross are in the order of nested loops, the last axis innermost."""

    kind: str
    combine: Literal["cross", "zip"]
    axes: list[Axis]


class Sample(BaseModel):
    """A picture that an entry made."""

    line: int
    job_id: str
    url: str


class BatchView(BaseModel):
    """A batch."""

    id: str
    name: str
    source: Literal["jsonl", "matrix"]
    state: BatchState
    paused: bool
    cancel_requested: bool
    priority: Priority | int
    reproducible: bool
    lines: int = Field(description="Entries in all.")
    counts: CountsView
    wrong: int = Field(
        description="Of the failed entries those that became no job, as their lines were wrong. "
        "A retry checks them again."
    )
    eta_seconds: float | None = Field(description="Estimate of the seconds that are left.")
    first_errors: list[EntryError] = Field(description="The first failed entries, 10 at most.")
    samples: list[Sample] = Field(description="Pictures of up to 4 entries that succeeded.")
    matrix: MatrixView | None
    created_at: datetime
    finished_at: datetime | None


class BatchPage(BaseModel):
    """Batches from the newest on."""

    items: list[BatchView]
    next_cursor: str | None = Field(description="Pass as cursor for the next page; null: no more.")


class EntryView(BaseModel):
    """An entry of a batch. ``kind`` and ``job_id`` are null until it is a job."""

    line: int
    custom_id: str | None
    kind: str | None
    job_id: str | None
    state: EntryState
    progress: Progress | None
    artifacts: list[ArtifactView]
    error: JobError | None


class EntryPage(BaseModel):
    """Entries in the order of the lines."""

    items: list[EntryView]
    next_line: int | None = Field(description="Pass as `from` for the next page; null: no more.")


class ResultLine(BaseModel):
    """A line of the results: an entry that succeeded."""

    line: int
    custom_id: str | None
    job_id: str
    kind: str
    state: Literal["succeeded"]
    result: dict[str, Any] | None = Field(description=RESULT)
    artifacts: list[ArtifactView]


class ErrorLine(BaseModel):
    """A line of the errors: an entry that failed or was cancelled."""

    line: int
    custom_id: str | None
    job_id: str | None = Field(description="Null: it never became a job.")
    kind: str | None
    state: Literal["failed", "cancelled"]
    error: JobError | None = Field(description="Null: it was cancelled.")


class LineProblem(BaseModel):
    """What is wrong with a line."""

    line: int
    custom_id: str | None
    field: str
    detail: str


class BatchEstimate(BaseModel):
    """What a batch would be: the answer to a dry run."""

    lines: int
    wrong: int = Field(description="Lines that would be skipped.")
    problems: list[LineProblem] = Field(description="The first of them, 100 at most.")
    by_kind: dict[str, int]
    estimate: Estimate = Field(
        description="Of all jobs one after the other, and of the largest one's memory."
    )
    workers: int = Field(description="Workers that would share it.")
