"""Makes jobs of the lines of a batch, a chunk in one transaction."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

from sqlalchemy import Connection, Engine, insert, update

from app.batches.batch import Batch
from app.batches.checking import CHUNK, check_lines
from app.batches.leases import lock
from app.batches.spool import SpooledLine, read_spool, refusal
from app.batches.tables import batch_refusals, batches
from app.database.engine import write
from app.errors import FieldError
from app.jobs.job import Json
from app.jobs.preparing import Checked, Preparer
from app.jobs.repository import NewJob, insert_jobs
from app.storage import Storage

_NO_SPOOL = refusal(
    FieldError(
        "line",
        "The file of the batch's lines is not in the storage: put it back and retry, or send them again.",
    )
)


def expand_chunk(engine: Engine, storage: Storage, preparer: Preparer, batch: Batch) -> set[str]:
    """Make jobs of the next lines of a batch; those that cannot be one are refused.

    Returns the lanes of the jobs. Does nothing if the lease was lost, or the batch cancelled meanwhile.
    """
    chunk = list(islice(_lines(storage, batch), CHUNK))
    lines = [line for line, _ in chunk]
    news, refused = prepare(preparer, batch, lines)
    next_line, next_offset = batch.next_line + len(chunk), chunk[-1][1]
    with write(engine) as connection:
        current = lock(
            connection,
            batch,
            batches.c.next_line == batch.next_line,
            batches.c.cancel_requested_at.is_(None),
            batches.c.delete_requested_at.is_(None),
        )
        if current is None:
            return set()
        if news:
            insert_jobs(connection, batch.id, [replace(new, paused=current.paused) for new in news])
        refuse(connection, batch.id, refused)
        moved = update(batches).where(batches.c.id == batch.id)
        connection.execute(moved.values(next_line=next_line, next_offset=next_offset))
    return {new.lane for new in news}


def _lines(storage: Storage, batch: Batch) -> Iterator[tuple[SpooledLine, int]]:
    """The lines of a batch from the next one on, each with the offset of the one after it."""
    number, offset = batch.next_line, batch.next_offset
    with contextlib.suppress(FileNotFoundError):
        for line, following in read_spool(storage, batch.spool, offset, number):
            yield line, following
            number, offset = number + 1, following
    for missing in range(number, batch.lines + 1):
        yield SpooledLine(missing, None, None, _NO_SPOOL), offset


def prepare(
    preparer: Preparer, batch: Batch, lines: Sequence[SpooledLine], *, again: bool = False
) -> tuple[list[NewJob], list[tuple[SpooledLine, Json]]]:
    """The jobs that lines become, and the lines that cannot be one, with an error each.

    Those that were wrong when they came are tried if ``again``.
    """
    news, refused = [], []
    asked = [line.request if again or line.error is None else None for line in lines]
    for line, checked in zip(lines, check_lines(preparer, asked), strict=True):
        if checked is None:
            refused.append((line, line.error or _NO_SPOOL))
        elif isinstance(checked, FieldError):
            refused.append((line, refusal(checked)))
        elif isinstance(checked, Checked):
            news.append(_new_job(preparer, batch, line, checked))
    return news, refused


def _new_job(preparer: Preparer, batch: Batch, line: SpooledLine, checked: Checked) -> NewJob:
    return preparer.new_job(
        checked,
        batch_id=batch.id,
        reproducible=batch.reproducible or (line.request is not None and line.request.reproducible),
        batch_line=line.number,
        custom_id=line.custom_id,
        priority=batch.priority,
        request_id=batch.request_id,
    )


def refuse(connection: Connection, batch_id: str, refused: Sequence[tuple[SpooledLine, Json]]) -> None:
    """Write the rows of lines that became no job."""
    rows = [
        {"batch_id": batch_id, "line": line.number, "custom_id": line.custom_id, "error": error}
        for line, error in refused
    ]
    if rows:
        connection.execute(insert(batch_refusals), rows)
