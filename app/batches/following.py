"""What happens to the entries of a batch from some moment on, for a stream that tells it."""

from array import array
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from time import monotonic

from sqlalchemy import Connection, Engine, or_, select

from app.batches.batch import Batch, Counts
from app.batches.entries import COLUMNS, Entry
from app.batches.repository import get_batch
from app.batches.results import artifacts_of
from app.batches.summary import count_entries, estimate_rest
from app.batches.tables import batch_refusals
from app.batches.tally import Tally
from app.database.engine import FROZEN_SECONDS, current_time, now, read
from app.jobs.job import Artifact
from app.jobs.states import State
from app.jobs.tables import jobs

# Entries that are read at a time.
PAGE = 500
# An end becomes visible when its transaction commits, perhaps after others that are later by the clock. So
# what ended this long before the last is looked at again; in the end, also what a frozen process held.
OVERLAP_SECONDS = 5.0
LAST_OVERLAP_SECONDS = FROZEN_SECONDS + OVERLAP_SECONDS
# A database's clock that was set back by less loses no end, because of the overlap.
SET_BACK_SECONDS = OVERLAP_SECONDS / 2


@dataclass(frozen=True)
class Position:
    """How far a stream is: what ended by ``seconds`` since 1970 was told, and wrong lines up to ``line``."""

    seconds: float = 0.0
    line: int = 0


@dataclass(frozen=True)
class Status:
    """A batch at a moment."""

    batch: Batch
    counts: Counts
    eta_seconds: float | None


@dataclass(frozen=True)
class Told:
    """An entry that has started or ended, with what it made, and the position behind it."""

    entry: Entry
    position: Position
    artifacts: Sequence[Artifact]


@dataclass(frozen=True)
class News:
    """What has happened: entries in order, and the status after them.

    Without a status there is more to read at once.
    """

    entries: Sequence[Told]
    status: Status | None


class Follower:
    """Reads what happens to the entries of a batch, and tells each state of each entry once.

    It keeps eight bytes for each line. Entries come when they end, in order, and when they start, unless they
    ended before that was seen.
    """

    def __init__(self, engine: Engine, batch: Batch, position: Position) -> None:
        """Whoever was at a ``position`` may get what ended in the seconds before it once more."""
        self.position = position
        self._engine, self._batch_id = engine, batch.id
        self._told = array("q", bytes(8 * (batch.lines + 1)))
        self._tally = Tally(OVERLAP_SECONDS)
        # A pass is over all pages from the place on; the last one begins when the batch has ended.
        self._midway = self._last_pass = False
        self._place = (0.0, "")
        # The database's clock when the pass began, and how far it was ahead of this process's monotonic one.
        self._moment = 0.0
        self._ahead = float("-inf")

    def status(self) -> Status:
        """The batch at this moment, with all its entries counted."""
        batch = get_batch(self._engine, self._batch_id)
        with read(self._engine) as connection:
            return _status(connection, batch, count_entries(connection, [batch])[batch.id])

    def news(self) -> News:
        """What has happened since the last call. Raises UnknownBatch."""
        found, status = self._read()
        new = [(entry, position) for entry, position in found if self._is_untold(entry)]
        made = artifacts_of(self._engine, [entry for entry, _ in new]) if new else {}
        return News([Told(entry, position, made[entry.line]) for entry, position in new], status)

    def branch(self) -> "Follower":
        """Another follower of the batch, which has told the same."""
        other = copy(self)
        other._told = self._told[:]
        other._tally = Tally(OVERLAP_SECONDS)
        return other

    def take(self, told: Sequence[Told], position: Position) -> list[Told]:
        """What is untold here of what another follower of the batch, at ``position``, has told since."""
        self.position = position
        # It has not counted what it did not read.
        self._tally = Tally(OVERLAP_SECONDS)
        return [each for each in told if self._is_untold(each.entry)]

    def _read(self) -> tuple[list[tuple[Entry, Position]], Status | None]:
        """The next entries that may be untold, each with the position behind it."""
        batch = get_batch(self._engine, self._batch_id)
        with read(self._engine) as connection:
            if not self._midway:
                self._begin_pass(connection, batch)
            found = [*self._ends(connection), *self._refusals(connection)]
            self._midway = len(found) >= PAGE
            if self._midway or batch.ended != self._last_pass:
                return found, None
            running = self._running(connection)
            counts = self._tally.counts(connection, batch, len(running))
            if batch.ended:
                counts = count_entries(connection, [batch])[batch.id]
            status = _status(connection, batch, counts)
        found += [(entry, self.position) for entry in running]
        return found, status

    def _begin_pass(self, connection: Connection, batch: Batch) -> None:
        self._last_pass = batch.ended
        here = monotonic()
        self._moment = float(connection.execute(select(now())).scalar_one())
        ahead = self._moment - here
        set_back = max(self._ahead - ahead, self.position.seconds - self._moment) > SET_BACK_SECONDS
        if set_back:
            # What has ended since then may be earlier by the clock than what was told: all is read again.
            self.position = Position(line=self.position.line)
        self._ahead = ahead if set_back else max(self._ahead, ahead)
        overlap = LAST_OVERLAP_SECONDS if self._last_pass else OVERLAP_SECONDS
        self._place = (min(self.position.seconds, self._moment) - overlap, "")
        self._tally.prepare(connection, batch, self._moment, anew=set_back)

    def _ends(self, connection: Connection) -> list[tuple[Entry, Position]]:
        """The next entries that have ended, and moves on behind them."""
        seconds, job_id = self._place
        query = (
            select(*COLUMNS)
            .where(
                jobs.c.batch_id == self._batch_id,
                jobs.c.batch_line.is_not(None),
                jobs.c.finished_at >= seconds,
                or_(jobs.c.finished_at > seconds, jobs.c.id > job_id),
            )
            .order_by(jobs.c.finished_at, jobs.c.id)
            .limit(PAGE)
        )
        found = []
        for row in connection.execute(query).mappings():
            self._place = (row["finished_at"], row["job_id"])
            # Of a time before the clock was set back it may be later than what ends from now on.
            seconds = max(self.position.seconds, min(row["finished_at"], self._moment))
            self.position = Position(seconds, self.position.line)
            entry = Entry(**row)
            self._tally.add(entry)
            found.append((entry, self.position))
        return found

    def _refusals(self, connection: Connection) -> list[tuple[Entry, Position]]:
        """The next lines that were wrong: they are written in order."""
        table = batch_refusals.c
        query = (
            select(table.line, table.custom_id, table.error)
            .where(table.batch_id == self._batch_id, table.line > self.position.line)
            .order_by(table.line)
            .limit(PAGE)
        )
        found = []
        for row in connection.execute(query).mappings():
            self.position = Position(self.position.seconds, row["line"])
            found.append((Entry(**row, state="failed"), self.position))
        return found

    def _running(self, connection: Connection) -> list[Entry]:
        query = select(*COLUMNS).where(
            jobs.c.batch_id == self._batch_id,
            jobs.c.batch_line.is_not(None),
            jobs.c.state == State.RUNNING,
        )
        rows = connection.execute(query.order_by(jobs.c.batch_line)).mappings()
        return [Entry(**row) for row in rows]

    def _is_untold(self, entry: Entry) -> bool:
        """Whether it was not told in this state. It is marked as told."""
        mark = hash((entry.job_id, entry.state))
        told, self._told[entry.line] = self._told[entry.line], mark
        return told != mark


def from_now(engine: Engine, batch: Batch) -> Position:
    """The position of whoever wants nothing of what was before."""
    # What became visible late is told all the same: see `OVERLAP_SECONDS`.
    return Position(current_time(engine), batch.next_line - 1)


def _status(connection: Connection, batch: Batch, counts: Counts) -> Status:
    eta = estimate_rest(connection, [batch], {batch.id: counts}).get(batch.id)
    return Status(batch, counts, eta)
