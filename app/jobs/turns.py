"""The turns of waiting jobs: how a lane is shared among flows.

Goyal, Vin, Cheng, "Start-time fair queuing", SIGCOMM 1996, section 2: a job's turn is its start tag, its lane
and priority the server, and the turn of the job claimed last the virtual time. A flow is what a share is for:
each batch is one, and all single jobs together another.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import Connection, Table, select, update
from sqlalchemy.dialects import postgresql, sqlite

from app.database.engine import now
from app.jobs.tables import flows, levels

# The flow of single jobs, and how many of them are claimed for each job of a batch that also waits.
SINGLE = ""
SINGLE_WEIGHT = 16.0

Level = tuple[str, int]
"""A lane and a priority."""


def assign_turns(connection: Connection, flow: str, places: Sequence[Level]) -> list[float]:
    """Turns of new jobs of a flow, in order, each for its lane and priority."""
    step = 1.0 if flow else 1 / SINGLE_WEIGHT
    counts = Counter(places)
    # In one order, so that two transactions cannot wait for each other.
    following = {
        level: _take(connection, flow, level, count * step) for level, count in sorted(counts.items())
    }
    turns = []
    for level in places:
        turns.append(following[level])
        following[level] += step
    return turns


def _take(connection: Connection, flow: str, level: Level, length: float) -> float:
    """The first of some turns of a flow, which take up a ``length``."""
    lane, priority = level
    at = {"lane": lane, "priority": priority}
    _insert_missing(connection, levels, {**at, "turn": 0.0, "claimed_at": now()})
    _insert_missing(connection, flows, {**at, "flow": flow, "turn": 0.0})
    mine = (flows.c.flow == flow, flows.c.lane == lane, flows.c.priority == priority)
    query = select(flows.c.turn).where(*mine).with_for_update()
    last = connection.execute(query).scalar_one()
    there = (levels.c.lane == lane, levels.c.priority == priority)
    current = connection.execute(select(levels.c.turn).where(*there)).scalar_one()
    first = float(max(last, current))
    connection.execute(update(flows).where(*mine).values(turn=first + length))
    return first


def _insert_missing(connection: Connection, table: Table, row: dict[str, object]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(**row).on_conflict_do_nothing())
