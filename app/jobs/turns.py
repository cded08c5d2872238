"""The order of the queue: which lane and priority is served next, and which job of it.

A *level* is a lane and a priority, a *flow* is what a share of a level is for: each batch is one, and all
single jobs together another. The waiting jobs of a level are claimed in the order of their turns.

This is start-time fair queuing (Goyal, Vin, Cheng, SIGCOMM 1996, section 2), where a job's start tag is its
turn, a level the server, and the level's turn the virtual time, which the job claimed last has set. It keeps
no finish tags: a flow's next job follows the last one that waits, so that jobs that are cancelled or paused
leave no gap.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import Connection, bindparam, case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.database.engine import now
from app.jobs.tables import IS_QUEUED, IS_WAITING, jobs, levels

# The flow of single jobs, and how far their turns are apart; those of a batch are 1 apart. So 16 of them are
# claimed for each job of a batch that also waits.
SINGLE = ""
SINGLE_STEP = 1 / 16

# A job of a lower priority is claimed after it has waited this long and no other of its priority was claimed:
# a batch in the background goes on visibly, and one job a minute costs the others little.
AGEING_SECONDS = 60.0


class Level(NamedTuple):
    """A lane and a priority."""

    lane: str
    priority: int


class WaitingLevel(NamedTuple):
    """A level where a job waits. Times are seconds since 1970; ``claimed_at`` is 0 if nothing ever was."""

    level: Level
    claimed_at: float
    head_created_at: float

    @property
    def waits_since(self) -> float:
        """Since when nothing was done for its first job."""
        return max(self.claimed_at, self.head_created_at)


def waiting_levels(connection: Connection, lanes: Sequence[str]) -> list[Level]:
    """The levels of some lanes where a job waits, in the order in which they are to be served.

    One index look-up each, however many jobs wait.
    """
    head = (
        select(jobs.c.created_at)
        .where(jobs.c.lane == levels.c.lane, jobs.c.priority == levels.c.priority)
        .where(*IS_WAITING)
        .order_by(jobs.c.turn, jobs.c.id)
        .limit(1)
        .scalar_subquery()
    )
    query = select(levels.c.lane, levels.c.priority, levels.c.claimed_at, head, now())
    rows = connection.execute(query.where(levels.c.lane.in_(lanes))).all()
    found = [
        WaitingLevel(Level(lane, priority), claimed_at, created_at)
        for lane, priority, claimed_at, created_at, _ in rows
        if created_at is not None
    ]
    return in_order(found, rows[0][-1]) if found else []


def in_order(waiting: Sequence[WaitingLevel], now: float) -> list[Level]:
    """The levels from the one to serve first: that of the highest priority, unless a lower one starves.

    A level starves if it has waited for AGEING_SECONDS; of several, the one that has waited longest is first.
    One is served only if the highest priority was served last, so that this one has at least every second job
    however long jobs take.
    """
    ranked = sorted(waiting, key=lambda each: (-each.level.priority, each.head_created_at))
    if not ranked:
        return []
    top = ranked[0]
    starving = [
        each
        for each in ranked
        if each.level.priority < top.level.priority and each.waits_since < now - AGEING_SECONDS
    ]
    if starving and top.claimed_at >= max(each.claimed_at for each in ranked):
        ranked.sort(key=min(starving, key=lambda each: each.waits_since).__ne__)
    return [each.level for each in ranked]


def serve(connection: Connection, level: Level, flow: str, turn: float) -> None:
    """Note that a job of a flow was claimed.

    The level's turn, which never decreases, is where a single job that comes now has its place: before what
    batches have at the turn of a batch's job, and after a single job.
    """
    reached = turn - SINGLE_STEP if flow else turn + SINGLE_STEP
    later = case((levels.c.turn < reached, reached), else_=levels.c.turn)
    served = update(levels).where(levels.c.lane == level.lane, levels.c.priority == level.priority)
    connection.execute(served.values(turn=later, claimed_at=now()))


def assign_turns(connection: Connection, flow: str, places: Sequence[tuple[str, int]]) -> list[float]:
    """Turns of new jobs of a flow, in order, each for its lane and priority."""
    step = 1.0 if flow else SINGLE_STEP
    # In one order, so that two transactions cannot wait for each other.
    following = {level: _next_turn(connection, flow, level, step) for level in sorted(set(places))}
    turns = []
    for level in places:
        turns.append(following[level])
        following[level] += step
    return turns


def renew_turns(connection: Connection, flow: str, job_ids: Sequence[str]) -> None:
    """Give jobs of a flow that are paused new turns, in their order, before they go on together.

    With those of the time when they were paused, all of them would come before everybody else. Those that run
    keep theirs.
    """
    paused = (jobs.c.id.in_(job_ids), IS_QUEUED, jobs.c.paused)
    query = select(jobs.c.id, jobs.c.lane, jobs.c.priority).where(*paused)
    rows = connection.execute(query.order_by(jobs.c.turn, jobs.c.id)).all()
    turns = assign_turns(connection, flow, [(row.lane, row.priority) for row in rows])
    if rows:
        renewed = [{"job_id": row.id, "new": turn} for row, turn in zip(rows, turns, strict=True)]
        change = update(jobs).where(jobs.c.id == bindparam("job_id")).values(turn=bindparam("new"))
        connection.execute(change, renewed)


def _next_turn(connection: Connection, flow: str, level: tuple[str, int], step: float) -> float:
    """The turn of the next job of a flow.

    A batch begins a step after the level's turn, as if it had just been served (Golestani, INFOCOM 1994):
    many batches of one job each, one after the other, do not keep a large one waiting.
    """
    lane, priority = level
    here = (levels.c.lane == lane, levels.c.priority == priority)
    current = connection.execute(select(levels.c.turn).where(*here)).scalar()
    if current is None:
        current = 0.0
        _add_level(connection, {"lane": lane, "priority": priority, "turn": current, "claimed_at": 0.0})
    last = select(func.max(jobs.c.turn)).where(
        jobs.c.flow == flow,
        jobs.c.lane == lane,
        jobs.c.priority == priority,
        *IS_WAITING,
    )
    waiting = connection.execute(last).scalar()
    first = current + step if flow else current
    return float(first if waiting is None else max(first, waiting + step))


def _add_level(connection: Connection, row: Mapping[str, object]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(levels).values(**row).on_conflict_do_nothing())
