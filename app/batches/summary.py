"""What the view of a batch tells of its entries: one query for each part, however many batches there are."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, Select, func, select, union_all

from app.batches.batch import Batch, BatchState, Counts
from app.batches.entries import Entry, unstarted_state
from app.batches.tables import batch_refusals, batches
from app.database.engine import now, read
from app.jobs.job import Artifact
from app.jobs.states import State
from app.jobs.tables import artifacts, jobs

FIRST_ERRORS = 10
SAMPLES = 4
# Ends whose rate tells how long the rest takes: more than one stack's, which all come at once.
RATE_ENDS = 200
# The artifact that is the picture which a job makes.
PICTURE = "image"


@dataclass(frozen=True)
class Summary:
    """What the entries of a batch are like. ``samples`` are pictures of entries, by line.

    ``wrong`` of the failed ones are lines that were refused.
    """

    counts: Counts
    wrong: int
    eta_seconds: float | None
    first_errors: Sequence[Entry]
    samples: Mapping[int, Artifact]


def summarize(engine: Engine, found: Sequence[Batch]) -> dict[str, Summary]:
    """The summaries of some batches, a hundred at most, by id."""
    with read(engine) as connection:
        counts = count_entries(connection, found)
        etas = estimate_rest(connection, found, counts)
        failed = [batch for batch in found if counts[batch.id].failed]
        wrong = _count_wrong(connection, failed)
        errors = _first_errors(connection, failed)
        samples = _samples(connection, [batch.id for batch in found if counts[batch.id].succeeded])
    return {
        batch.id: Summary(
            counts[batch.id],
            wrong.get(batch.id, 0),
            etas.get(batch.id),
            errors[batch.id],
            samples[batch.id],
        )
        for batch in found
    }


def count_entries(connection: Connection, found: Sequence[Batch]) -> dict[str, Counts]:
    """The entries of batches by state, and id of the batch: of those that have ended as they were then."""
    known = {batch.id: Counts(**batch.counts) for batch in found if batch.ended and batch.counts is not None}
    return known | _count(connection, [batch for batch in found if batch.id not in known])


def _count(connection: Connection, found: Sequence[Batch]) -> dict[str, Counts]:
    if not found:
        return {}
    ids = [batch.id for batch in found]
    query = select(jobs.c.batch_id, jobs.c.state, func.count()).where(
        jobs.c.batch_id.in_(ids), jobs.c.batch_line.is_not(None)
    )
    own: dict[str, dict[State, int]] = defaultdict(dict)
    for batch_id, state, count in connection.execute(query.group_by(jobs.c.batch_id, jobs.c.state)):
        own[batch_id][State(state)] = count
    table = batch_refusals.c
    wrong = select(table.batch_id, func.count(), func.count().filter(table.line >= batches.c.next_line)).join(
        batches, batches.c.id == table.batch_id
    )
    wrong = wrong.where(table.batch_id.in_(ids)).group_by(table.batch_id)
    refused = {batch_id: (count, ahead) for batch_id, count, ahead in connection.execute(wrong)}
    return {batch.id: _counts(batch, own[batch.id], *refused.get(batch.id, (0, 0))) for batch in found}


def _counts(batch: Batch, own: Mapping[State, int], refused: int, ahead: int) -> Counts:
    """``ahead`` of the refused lines are not reached yet."""
    # The first alone would count entries whose jobs were deleted; the second, in a database that shows each
    # statement what is newest, lines that became jobs since the batch was read.
    unstarted = min(batch.lines - sum(own.values()) - refused, batch.lines - batch.next_line + 1 - ahead)
    never = unstarted_state(batch) == "cancelled"
    return Counts(
        waiting=0 if never else max(0, unstarted),
        queued=own.get(State.QUEUED, 0),
        running=own.get(State.RUNNING, 0),
        succeeded=own.get(State.SUCCEEDED, 0),
        failed=own.get(State.FAILED, 0) + refused,
        cancelled=own.get(State.CANCELLED, 0) + (max(0, unstarted) if never else 0),
    )


def estimate_rest(
    connection: Connection, found: Sequence[Batch], counts: Mapping[str, Counts]
) -> dict[str, float]:
    """Seconds until all entries have ended, by batch, at the rate of its last ends.

    Without those that are paused, that have ended, or of which nothing has ended yet.
    """
    going = [batch for batch in found if batch.state is BatchState.RUNNING and not batch.paused]
    queries = [
        select(jobs.c.batch_id, jobs.c.started_at, jobs.c.finished_at)
        .where(
            jobs.c.batch_id == batch.id,
            jobs.c.batch_line.is_not(None),
            jobs.c.finished_at.is_not(None),
            jobs.c.started_at.is_not(None),
        )
        .order_by(jobs.c.finished_at.desc())
        .limit(RATE_ENDS)
        for batch in going
    ]
    ends: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for batch_id, started_at, finished_at in _union(connection, queries):
        ends[batch_id].append((started_at, finished_at))
    if not ends:
        return {}
    present = connection.execute(select(now())).scalar_one()
    return {
        batch_id: seconds_each(last, present) * _left(counts[batch_id]) for batch_id, last in ends.items()
    }


def seconds_each(ends: Sequence[tuple[float, float]], present: float) -> float:
    """Seconds from one end to the next, of the last entries, as (start, end) in any order.

    Entries that are computed together end together, so the ends after the earliest are counted.
    """
    earliest = min(end for _, end in ends)
    later = sum(1 for _, end in ends if end > earliest)
    if later == 0 or len(ends) < RATE_ENDS:
        # All there are, or all of one stack: the time since they started.
        earliest, later = min(start for start, _ in ends), len(ends)
    return max(0.0, present - earliest) / later


def _left(counts: Counts) -> int:
    return counts.waiting + counts.queued + counts.running


def _count_wrong(connection: Connection, found: Sequence[Batch]) -> dict[str, int]:
    """How many lines of batches were refused, by id."""
    if not found:
        return {}
    table = batch_refusals.c
    query = select(table.batch_id, func.count()).where(table.batch_id.in_([batch.id for batch in found]))
    return {batch_id: count for batch_id, count in connection.execute(query.group_by(table.batch_id))}


def _first_errors(connection: Connection, found: Sequence[Batch]) -> dict[str, list[Entry]]:
    """The first failed entries of batches, by id."""
    failed = [
        select(
            jobs.c.batch_id,
            jobs.c.batch_line.label("line"),
            jobs.c.custom_id,
            jobs.c.error,
            jobs.c.id.label("job_id"),
            jobs.c.kind,
        )
        .where(jobs.c.batch_id == batch.id, jobs.c.state == State.FAILED, jobs.c.batch_line.is_not(None))
        .order_by(jobs.c.batch_line)
        .limit(FIRST_ERRORS)
        for batch in found
    ]
    table = batch_refusals.c
    refused = [
        select(table.batch_id, table.line, table.custom_id, table.error)
        .where(table.batch_id == batch.id)
        .order_by(table.line)
        .limit(FIRST_ERRORS)
        for batch in found
    ]
    by_batch: dict[str, list[Entry]] = defaultdict(list)
    for batch_id, line, custom_id, error, job_id, kind in _union(connection, failed):
        by_batch[batch_id].append(Entry(line, custom_id, "failed", job_id, kind, error=error))
    for batch_id, line, custom_id, error in _union(connection, refused):
        by_batch[batch_id].append(Entry(line, custom_id, "failed", error=error))
    for entries in by_batch.values():
        entries.sort(key=lambda entry: entry.line)
        del entries[FIRST_ERRORS:]
    return by_batch


def _samples(connection: Connection, ids: Sequence[str]) -> dict[str, dict[int, Artifact]]:
    """Pictures of a few entries that succeeded, evenly from the first to the last, by batch and line.

    Where one made no picture, there is one less.
    """
    chosen: dict[str, dict[int, Artifact]] = defaultdict(dict)
    if not ids:
        return chosen
    done = (jobs.c.state == State.SUCCEEDED, jobs.c.batch_line.is_not(None))
    mine = select(jobs.c.batch_line).where(jobs.c.batch_id == batches.c.id, *done).limit(1)
    ends = (
        select(
            batches.c.id,
            mine.order_by(jobs.c.batch_line).scalar_subquery().label("low"),
            mine.order_by(jobs.c.batch_line.desc()).scalar_subquery().label("high"),
        )
        .where(batches.c.id.in_(ids))
        .cte()
    )
    places = [
        select(jobs.c.id)
        .where(
            jobs.c.batch_id == ends.c.id,
            jobs.c.batch_line >= ends.c.low + (ends.c.high - ends.c.low) * place // (SAMPLES - 1),
            *done,
        )
        .order_by(jobs.c.batch_line)
        .limit(1)
        .scalar_subquery()
        for place in range(SAMPLES)
    ]
    rows = connection.execute(select(ends.c.id, *places))
    job_ids = {job_id for _, *found in rows for job_id in found if job_id is not None}
    query = (
        select(jobs.c.batch_id, jobs.c.batch_line, artifacts)
        .join(artifacts, artifacts.c.job_id == jobs.c.id)
        .where(jobs.c.id.in_(job_ids), artifacts.c.name == PICTURE)
        .order_by(jobs.c.batch_line)
    )
    for row in connection.execute(query).mappings():
        made = {column.name: row[column] for column in artifacts.c}
        chosen[row["batch_id"]][row["batch_line"]] = Artifact(**made)
    return chosen


def _union(connection: Connection, queries: Sequence[Select[Any]]) -> list[Sequence[Any]]:
    """The rows of queries that each are limited and ordered, in one statement."""
    if not queries:
        return []
    each = [select(query.subquery()) for query in queries]
    return [tuple(row) for row in connection.execute(union_all(*each))]
