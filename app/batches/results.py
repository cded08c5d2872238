"""What the entries of a batch came to, as JSON, one a line."""

import json
from collections.abc import Generator, Mapping, Sequence

from sqlalchemy import Engine

from app.batches.entries import Entry, pages_of_entries
from app.batches.schemas import EntryState
from app.jobs.job import Artifact, Json
from app.jobs.repository import list_artifacts
from app.jobs.schemas import ArtifactView

MEDIA_TYPE = "application/x-ndjson"
SUCCEEDED: tuple[EntryState, ...] = ("succeeded",)
UNSUCCESSFUL: tuple[EntryState, ...] = ("failed", "cancelled")


def results_of(engine: Engine, batch_id: str) -> Generator[bytes, None, None]:
    """The results of a batch by pages of lines, in order, of what has succeeded by then.

    Raises UnknownBatch, also between pages.
    """
    for entries in pages_of_entries(engine, batch_id, SUCCEEDED, with_results=True):
        artifacts = artifacts_of(engine, entries)
        yield b"".join(to_line(result_of(entry, artifacts[entry.line])) for entry in entries)


def errors_of(engine: Engine, batch_id: str) -> Generator[bytes, None, None]:
    """The failed and cancelled entries of a batch by pages of lines, in order.

    Raises UnknownBatch, also between pages.
    """
    for entries in pages_of_entries(engine, batch_id, UNSUCCESSFUL):
        yield b"".join(to_line(error_of(entry)) for entry in entries)


def artifacts_of(engine: Engine, entries: Sequence[Entry]) -> dict[int, Sequence[Artifact]]:
    """What entries made, a thousand at most, by line."""
    found = list_artifacts(engine, [entry.job_id for entry in entries if entry.job_id is not None])
    return {entry.line: found.get(entry.job_id or "", []) for entry in entries}


def result_of(entry: Entry, artifacts: Sequence[Artifact]) -> Json:
    """The line of an entry that succeeded."""
    views = [ArtifactView.of(artifact).model_dump() for artifact in artifacts]
    return {**common(entry), "result": entry.result, "artifacts": views}


def error_of(entry: Entry) -> Json:
    """The line of an entry that failed or was cancelled."""
    return {**common(entry), "error": entry.error}


def to_line(value: Mapping[str, object]) -> bytes:
    """A JSON object as one line, in ASCII: some readers take a line separator in a text for the end of it."""
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def common(entry: Entry) -> Json:
    """What each line says of its entry."""
    names = ("line", "custom_id", "job_id", "kind", "state")
    return {name: getattr(entry, name) for name in names}
