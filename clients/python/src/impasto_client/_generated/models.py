"""What the service answers.

Derived from the API's description by clients/python/generate.py; edit that, not this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, Field, JsonValue


class AddedView(BaseModel):
    """What a call added."""

    added: int
    """New members."""
    present: int
    """Those that were there already, with the same name and content."""
    duplicates: int
    """New members whose picture another member has, too."""


class ArtifactView(BaseModel):
    """A file that a job made."""

    name: str
    url: str
    media_type: str
    bytes: int
    sha256: str


class Axis(BaseModel):
    """A param that a matrix is over."""

    param: str
    labels: list[str]
    """What its values are called, in order; in a page of batches, the first 20."""
    images: list[str] | None
    """The values, if they are pictures, as many."""


class BatchEstimate(BaseModel):
    """What a batch would be: the answer to a dry run."""

    lines: int
    wrong: int
    """Lines that would be skipped."""
    problems: list[LineProblem]
    """The first of them, 100 at most."""
    by_kind: dict[str, int]
    estimate: Estimate
    """Of all jobs one after the other, and of the largest one's memory."""
    workers: int
    """Workers that would share it."""


class BatchPage(BaseModel):
    """Batches from the newest on."""

    items: list[BatchView]
    next_cursor: str | None
    """Pass as cursor for the next page; null: no more."""


BatchState: TypeAlias = Literal["running", "succeeded", "failed", "cancelled"]
"""The state of a batch: running until all its entries have ended; failed if one of them failed.

A batch whose failed entries are retried is running again.
"""


class BatchView(BaseModel):
    """A batch."""

    id: str
    name: str
    source: Literal["jsonl", "matrix"]
    state: BatchState
    paused: bool
    cancel_requested: bool
    priority: Literal["urgent", "normal", "background"] | int
    reproducible: bool
    lines: int
    """Entries in all."""
    counts: CountsView
    wrong: int
    """Of the failed entries those that became no job, as their lines were wrong. A retry checks them
    again.
    """
    eta_seconds: float | None
    """Estimate of the seconds that are left."""
    first_errors: list[EntryError]
    """The first failed entries, 10 at most."""
    samples: list[Sample]
    """Pictures of up to 4 entries that succeeded."""
    matrix: MatrixView | None
    created_at: datetime
    finished_at: datetime | None


class Bin(BaseModel):
    """A bar of a histogram."""

    least: int
    """Pixels from here on."""
    below: int
    """And below this."""
    members: int


class Box(BaseModel):
    """A box around something in a picture, in its pixels as displayed."""

    x: float
    """Left edge."""
    y: float
    """Upper edge."""
    width: float
    height: float
    label: str | None = None


class CountsView(BaseModel):
    """How many entries are in which state."""

    waiting: int
    """Lines that are not a job yet."""
    queued: int
    running: int
    succeeded: int
    failed: int
    """Also lines that were wrong, and skipped."""
    cancelled: int


class DatasetDetail(BaseModel):
    """A set, with its labels and parts."""

    id: str
    name: str
    source: Literal["upload", "digits", "palette", "cifar10"]
    """`upload`, or the built-in source that it was made from."""
    options: dict[str, Any]
    """Those of the source that are not its defaults; `relabeled` is the set it is made from."""
    state: Literal["open", "closed"]
    """A closed set never changes."""
    sha256: str | None
    """Of its content: hash, label, name and boxes of each member."""
    members: int
    duplicates: int
    """Members whose picture an earlier member has, too."""
    bytes: int
    """Of the files of all members."""
    jobs: list[str]
    """Ids of jobs that have not ended and that need or fill it."""
    created_at: datetime | None
    closed_at: datetime | None
    labels: list[LabelCount]
    """In alphabetical order."""
    parts: PartCounts | None
    """Null while it is open."""


class DatasetPage(BaseModel):
    """Sets from the newest on."""

    items: list[DatasetView]
    next_cursor: str | None
    """Pass as cursor for the next page; null: no more."""


class DatasetView(BaseModel):
    """A set of pictures."""

    id: str
    name: str
    source: Literal["upload", "digits", "palette", "cifar10"]
    """`upload`, or the built-in source that it was made from."""
    options: dict[str, Any]
    """Those of the source that are not its defaults; `relabeled` is the set it is made from."""
    state: Literal["open", "closed"]
    """A closed set never changes."""
    sha256: str | None
    """Of its content: hash, label, name and boxes of each member."""
    members: int
    duplicates: int
    """Members whose picture an earlier member has, too."""
    bytes: int
    """Of the files of all members."""
    jobs: list[str]
    """Ids of jobs that have not ended and that need or fill it."""
    created_at: datetime | None
    closed_at: datetime | None


class Download(BaseModel):
    """Where the weights of a network are published."""

    file: str
    """Name of the file, on any mirror."""
    bytes: int
    """About how large it is."""
    sha256_prefix: str
    """What its SHA-256 begins with, as published."""


class EntryError(BaseModel):
    """A failed entry."""

    line: int
    """From 1."""
    custom_id: str | None
    job_id: str | None
    """Null: the line was wrong, and became no job."""
    error: JobError


class EntryPage(BaseModel):
    """Entries in the order of the lines."""

    items: list[EntryView]
    next_line: int | None
    """Pass as `from` for the next page; null: no more."""


class EntryView(BaseModel):
    """An entry of a batch. ``kind`` and ``job_id`` are null until it is a job."""

    line: int
    custom_id: str | None
    kind: str | None
    job_id: str | None
    state: Literal["waiting", "queued", "running", "succeeded", "failed", "cancelled"]
    progress: Progress | None
    artifacts: list[ArtifactView]
    error: JobError | None


class ErrorLine(BaseModel):
    """A line of the errors: an entry that failed or was cancelled."""

    line: int
    custom_id: str | None
    job_id: str | None
    """Null: it never became a job."""
    kind: str | None
    state: Literal["failed", "cancelled"]
    error: JobError | None
    """Null: it was cancelled."""


class Estimate(BaseModel):
    """What a job, or a batch, will take here, from what was measured."""

    seconds: float | None
    """Of one worker's time; null: nothing like it was measured."""
    memory_bytes: int | None
    """Of the worker; null: nothing like it was measured."""
    basis: Literal["here", "reference"] | None
    """`here`: jobs that ended here; `reference`: a machine with 2 cores and no GPU."""


class ImagePage(BaseModel):
    """Pictures from the newest on."""

    items: list[ImageView]
    next_cursor: str | None
    """Pass as cursor for the next page; null: no more."""


class ImageView(BaseModel):
    """A stored picture, or a clip."""

    id: str
    name: str | None
    """The name that the file had."""
    url: str
    """Where its bytes are."""
    media_type: str
    bytes: int
    sha256: str
    width: int
    """In pixels, as displayed."""
    height: int
    """In pixels, as displayed."""
    frames: int
    """1 for a picture; those of a clip."""
    created_at: datetime | None


class JobError(BaseModel):
    """Why a job failed."""

    type: str
    title: str
    detail: str
    field: str | None


class JobPage(BaseModel):
    """Jobs from the newest on."""

    items: list[JobView]
    next_cursor: str | None
    """Pass as cursor for the next page; null: no more."""


class JobView(BaseModel):
    """A job."""

    id: str
    kind: str
    state: State
    seq: int
    """Grows by one at every change."""
    params: dict[str, Any]
    """As resolved: nothing is left to a preset."""
    attempt: int
    priority: int
    """0 to 7; jobs of higher priority go first."""
    paused: bool
    reproducible: bool
    """Whether it is never computed together with other jobs."""
    cancel_requested: bool
    finish_requested: bool
    """Whether it was asked to end early."""
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: Progress | None
    artifacts: list[ArtifactView]
    result: dict[str, Any] | None
    """Numbers and tables, as `StyleTransferResult` describes those of style_transfer, and so on;
    null: none. Those that an earlier version of Impasto computed may have other entries.
    """
    error: JobError | None
    retry_of: str | None
    batch_id: str | None
    batch_line: int | None
    """Its line in the batch, from 1; null: it is of no batch, or a retry took its place."""
    custom_id: str | None
    """What its line in the batch calls it."""
    network: NetworkUse | None
    """What it computes with; null: it needs none, or an earlier version of Impasto made it."""
    further_networks: list[NetworkUse]
    """What it computes with beside that."""


class LabelCount(BaseModel):
    """A label, and how many members have it."""

    label: str | None
    """Null: members without a label."""
    members: int
    parts: PartCounts | None
    """How many of them are in which part; null: none is."""


class LayerCard(BaseModel):
    """One named layer of a network."""

    name: str
    """Name of the layer, such as relu4_1."""
    kind: Literal[
        "conv",
        "relu",
        "pool",
        "fc",
        "logits",
        "dropout",
        "fire",
        "residual",
        "inception",
        "activation",
        "norm",
        "luminance",
        "sparse_conv",
    ]
    channels: int
    """Feature maps (or units, for a fully connected layer)."""
    stride: int
    """Pixels of the picture between neighbouring positions."""
    receptive_field: int
    """Side of the square of input pixels that one position can see; 0: all of them."""


class LeftOut(BaseModel):
    """A param of a recipe that cannot be used here."""

    param: str
    detail: str


class Lengths(BaseModel):
    """Widths, or heights, of the pictures."""

    smallest: int
    median: int
    largest: int
    histogram: list[Bin]
    """Each bar is twice as wide as the one before."""


class LineProblem(BaseModel):
    """What is wrong with a line."""

    line: int
    custom_id: str | None
    field: str
    detail: str


class MatrixView(BaseModel):
    """What a matrix is over. Entries of a cross are in the order of nested loops, the last axis
    innermost.
    """

    kind: str
    combine: Literal["cross", "zip"]
    axes: list[Axis]


class MemberPage(BaseModel):
    """Members in order."""

    items: list[MemberView]
    next_cursor: int | None
    """Pass as cursor for the next page; null: no more."""


class MemberView(BaseModel):
    """A picture of a set."""

    position: int
    """From 0 on."""
    image: str
    """Its id, for every param that takes a picture."""
    url: str
    """Where its bytes are; with `?side=160` a small copy."""
    sha256: str
    label: str | None
    name: str
    """Of its file, with the folders that it lay in."""
    boxes: list[Box] | None
    part: Literal["train", "validation", "test"] | None
    """Null: it has no label, or the set is open."""


class NetworkPage(BaseModel):
    """Some networks."""

    items: list[NetworkView]
    next_cursor: str | None
    """Pass as cursor for the next page; null: no more."""
    bytes: int
    """What all networks that are not shipped take in the storage."""


class NetworkUse(BaseModel):
    """The network of a job. A renamed one is found by its hash."""

    name: str
    sha256: str | None
    """Hash of its weights; null: they were not here when it was asked."""


class NetworkView(BaseModel):
    """A network, as it is here."""

    name: str
    title: str
    summary: str
    """One sentence for a person who chooses a network."""
    architecture: str
    """Name of the builder of its layers, such as vgg."""
    architecture_params: dict[str, bool | int | float | str | None]
    """Arguments of the builder."""
    layers: list[LayerCard]
    classes: list[str]
    """Names of the classes, by index; empty: cannot classify."""
    input_size: int | None
    """Side of the square it classifies; None: any size."""
    temperature: float | None = None
    """Divides the logits before their softmax; None: nobody has measured it."""
    energy_threshold: float | None = None
    """Energy, -T log sum exp(logits / T), above which a picture has none of the classes; None:
    nobody has measured it.
    """
    mean: tuple[float, float, float]
    """Subtracted from RGB in [0, 1]."""
    std: tuple[float, float, float]
    """Divides after the mean is subtracted."""
    parameters: int
    """Number of parameters of the convolutions and beyond."""
    trained_parameters: int | None = None
    """Number of parameters as published, with batch norms that are part of the convolutions here;
    None: the same.
    """
    multiply_adds: int | None = None
    """Multiplications, each with an addition, for a picture of `input_size`, or 224 px."""
    source: str
    """Where the weights come from, and their licence."""
    sha256: str | None
    """Hash of the weights; None: they are not here."""
    download: Download | None = None
    """None: there is nothing to download."""
    training: TrainingRecord | None = None
    """How it was trained, if that was here."""
    origin: Literal["shipped", "imported", "trained"]
    available: bool
    """Whether its weights are here; if not, `download` says what to get."""
    created_at: datetime | None
    """When it was imported or trained."""
    bytes: int | None
    """Size of its file; null: it is shipped."""


class PartCounts(BaseModel):
    """Number of members by part of a set."""

    train: int = 0
    """Trained on."""
    validation: int = 0
    """What choices are made by, such as when to stop."""
    test: int = 0
    """Tested on at the end, and used for no choice."""


class Problem(BaseModel):
    """A problem (RFC 9457)."""

    type: str
    """Name of the kind of problem."""
    title: str
    """The kind of problem in a few words."""
    status: int
    """The HTTP status."""
    detail: str
    """What is wrong here, and what would be right."""
    field: str | None = None
    """The field that is wrong, if it is one."""
    errors: list[ProblemField] = Field([])
    """All fields that are wrong."""
    request_id: str | None = None
    """The request, as in the log of the service: its header X-Request-ID."""


class ProblemField(BaseModel):
    """One field that is wrong."""

    field: str
    detail: str


class Progress(BaseModel):
    """How far a job is."""

    done: int
    """Steps done."""
    total: int
    """Steps in all."""
    losses: dict[str, float]
    """By dotted name, such as style.relu3_1."""
    eta_seconds: float | None
    """Estimate of the seconds that are left."""


class RecipeView(BaseModel):
    """What can be asked for again of the recipe in a picture."""

    kind: str
    params: dict[str, Any]
    """As a request takes them. Pictures are among them if they are stored here, with the same
    content.
    """
    left_out: list[LeftOut]
    """What cannot be: at most 20 params, and why."""


class ResultLine(BaseModel):
    """A line of the results: an entry that succeeded."""

    line: int
    custom_id: str | None
    job_id: str
    kind: str
    state: Literal["succeeded"]
    result: dict[str, Any] | None
    """Numbers and tables, as `StyleTransferResult` describes those of style_transfer, and so on;
    null: none. Those that an earlier version of Impasto computed may have other entries.
    """
    artifacts: list[ArtifactView]


class Sample(BaseModel):
    """A picture that an entry made."""

    line: int
    job_id: str
    url: str


State: TypeAlias = Literal["queued", "running", "succeeded", "failed", "cancelled"]
"""The state of a job."""


class Statistics(BaseModel):
    """What a set is like."""

    members: int
    classes: int
    """Different labels."""
    unlabeled: int
    """Members without a label."""
    pictures: int
    """Different pictures."""
    bytes: int
    """Of the files of all members."""
    labels: list[LabelCount]
    """In alphabetical order."""
    parts: PartCounts | None
    """Null while it is open."""
    largest: LabelCount | None
    """The class with the most members."""
    smallest: LabelCount | None
    """The class with the fewest."""
    imbalance: float | None
    """How many times as large the largest is; null: no classes."""
    duplicates: list[Twins]
    """The first 50 pictures that several members have."""
    duplicate_pictures: int
    """How many such pictures there are."""
    conflicts: list[Twins]
    """Those of them whose labels differ."""
    conflicting_pictures: int
    """How many such pictures there are."""
    widths: Lengths | None
    """As stored; null: no members."""
    heights: Lengths | None
    media_types: dict[str, int]
    notes: list[str]
    """What may harm a training."""
    suggestion: Suggestion | None
    """How to train with it, by its number of pictures; null while it is open, or of one class."""


class Suggestion(BaseModel):
    """Which way suits a set, and one sentence why."""

    transfer: Literal["svm", "head", "last", "all"]
    text: str


class TrainingRecord(BaseModel):
    """What a network was trained on, how, and how well it did."""

    dataset: str
    """Name of the set."""
    dataset_sha256: str
    """Hash of its content."""
    split: dict[str, int]
    """Number of pictures of each part: train, validation and test."""
    balance: dict[str, int]
    """Number of pictures of each class that it was trained on."""
    base: str | None = None
    """Name of the network that it began with."""
    base_sha256: str | None = None
    """Hash of the weights of that one."""
    params: dict[str, JsonValue]
    """Params of the training, resolved."""
    seed: int
    history: list[dict[str, float | None]]
    """Its epochs, or as many of them as tell the curves."""
    metrics: dict[str, float | None]
    """How well it does, by name."""
    version: str
    """Version of Impasto."""


class Twin(BaseModel):
    """A member whose picture another one has."""

    position: int
    name: str
    label: str | None
    part: Literal["train", "validation", "test"] | None


class Twins(BaseModel):
    """Members with the same picture."""

    sha256: str
    image: str
    members: list[Twin]
    """At most 20."""


__all__ = [
    "AddedView",
    "ArtifactView",
    "Axis",
    "BatchEstimate",
    "BatchPage",
    "BatchState",
    "BatchView",
    "Bin",
    "Box",
    "CountsView",
    "DatasetDetail",
    "DatasetPage",
    "DatasetView",
    "Download",
    "EntryError",
    "EntryPage",
    "EntryView",
    "ErrorLine",
    "Estimate",
    "ImagePage",
    "ImageView",
    "JobError",
    "JobPage",
    "JobView",
    "LabelCount",
    "LayerCard",
    "LeftOut",
    "Lengths",
    "LineProblem",
    "MatrixView",
    "MemberPage",
    "MemberView",
    "NetworkPage",
    "NetworkUse",
    "NetworkView",
    "PartCounts",
    "Problem",
    "ProblemField",
    "Progress",
    "RecipeView",
    "ResultLine",
    "Sample",
    "State",
    "Statistics",
    "Suggestion",
    "TrainingRecord",
    "Twin",
    "Twins",
]
