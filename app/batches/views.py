"""Batches and their entries as the API shows them."""

from collections.abc import Sequence

from sqlalchemy import Engine

from app.batches.batch import Batch, Counts
from app.batches.entries import Entry
from app.batches.schemas import (
    BatchView,
    CountsView,
    EntryError,
    EntryView,
    MatrixView,
    Sample,
)
from app.batches.summary import Summary, summarize
from app.http.timestamps import timestamp
from app.jobs.job import Artifact, Json
from app.jobs.repository import list_artifacts
from app.jobs.schemas import ArtifactView, JobError, Progress
from app.jobs.service import PRIORITIES

_NAMES = {number: name for name, number in PRIORITIES.items()}


def view_batch(engine: Engine, batch: Batch) -> BatchView:
    """The view of a batch."""
    return view_batches(engine, [batch])[0]


def view_new(batch: Batch) -> BatchView:
    """The view of a batch of which no line is a job yet."""
    counts = Counts(batch.lines, queued=0, running=0, succeeded=0, failed=0, cancelled=0)
    return _batch_view(
        batch, Summary(counts=counts, wrong=0, eta_seconds=None, first_errors=[], samples={}), None
    )


def view_batches(engine: Engine, batches: Sequence[Batch], most_labels: int | None = None) -> list[BatchView]:
    """The views of some batches, a hundred at most, in order, with all labels of an axis or the first."""
    summaries = summarize(engine, batches)
    return [_batch_view(batch, summaries[batch.id], most_labels) for batch in batches]


def _batch_view(batch: Batch, summary: Summary, most_labels: int | None) -> BatchView:
    return BatchView(
        id=batch.id,
        name=batch.name,
        source="matrix" if batch.matrix is not None else "jsonl",
        state=batch.state,
        paused=batch.paused,
        cancel_requested=batch.cancel_requested_at is not None,
        priority=_NAMES.get(batch.priority, batch.priority),
        reproducible=batch.reproducible,
        lines=batch.lines,
        counts=view_counts(summary.counts),
        wrong=summary.wrong,
        eta_seconds=summary.eta_seconds,
        first_errors=[_error_view(entry) for entry in summary.first_errors],
        samples=[_sample_view(line, picture) for line, picture in summary.samples.items()],
        matrix=None if batch.matrix is None else _matrix_view(batch.matrix, most_labels),
        created_at=timestamp(batch.created_at),
        finished_at=timestamp(batch.finished_at),
    )


def _matrix_view(matrix: Json, most_labels: int | None) -> MatrixView:
    view = MatrixView.model_validate(matrix)
    for axis in view.axes:
        axis.labels = axis.labels[:most_labels]
        axis.images = None if axis.images is None else axis.images[:most_labels]
    return view


def view_counts(counts: Counts) -> CountsView:
    """The view of counts."""
    return CountsView(**vars(counts))


def view_entries(engine: Engine, entries: Sequence[Entry]) -> list[EntryView]:
    """The views of entries, a thousand at most, in order."""
    artifacts = list_artifacts(engine, [entry.job_id for entry in entries if entry.job_id is not None])
    return [_entry_view(entry, artifacts.get(entry.job_id or "", [])) for entry in entries]


def _entry_view(entry: Entry, artifacts: Sequence[Artifact]) -> EntryView:
    return EntryView(
        line=entry.line,
        custom_id=entry.custom_id,
        kind=entry.kind,
        job_id=entry.job_id,
        state=entry.state,
        progress=None if entry.progress is None else Progress.model_validate(entry.progress),
        artifacts=[ArtifactView.of(artifact) for artifact in artifacts],
        error=None if entry.error is None else JobError.model_validate(entry.error),
    )


def _error_view(entry: Entry) -> EntryError:
    return EntryError(
        line=entry.line,
        custom_id=entry.custom_id,
        job_id=entry.job_id,
        error=JobError.model_validate(entry.error),
    )


def _sample_view(line: int, picture: Artifact) -> Sample:
    return Sample(line=line, job_id=picture.job_id, url=ArtifactView.of(picture).url)
