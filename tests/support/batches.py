"""Batches and their entries, written straight to the database."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import Engine, insert, update

from app.batches.batch import Batch, BatchState
from app.batches.leases import LONGEST_SECONDS
from app.batches.repository import get_batch
from app.batches.tables import batch_refusals, batches
from app.database.engine import now, write
from app.database.ids import new_id
from app.jobs.job import Artifact
from app.jobs.repository import NewJob, insert_jobs
from app.jobs.states import State
from app.jobs.tables import artifacts, jobs
from app.storage import Storage

ERROR = {"type": "input", "title": "The input is wrong", "detail": "Too small.", "field": "size"}


def add_batch(engine: Engine, lines: int, **values: Any) -> Batch:
    """A batch that runs, none of whose lines is a job yet, and that no keeper works off."""
    row = {
        "id": new_id(),
        "name": "a batch",
        "source": "jsonl",
        "state": BatchState.RUNNING,
        "priority": 4,
        "reproducible": False,
        "paused": False,
        "lines": lines,
        "next_line": 1,
        "next_offset": 0,
        "spool": "batches/x",
        "revision": 0,
        "applied": 0,
        "created_at": now(),
        "worker_id": "nobody",
        "lease_until": now() + 0.9 * LONGEST_SECONDS,
        **values,
    }
    with write(engine) as connection:
        connection.execute(insert(batches).values(**row))
    return get_batch(engine, row["id"])


def set_batch(engine: Engine, batch_id: str, **values: Any) -> Batch:
    """Change columns of a batch."""
    with write(engine) as connection:
        connection.execute(update(batches).where(batches.c.id == batch_id).values(**values))
    return get_batch(engine, batch_id)


def add_jobs(engine: Engine, batch: Batch, lines: Iterable[int], kind: str = "style_transfer") -> list[str]:
    """Queued jobs for some lines, called ``c<line>``; the batch goes on behind the last."""
    news = [
        NewJob(kind, "long", {}, batch_id=batch.id, batch_line=line, custom_id=f"c{line}") for line in lines
    ]
    with write(engine) as connection:
        ids = insert_jobs(connection, batch.id, news)
        last = max(new.batch_line or 0 for new in news)
        connection.execute(update(batches).where(batches.c.id == batch.id).values(next_line=last + 1))
    return ids


def refuse(engine: Engine, batch: Batch, lines: Iterable[int]) -> None:
    """Lines that were wrong, called ``c<line>``."""
    rows = [{"batch_id": batch.id, "line": line, "custom_id": f"c{line}", "error": ERROR} for line in lines]
    with write(engine) as connection:
        connection.execute(insert(batch_refusals), rows)


def set_jobs(engine: Engine, job_ids: Sequence[str], state: State, **values: Any) -> None:
    """Put jobs into a state, as if a worker had: a failed one with ``ERROR``."""
    if state is not State.QUEUED:
        values.setdefault("started_at", now())
    if state in (State.SUCCEEDED, State.FAILED, State.CANCELLED):
        values.setdefault("finished_at", now())
    if state is State.FAILED:
        values.setdefault("error", ERROR)
    with write(engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id.in_(job_ids)).values(state=state, **values))


def give(
    engine: Engine, storage: Storage | None, job_id: str, name: str, data: bytes, ending: str = ".png"
) -> Artifact:
    """An artifact of a job; without a storage, its row alone."""
    key = f"jobs/{job_id}/1/{name}{ending}"
    sha256 = "0" * 64 if storage is None else storage.put(key, data).sha256
    media_type = "image/png" if ending == ".png" else "application/octet-stream"
    artifact = Artifact(job_id, name, key, media_type, len(data), sha256)
    with write(engine) as connection:
        connection.execute(insert(artifacts).values(**vars(artifact)))
    return artifact
