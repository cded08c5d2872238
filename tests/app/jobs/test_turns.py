"""How a lane is shared: batches, single jobs, priorities, on SQLite and PostgreSQL."""

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, select, text, update

from app.database.engine import make_engine, write
from app.jobs import claims, repository
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.jobs.tables import jobs, levels
from app.jobs.turns import AGEING_SECONDS, SINGLE, Level, WaitingLevel, in_order, renew_turns

LEASE = 30.0


def add(engine: Engine, flow: str, count: int = 1, priority: int = 4, key: str | None = None) -> list[str]:
    """Insert jobs of a batch, or single ones, in one transaction; their ids."""
    new = NewJob("k", "long", {}, priority=priority, batch_id=flow or None, stack_key=key)
    with write(engine) as connection:
        return repository.insert_jobs(connection, flow, [new] * count)


def take(engine: Engine, count: int = 1, limit: int = 1) -> list[list[str]]:
    """Claim so often; the flows of what was claimed each time."""
    found = (claims.claim_stack(engine, "w", LEASE, lanes=["long"], limit=limit) for _ in range(count))
    return [[claim.job.flow for claim in each] for each in found]


def flows(engine: Engine, count: int) -> str:
    """The flows of the next claims, one job each."""
    return "".join(flow or "s" for found in take(engine, count) for flow in found)


def turn_of(engine: Engine, priority: int = 4) -> float:
    with engine.connect() as connection:
        query = select(levels.c.turn).where(levels.c.lane == "long", levels.c.priority == priority)
        return float(connection.execute(query).scalar_one())


def test_two_batches_share_a_lane_evenly(engine: Engine) -> None:
    add(engine, "b", 20)
    assert flows(engine, 5) == "bbbbb"
    add(engine, "c", 20)
    found = flows(engine, 20)
    assert all(abs(found[:n].count("b") - found[:n].count("c")) <= 1 for n in range(21)), found


@pytest.mark.parametrize("claimed", [0, 1, 7])
def test_a_single_job_beside_full_batches_starts_next(engine: Engine, claimed: int) -> None:
    for batch in "bcd":
        add(engine, batch, 200)
    take(engine, claimed)
    add(engine, SINGLE)
    assert flows(engine, 1) == "s"


def test_so_it_does_beside_a_batch_that_is_computed_in_stacks(engine: Engine) -> None:
    add(engine, "b", 100, key="b")
    assert take(engine, 2, limit=16) == [["b"] * 16] * 2
    add(engine, SINGLE)
    assert take(engine, 2, limit=16) == [[SINGLE], ["b"] * 16]


@pytest.mark.medium
def test_single_jobs_one_after_the_other_keep_no_batch_waiting(engine: Engine) -> None:
    add(engine, "b", 10)
    seen = ""
    for _ in range(70):
        add(engine, SINGLE)
        seen += flows(engine, 1)
    # 16 of them, and one more where turns are equal.
    assert max(len(part) for part in seen.split("b")) <= 17 and seen.count("b") >= 4, seen


def test_small_batches_one_after_the_other_keep_no_large_one_waiting(engine: Engine) -> None:
    add(engine, "b", 20)
    seen = ""
    for small in "mnopqrtuvw":
        add(engine, small)
        while small not in seen:
            seen += flows(engine, 1)
    assert 9 <= seen.count("b") <= 11, seen


def test_stacks_count_as_many_jobs_as_they_hold(engine: Engine) -> None:
    add(engine, "b", 64, key="b")
    add(engine, "c", 64)
    seen = Counter(flow for found in take(engine, 36, limit=16) for flow in found)
    assert abs(seen["b"] - seen["c"]) <= 16, seen


def cancel(engine: Engine, job_ids: Iterable[str]) -> None:
    for job_id in job_ids:
        repository.request_cancel(engine, job_id)


def test_cancelled_jobs_leave_no_gap_before_what_their_flow_adds_later(engine: Engine) -> None:
    add(engine, "b", 50)
    take(engine, 3)
    cancel(engine, add(engine, SINGLE, 40))
    add(engine, SINGLE)
    assert flows(engine, 1) == "s"
    cancel(engine, add(engine, "c", 40))
    add(engine, "c", 2)
    assert sorted(flows(engine, 2)) == ["b", "c"]


def test_a_batch_that_is_resumed_gets_its_share_and_no_more(engine: Engine) -> None:
    old = add(engine, "b", 30)
    with write(engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id.in_(old)).values(paused=True))
    add(engine, "c", 60)
    take(engine, 20)
    for begin in (0, 10, 20):
        with write(engine) as connection:
            renew_turns(connection, "b", old[begin : begin + 10])
            connection.execute(
                update(jobs).where(jobs.c.id.in_(old[begin : begin + 10])).values(paused=False)
            )
    add(engine, SINGLE)
    found = flows(engine, 41)
    assert found[0] == "s"
    assert all(abs(found[:n].count("b") - found[:n].count("c")) <= 1 for n in range(1, 42)), found


def test_released_and_resumed_jobs_come_first(engine: Engine) -> None:
    first, second, third = add(engine, SINGLE, 3)
    batch = add(engine, "b", 5)
    released = claims.claim_next(engine, "w", ["long"], LEASE)
    repository.set_paused(engine, second, True)
    assert released is not None and released.job.id == first
    taken = [claims.claim_next(engine, "w", ["long"], LEASE) for _ in range(3)]
    assert [claim.job.id for claim in taken if claim] == [third, *batch[:2]]
    before = turn_of(engine)
    claims.finish(engine, released, State.QUEUED)
    repository.set_paused(engine, second, False)
    add(engine, SINGLE)
    again = [claims.claim_next(engine, "w", ["long"], LEASE) for _ in range(2)]
    assert [claim.job.id for claim in again if claim] == [first, second]
    assert turn_of(engine) == before


def age(engine: Engine, seconds: float) -> None:
    """Let time pass."""
    with write(engine) as connection:
        connection.execute(update(jobs).values(created_at=jobs.c.created_at - seconds))
        connection.execute(update(levels).values(claimed_at=levels.c.claimed_at - seconds))


def test_a_lower_priority_waits_but_does_not_starve(engine: Engine) -> None:
    add(engine, "u", 9, priority=6)
    add(engine, "n", 9, priority=4)
    add(engine, "l", 9, priority=1)
    assert flows(engine, 3) == "uuu"
    age(engine, AGEING_SECONDS + 1)
    # One each, with one of the highest priority between them.
    assert flows(engine, 5) == "nuluu"
    age(engine, AGEING_SECONDS - 10)
    assert flows(engine, 1) == "u"


def level(priority: int, claimed_at: float, created_at: float = 0.0) -> WaitingLevel:
    return WaitingLevel(Level("long", priority), claimed_at, created_at)


@pytest.mark.parametrize(
    ("waiting", "first"),
    [
        ([], None),
        ([level(1, 0.0), level(4, 0.0, 5.0), level(6, 0.0)], 1),
        ([level(1, 950.0), level(6, 999.0)], 6),
        ([level(1, 930.0), level(6, 999.0)], 1),
        # Its job came just now, however long nothing else did.
        ([level(1, 0.0, 999.0), level(6, 999.0)], 6),
        # The lower one was served last.
        ([level(1, 930.0), level(6, 920.0)], 6),
        ([level(1, 930.0), level(4, 910.0), level(6, 999.0)], 4),
        # The highest that waits now came after the others had been served.
        ([level(1, 930.0), level(4, 998.0), level(6, 0.0, 999.0)], 6),
    ],
)
def test_the_level_that_is_served_first(waiting: Sequence[WaitingLevel], first: int | None) -> None:
    found = in_order(waiting, 1000.0)
    assert sorted(found) == sorted(each.level for each in waiting)
    assert next((each.priority for each in found), None) == first


@pytest.mark.medium
@given(priorities=st.sets(st.integers(0, 7), min_size=1), seconds=st.floats(0.01, 500.0))
def test_no_priority_starves_however_long_jobs_take(priorities: set[int], seconds: float) -> None:
    """Every level always has a job, and one worker claims one every so many seconds."""
    claimed_at = dict.fromkeys(priorities, 0.0)
    order: list[int] = []
    now, top = 0.0, max(priorities)
    while now < 20 * AGEING_SECONDS + 40 * seconds:
        now += max(seconds, 1.0)
        served = in_order([level(p, at) for p, at in claimed_at.items()], now)[0].priority
        # The longest wait: its turn among the others that starve, with a job of the highest between two.
        longest = AGEING_SECONDS + 2 * (len(priorities) + 1) * max(seconds, 1.0)
        assert all(now - at <= longest for at in claimed_at.values())
        claimed_at[served] = now
        order.append(served)
    assert all(top in pair for pair in pairwise(order))


def plan(engine: Engine, statement: str, values: dict[str, object] | tuple[object, ...]) -> str:
    explain = "EXPLAIN QUERY PLAN " if engine.dialect.name == "sqlite" else "EXPLAIN "
    with engine.connect() as connection:
        rows = connection.exec_driver_sql(explain + statement, values).all()
    return "\n".join(str(row[-1]) for row in rows)


def fill(engine: Engine, flow: str, count: int, key: str | None) -> None:
    new = NewJob("k", "long", {}, priority=4, batch_id=flow or None, stack_key=key)
    for _ in range(count // 1000):
        with write(engine) as connection:
            repository.insert_jobs(connection, flow, [new] * 1000)


def check_plans(engine: Engine) -> None:
    """Assert that no statement of a claim, or of a job that is added, reads or sorts the queue."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    sent: list[tuple[str, dict[str, object] | tuple[object, ...]]] = []

    def note(_c: object, _d: object, statement: str, values: dict[str, object], *_: object) -> None:
        sent.append((statement, values))

    event.listen(engine, "before_cursor_execute", note)
    assert len(claims.claim_stack(engine, "w", LEASE, lanes=["long"], limit=4)) == 4
    add(engine, SINGLE)
    add(engine, "b")
    event.remove(engine, "before_cursor_execute", note)
    plans = [plan(engine, *each) for each in sent if "jobs" in each[0] and "INSERT" not in each[0]]
    assert len(plans) == 5
    for found in plans:
        assert "ix_jobs_" in found, found
        for slow in ("SCAN jobs", "Seq Scan on jobs", "Sort", "TEMP B-TREE"):
            assert slow not in found, found


def test_a_claim_is_a_look_up_in_an_index(engine: Engine) -> None:
    fill(engine, "b", 2000, "b")
    fill(engine, SINGLE, 1000, "s")
    check_plans(engine)


@pytest.mark.slow
def test_so_it_is_with_200_000_jobs_queued(engine: Engine) -> None:
    for batch in "bcde":
        fill(engine, batch, 49_000, batch)
    fill(engine, SINGLE, 4000, "s")
    check_plans(engine)
    assert set(flows(engine, 50)) <= {*"bcdes"}


@pytest.mark.medium
def test_many_processes_at_once_lose_no_job_and_no_turn(database_url: str) -> None:
    """Threads stand for processes: claims, submits, expansions and cancels of one lane meet."""
    engine = make_engine(database_url, connections=10)  # One for each thread, as processes have.
    add(engine, "b", 60, key="b")
    stop = threading.Event()
    turns: list[float] = []

    def submit(flow: str) -> list[str]:
        return [job_id for _ in range(15) for job_id in add(engine, flow, 3, priority=4, key=flow or None)]

    def work(name: int) -> list[str]:
        mine = []
        while True:
            done = stop.is_set()
            found = claims.claim_stack(engine, f"w{name}", LEASE, lanes=["long"], limit=3)
            mine += [claim.job.id for claim in found]
            turns.append(turn_of(engine))
            if not found and done:
                return mine

    with ThreadPoolExecutor(10) as pool:
        workers = [pool.submit(work, name) for name in range(5)]
        adding = [pool.submit(submit, flow) for flow in ("c", "d", SINGLE)]
        try:
            made = [job_id for each in adding for job_id in each.result()]
            cancel(engine, made[::5])
        finally:
            stop.set()
        taken = [job_id for each in workers for job_id in each.result()]
    assert len(taken) == len(set(taken))
    with engine.connect() as connection:
        states = {row.id: row.state for row in connection.execute(select(jobs.c.id, jobs.c.state))}
    assert len(states) == 60 + 3 * 45 and set(states.values()) <= {State.RUNNING, State.CANCELLED}
    assert {job_id for job_id, state in states.items() if state == State.RUNNING} <= set(taken)
    assert turn_of(engine) == max(turns)
    engine.dispose()
