"""What the API answers with."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, Field

from app.http.root_path import url_of
from app.http.timestamps import timestamp
from app.jobs.job import Artifact, Job
from app.jobs.recipes import Reusable
from app.jobs.states import State
from app.kinds import KINDS

# How a result of any kind is described.
RESULT = (
    "Numbers and tables, as `StyleTransferResult` describes those of style_transfer, and so on; null: none. "
    "Those that an earlier version of Impasto computed may have other entries."
)


class ArtifactView(BaseModel):
    """A file that a job made."""

    name: str = Field(examples=["image"])
    url: str
    media_type: str
    bytes: int
    sha256: str

    @classmethod
    def of(cls, artifact: Artifact) -> "ArtifactView":
        """The view of an artifact. The URL changes with the content, so that it may be cached."""
        path = f"/v1/jobs/{artifact.job_id}/artifacts/{artifact.name}?v={artifact.sha256[:12]}"
        return cls(url=url_of(path), **vars(artifact))


class Progress(BaseModel):
    """How far a job is."""

    done: int = Field(description="Steps done.")
    total: int = Field(description="Steps in all.")
    losses: dict[str, float] = Field(description="By dotted name, such as style.relu3_1.")
    eta_seconds: float | None = Field(description="Estimate of the seconds that are left.")


class Estimate(BaseModel):
    """What a job, or a batch, will take here, from what was measured."""

    seconds: float | None = Field(description="Of one worker's time; null: nothing like it was measured.")
    memory_bytes: int | None = Field(description="Of the worker; null: nothing like it was measured.")
    basis: Literal["here", "reference"] | None = Field(
        description="`here`: jobs that ended here; `reference`: a machine with 2 cores and no GPU."
    )


class JobError(BaseModel):
    """Why a job failed."""

    type: str
    title: str
    detail: str
    field: str | None


class NetworkUse(BaseModel):
    """The network of a job. A renamed one is found by its hash."""

    name: str
    sha256: str | None = Field(description="Hash of its weights; null: they were not here when it was asked.")


class JobView(BaseModel):
    """A job."""

    id: str
    kind: str = Field(examples=["style_transfer"])
    state: State
    seq: int = Field(description="Grows by one at every change.")
    params: dict[str, Any] = Field(description="As resolved: nothing is left to a preset.")
    attempt: int
    priority: int = Field(description="0 to 7; jobs of higher priority go first.")
    paused: bool
    reproducible: bool = Field(description="Whether it is never computed together with other jobs.")
    cancel_requested: bool
    finish_requested: bool = Field(description="Whether it was asked to end early.")
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    progress: Progress | None
    artifacts: list[ArtifactView]
    result: dict[str, Any] | None = Field(description=RESULT)
    error: JobError | None
    retry_of: str | None
    batch_id: str | None
    batch_line: int | None = Field(
        description="Its line in the batch, from 1; null: it is of no batch, or a retry took its place."
    )
    custom_id: str | None = Field(description="What its line in the batch calls it.")
    network: NetworkUse | None = Field(
        description="What it computes with; null: it needs none, or an earlier version of Impasto made it."
    )
    further_networks: list[NetworkUse] = Field(description="What it computes with beside that.")

    @classmethod
    def of(cls, job: Job, artifacts: Sequence[Artifact]) -> "JobView":
        """The view of a job and its artifacts."""
        shown = vars(job) | {
            "params": _as_done(job),
            "cancel_requested": job.cancel_requested_at is not None,
            "finish_requested": job.finish_requested_at is not None,
            "artifacts": [ArtifactView.of(artifact) for artifact in artifacts],
            "network": job.network and NetworkUse(name=job.network, sha256=job.network_sha256),
            "further_networks": [
                NetworkUse(name=name, sha256=sha256) for name, sha256 in (job.further_networks or {}).items()
            ],
        }
        for name in ("created_at", "started_at", "finished_at"):
            shown[name] = timestamp(shown[name])
        return cls.model_validate(shown)


def _as_done(job: Job) -> dict[str, Any]:
    """The params of a job, also those that did not exist yet when it was made: they say what it did."""
    return KINDS[job.kind].params.present_values(job.params, {}) if job.kind in KINDS else job.params


class JobPage(BaseModel):
    """Jobs from the newest on."""

    items: list[JobView]
    next_cursor: str | None = Field(description="Pass as cursor for the next page; null: no more.")


class LeftOut(BaseModel):
    """A param of a recipe that cannot be used here."""

    param: str
    detail: str = Field(examples=["This network is not here."])


class RecipeView(BaseModel):
    """What can be asked for again of the recipe in a picture."""

    kind: str
    params: dict[str, Any] = Field(
        description="As a request takes them. Pictures are among them if they are stored here, with the same "
        "content."
    )
    left_out: list[LeftOut] = Field(description="What cannot be: at most 20 params, and why.")

    @classmethod
    def of(cls, found: Reusable) -> "RecipeView":
        """The view of what is left of a recipe."""
        left_out = [LeftOut(param=each.field, detail=each.detail) for each in found.left_out]
        return cls(kind=found.kind, params=found.params, left_out=left_out)
