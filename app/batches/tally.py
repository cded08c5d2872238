"""The counts of a batch, kept up to date from what has changed: its entries are counted now and then only."""

import time
from collections import Counter

from sqlalchemy import Connection, Integer, func, literal, literal_column, select, union_all

from app.batches.batch import Batch, Counts
from app.batches.entries import Entry, unstarted_state
from app.batches.tables import batch_refusals, batches
from app.jobs.states import State
from app.jobs.tables import jobs

# Seconds after which all is counted again, for what no row tells: an entry was deleted, or retried alone.
RECOUNT_SECONDS = 10.0
_NEXT_LINE, _REFUSED = "next_line", "refused"


class Tally:
    """The entries of one batch by state.

    What has ended by some seconds before the last count is counted; what has ended since is added one by one,
    since a transaction may become visible after another that began later.
    """

    def __init__(self, overlap_seconds: float) -> None:
        self._overlap = overlap_seconds
        self._basis: tuple[object, ...] | None = None
        self._expires = 0.0
        self._since = 0.0
        self._rows = self._refused = self._next_line = 0
        self._before: Counter[str] = Counter()
        self._ends: dict[str, str] = {}

    def prepare(self, connection: Connection, batch: Batch, moment: float, *, anew: bool) -> None:
        """Count all entries, if that is due or ``anew``: the ends of the last seconds have to be added again.

        ``moment`` is the database's clock.
        """
        # A retry takes ended entries away.
        basis = (batch.state, batch.revision, batch.applied, batch.retry_line)
        if not anew and basis == self._basis and time.monotonic() < self._expires:
            return
        self._basis, self._expires = basis, time.monotonic() + RECOUNT_SECONDS
        self._since = moment - self._overlap
        self._ends = {}
        entries = (jobs.c.batch_id == batch.id, jobs.c.batch_line.is_not(None))
        none = literal(0, Integer)
        refused = (
            select(func.count()).select_from(batch_refusals).where(batch_refusals.c.batch_id == batch.id)
        )
        # One statement, so that all of it is of one moment.
        query = union_all(
            select(jobs.c.state, func.count(), none).where(*entries).group_by(jobs.c.state),
            select(jobs.c.state, none, func.count())
            .where(*entries, jobs.c.finished_at >= self._since)
            .group_by(jobs.c.state),
            select(literal_column(f"'{_NEXT_LINE}'"), batches.c.next_line, none).where(
                batches.c.id == batch.id
            ),
            select(literal_column(f"'{_REFUSED}'"), refused.scalar_subquery(), none),
        )
        self._before.clear()
        recent: Counter[str] = Counter()
        for name, count, of_them_recent in connection.execute(query):
            self._before[name] += count
            recent[name] += of_them_recent
        self._next_line, self._refused = self._before.pop(_NEXT_LINE, 1), self._before.pop(_REFUSED, 0)
        self._rows = self._before.total()
        self._before -= recent

    def add(self, end: Entry) -> None:
        """An entry that has ended; it may have been added before."""
        if end.job_id is not None and (end.finished_at or 0.0) >= self._since:
            self._ends[end.job_id] = end.state

    def counts(self, connection: Connection, batch: Batch, running: int) -> Counts:
        """The counts, once every end of the last seconds was added."""
        table = batch_refusals.c
        newly = select(func.count()).where(table.batch_id == batch.id, table.line >= self._next_line)
        refused = connection.execute(newly).scalar_one()
        rows = self._rows + batch.next_line - self._next_line - refused
        ended = self._before + Counter(self._ends.values())
        done = {state: ended[state] for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED)}
        unstarted = batch.lines - batch.next_line + 1
        never = unstarted_state(batch) == "cancelled"
        return Counts(
            waiting=0 if never else unstarted,
            queued=max(0, rows - running - sum(done.values())),
            running=running,
            succeeded=done[State.SUCCEEDED],
            failed=done[State.FAILED] + self._refused + refused,
            cancelled=done[State.CANCELLED] + (unstarted if never else 0),
        )
