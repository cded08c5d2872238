"""The order of claims under any order of events, against a model of the queue, on SQLite and PostgreSQL."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Engine, delete, select, update

from app.database.engine import write
from app.jobs import claims, repository
from app.jobs.claims import Claim
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.jobs.tables import jobs, levels
from app.jobs.turns import SINGLE, renew_turns

# Longer than any test takes; the rule ``wait`` moves the clock.
AGEING = 10_000.0
BATCHES = st.sampled_from(["b1", "b2"])
PRIORITIES = st.sampled_from([1, 4, 6])


@dataclass
class Waiter:
    """A job that was made: its number in the order of ids, and its place."""

    number: int
    priority: int
    flow: str
    key: str | None
    turn: float
    made_at: float
    state: State = State.QUEUED
    paused: bool = False


@dataclass
class Level:
    turn: float = 0.0
    claimed_at: float = -AGEING


@dataclass
class Queue:
    """What one lane should do, in the words of the documentation."""

    clock: float = 0.0
    made: dict[str, Waiter] = field(default_factory=dict)
    levels: dict[int, Level] = field(default_factory=dict)

    def add(self, job_id: str, priority: int, flow: str, key: str | None) -> None:
        turn = self.next_turn(priority, flow)
        self.made[job_id] = Waiter(len(self.made), priority, flow, key, turn, self.clock)

    def next_turn(self, priority: int, flow: str) -> float:
        step = 1.0 if flow else 1 / 16
        level = self.levels.setdefault(priority, Level())
        first = level.turn + step if flow else level.turn
        mine = (job.turn for job in self.waiting() if (job.priority, job.flow) == (priority, flow))
        return max(first, *(turn + step for turn in mine), 0.0)

    def waiting(self) -> Iterator[Waiter]:
        return (job for job in self.made.values() if job.state is State.QUEUED and not job.paused)

    def next(self) -> Waiter | None:
        """The job to be claimed."""
        heads: dict[int, Waiter] = {}
        for job in sorted(self.waiting(), key=lambda job: (job.turn, job.number)):
            heads.setdefault(job.priority, job)
        if not heads:
            return None
        top = max(heads)
        since = {p: max(self.levels[p].claimed_at, job.made_at) for p, job in heads.items()}
        starving = [p for p in heads if p < top and self.clock - since[p] > AGEING]
        top_was_last = self.levels[top].claimed_at >= max(self.levels[p].claimed_at for p in heads)
        if starving and top_was_last:
            return heads[min(starving, key=since.__getitem__)]
        return heads[top]

    def claim(self, limit: int) -> list[Waiter]:
        """The jobs that are claimed together."""
        first = self.next()
        if first is None:
            return []
        found = [first]
        if first.key is not None:
            others = [job for job in self.waiting() if job is not first and job.key == first.key]
            others.sort(key=lambda job: (-job.priority, job.turn, job.number))
            found += others[: limit - 1]
        level = self.levels[first.priority]
        level.turn = max(level.turn, first.turn - 1 / 16 if first.flow else first.turn + 1 / 16)
        self.clock += 1
        level.claimed_at = self.clock
        for job in found:
            job.state = State.RUNNING
        return found


class Life(RuleBasedStateMachine):
    """Every rule does to the database and to the model what can happen in one lane."""

    made = Bundle("made")
    held = Bundle("held")
    engine: Engine

    def __init__(self) -> None:
        super().__init__()
        self.queue = Queue()
        with write(self.engine) as connection:
            connection.execute(delete(jobs))
            connection.execute(delete(levels))

    def _insert(self, flow: str, new: list[NewJob]) -> list[str]:
        # Clocks of databases tell milliseconds apart.
        time.sleep(0.002)
        self.queue.clock += 1
        with write(self.engine) as connection:
            job_ids = repository.insert_jobs(connection, flow, new)
        for job_id, each in zip(job_ids, new, strict=True):
            self.queue.add(job_id, each.priority, flow, each.stack_key)
        return job_ids

    @rule(target=made, priority=PRIORITIES, key=st.sampled_from([None, "k"]))
    def submit(self, priority: int, key: str | None) -> str:
        (job_id,) = self._insert(SINGLE, [NewJob("k", "long", {}, priority=priority, stack_key=key)])
        return job_id

    @rule(target=made, batch=BATCHES, count=st.integers(1, 5), priority=PRIORITIES, stacks=st.booleans())
    def expand(self, batch: str, count: int, priority: int, stacks: bool) -> object:
        new = NewJob("k", "long", {}, priority=priority, stack_key=batch if stacks else None, batch_id=batch)
        return multiple(*self._insert(batch, [new] * count))

    @rule(target=held, limit=st.integers(1, 3))
    def claim(self, limit: int) -> object:
        found = claims.claim_stack(self.engine, "w", 30, lanes=["long"], limit=limit)
        expected = self.queue.claim(limit)
        assert [self.queue.made[claim.job.id].number for claim in found] == [job.number for job in expected]
        time.sleep(0.002)
        return multiple(*found)

    @rule(claim=held, state=st.sampled_from([State.QUEUED, State.SUCCEEDED]))
    def end(self, claim: Claim, state: State) -> None:
        job = self.queue.made[claim.job.id]
        if (
            job.state is State.RUNNING
            and repository.get_job(self.engine, claim.job.id).attempt == claim.attempt
        ):
            claims.finish(self.engine, claim, state)
            job.state = state

    @rule(job_id=made)
    def cancel(self, job_id: str) -> None:
        job = self.queue.made[job_id]
        if job.state is State.QUEUED:
            repository.request_cancel(self.engine, job_id)
            job.state = State.CANCELLED

    @rule(job_id=made, paused=st.booleans())
    def pause(self, job_id: str, paused: bool) -> None:
        job = self.queue.made[job_id]
        if job.state is State.QUEUED:
            repository.set_paused(self.engine, job_id, paused)
            job.paused = paused

    @rule(batch=BATCHES)
    def cancel_batch(self, batch: str) -> None:
        for job_id, job in self.queue.made.items():
            if job.flow == batch:
                self.cancel(job_id)

    @rule(batch=BATCHES)
    def resume_batch(self, batch: str) -> None:
        """Its paused jobs go on together, with new turns."""
        mine = {i: job for i, job in self.queue.made.items() if job.flow == batch and job.paused}
        mine = {i: job for i, job in mine.items() if job.state is State.QUEUED}
        with write(self.engine) as connection:
            renew_turns(connection, batch, list(mine))
            connection.execute(update(jobs).where(jobs.c.id.in_(mine)).values(paused=False))
        following: dict[int, float] = {}
        for job in sorted(mine.values(), key=lambda job: (job.turn, job.number)):
            job.turn = following.setdefault(job.priority, self.queue.next_turn(job.priority, batch))
            following[job.priority] += 1
        for job in mine.values():
            job.paused = False

    @rule()
    def wait(self) -> None:
        """So long that every level where a job waits starves."""
        past = 2 * AGEING
        with write(self.engine) as connection:
            connection.execute(update(jobs).values(created_at=jobs.c.created_at - past))
            served = update(levels).where(levels.c.claimed_at > 0)
            connection.execute(served.values(claimed_at=levels.c.claimed_at - past))
        self.queue.clock += past

    @invariant()
    def turns_are_as_in_the_model(self) -> None:
        with self.engine.connect() as connection:
            found = {row.id: row for row in connection.execute(select(jobs.c.id, jobs.c.turn, jobs.c.state))}
            turns = {row.priority: row.turn for row in connection.execute(select(levels))}
        assert turns == {priority: level.turn for priority, level in self.queue.levels.items()}
        for job_id, job in self.queue.made.items():
            assert (found[job_id].turn, found[job_id].state) == (job.turn, job.state)


LIMITS = settings(
    max_examples=25, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)


@pytest.mark.medium
def test_claims_come_in_the_order_of_the_model(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.jobs.turns.AGEING_SECONDS", AGEING)
    run_state_machine_as_test(type("Life", (Life,), {"engine": engine}), settings=LIMITS)
