"""The entries of a batch in the order of its lines: jobs, lines that were wrong, lines that still wait."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select, select

from app.batches.batch import Batch, BatchState
from app.batches.repository import get_batch
from app.batches.schemas import EntryState
from app.batches.tables import batch_refusals
from app.database.engine import read, read_moment
from app.jobs.job import Artifact, Json
from app.jobs.states import State
from app.jobs.tables import artifacts, jobs

# Entries that are read at a time where all of them are passed on.
PAGE = 500

# What an entry needs of its job, but for the result.
COLUMNS = (
    jobs.c.batch_line.label("line"),
    jobs.c.custom_id,
    jobs.c.state,
    jobs.c.id.label("job_id"),
    jobs.c.kind,
    jobs.c.progress,
    jobs.c.error,
    jobs.c.finished_at,
)


@dataclass(frozen=True)
class Entry:
    """A line of a batch with its job, if it has one. ``result`` is there only if it was asked for.

    Times are seconds since 1970.
    """

    line: int
    custom_id: str | None
    state: EntryState
    job_id: str | None = None
    kind: str | None = None
    progress: Json | None = None
    error: Json | None = None
    finished_at: float | None = None
    result: Json | None = None


def unstarted_state(batch: Batch) -> EntryState:
    """The state of the lines of a batch that are no job: they wait, or never become one."""
    cancelled = batch.cancel_requested_at is not None or batch.state is BatchState.CANCELLED
    return "cancelled" if cancelled else "waiting"


def list_entries(
    engine: Engine,
    batch: Batch,
    *,
    first: int,
    limit: int,
    states: Sequence[EntryState] = (),
    with_results: bool = False,
) -> list[Entry]:
    """Up to ``limit`` entries in some states, or in any, from the line ``first`` on.

    Costs as much as it returns, however many entries of other states lie between.
    """
    with read_moment(engine) as connection:
        found = [
            entry
            for query in _job_queries(batch.id, states, with_results)
            for entry in _entries_of(connection, query, first, limit)
        ]
        if not states or "failed" in states:
            found += _refusals(connection, batch.id, first, limit)
        if not states or unstarted_state(batch) in states:
            found += _unstarted(connection, batch, first, limit)
    return sorted(found, key=lambda entry: entry.line)[:limit]


def pages_of_entries(
    engine: Engine, batch_id: str, states: Sequence[EntryState], *, with_results: bool = False
) -> Iterator[list[Entry]]:
    """All entries in some states, page by page, each read when it is asked for. Raises UnknownBatch."""
    first = 1
    while True:
        batch = get_batch(engine, batch_id)
        page = list_entries(engine, batch, first=first, limit=PAGE, states=states, with_results=with_results)
        if page:
            yield page
        if len(page) < PAGE:
            return
        first = page[-1].line + 1


def _job_queries(batch_id: str, states: Sequence[EntryState], with_results: bool) -> list[Select[Any]]:
    """One for each state, so that each is a range of an index; or one for all."""
    columns = (*COLUMNS, jobs.c.result) if with_results else COLUMNS
    query = select(*columns).where(jobs.c.batch_id == batch_id).order_by(jobs.c.batch_line)
    if not states:
        return [query]
    known = [State(state) for state in states if state != "waiting"]
    return [query.where(jobs.c.state == state) for state in known]


def _entries_of(connection: Connection, query: Select[Any], first: int, limit: int) -> Iterator[Entry]:
    rows = connection.execute(query.where(jobs.c.batch_line >= first).limit(limit)).mappings()
    return (Entry(**row) for row in rows)


def _refusals(connection: Connection, batch_id: str, first: int, limit: int) -> list[Entry]:
    table = batch_refusals.c
    query = select(table.line, table.custom_id, table.error).where(
        table.batch_id == batch_id, table.line >= first
    )
    rows = connection.execute(query.order_by(table.line).limit(limit)).mappings()
    return [Entry(**row, state="failed") for row in rows]


def _unstarted(connection: Connection, batch: Batch, first: int, limit: int) -> list[Entry]:
    """Lines from ``first`` on that are neither a job nor a refusal."""
    start = max(first, batch.next_line)
    state = unstarted_state(batch)
    found: list[Entry] = []
    while start <= batch.lines and len(found) < limit:
        end = min(start + limit, batch.lines + 1)
        taken = _lines_taken(connection, batch.id, start, end)
        found += [Entry(line, None, state) for line in range(start, end) if line not in taken]
        start = end
    return found[:limit]


def _lines_taken(connection: Connection, batch_id: str, start: int, end: int) -> set[int]:
    refused, line = batch_refusals.c, jobs.c.batch_line
    own = select(line).where(jobs.c.batch_id == batch_id, line >= start, line < end)
    wrong = select(refused.line).where(
        refused.batch_id == batch_id, refused.line >= start, refused.line < end
    )
    return {*connection.execute(own).scalars(), *connection.execute(wrong).scalars()}


def entries_at(engine: Engine, batch_id: str, lines: Sequence[int]) -> dict[int, Entry]:
    """The entries of some lines, a few hundred at most, by line; those that do not exist yet are left out."""
    table = batch_refusals.c
    own = select(*COLUMNS).where(jobs.c.batch_id == batch_id, jobs.c.batch_line.in_(lines))
    wrong = select(table.line, table.custom_id, table.error).where(
        table.batch_id == batch_id, table.line.in_(lines)
    )
    with read_moment(engine) as connection:
        found = [Entry(**row) for row in connection.execute(own).mappings()]
        found += [Entry(**row, state="failed") for row in connection.execute(wrong).mappings()]
    return {entry.line: entry for entry in found}


def artifacts_named(engine: Engine, job_ids: Sequence[str], name: str) -> dict[str, Artifact]:
    """The artifact of a name of each of some jobs, a few hundred at most, that have it."""
    if not job_ids:
        return {}
    query = select(artifacts).where(artifacts.c.job_id.in_(job_ids), artifacts.c.name == name)
    with read(engine) as connection:
        return {row["job_id"]: Artifact(**row) for row in connection.execute(query).mappings()}
