"""The life of batches under any order of events: keepers, workers and clients."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test
from sqlalchemy import delete, update

from app.batches.batch import Batch
from app.batches.errors import BatchEnded, BatchNotEnded, EntryRetried, UnknownBatch
from app.batches.repository import get_batch
from app.batches.summary import count_entries
from app.batches.tables import batches
from app.database.engine import read, write
from app.jobs.claims import Claim, finish
from app.jobs.errors import JobNotEnded
from app.jobs.states import State
from app.jobs.tables import jobs
from tests.support.batch_context import ERROR, BatchContext, small_chunks

PLACES = st.integers(0, 50)


class Life(RuleBasedStateMachine):
    """Every rule does what can happen to batches; keepers do one chunk at a time, or begin and die."""

    context: BatchContext

    def __init__(self) -> None:
        super().__init__()
        self.made: list[Batch] = []
        self.claims: list[Claim] = []
        with write(self.context.engine) as connection:
            connection.execute(delete(jobs))
            connection.execute(delete(batches))

    @rule(count=st.integers(1, 7), wrong=st.integers(1, 14), paused=st.booleans())
    def create(self, count: int, wrong: int, paused: bool) -> None:
        self.made.append(self.context.create(count, wrong, paused=paused))

    @rule(dies=st.booleans())
    def keep_a_chunk(self, dies: bool) -> None:
        keeper = self.context.keeper()
        advance = keeper._advance

        def once(batch: Batch) -> None:
            advance(batch)
            keeper._stopped.set()

        keeper._advance = once  # type: ignore[method-assign]
        keeper.work_off()
        if dies:
            with write(self.context.engine) as connection:
                connection.execute(update(batches).values(lease_until=0.0))
        else:
            keeper.release()

    @rule(place=PLACES, act=st.sampled_from(["cancel", "pause", "resume", "retry", "get"]))
    def ask(self, place: int, act: str) -> None:
        def change(batch: Batch) -> None:
            try:
                getattr(self.context.service, act)(batch.id)
            except BatchNotEnded:
                found = get_batch(self.context.engine, batch.id)
                assert act == "retry" and found.cancel_requested_at is not None and not found.ended
            except BatchEnded:
                found = get_batch(self.context.engine, batch.id)
                assert act in ("pause", "resume")
                assert found.ended or found.cancel_requested_at is not None

        self._with_one(place, change)

    @rule(place=PLACES)
    def remove(self, place: int) -> None:
        def change(batch: Batch) -> None:
            try:
                self.context.service.delete(batch.id)
            except BatchNotEnded:
                assert not get_batch(self.context.engine, batch.id).ended
            else:
                self.made.remove(batch)

        self._with_one(place, change)

    @rule()
    def claim(self) -> None:
        self.claims += self.context.claim()

    @rule(place=PLACES, state=st.sampled_from([State.SUCCEEDED, State.FAILED, State.QUEUED, State.CANCELLED]))
    def end(self, place: int, state: State) -> None:
        if self.claims:
            claim = self.claims.pop(place % len(self.claims))
            finish(self.context.engine, claim, state, error=ERROR if state is State.FAILED else None)

    @rule(place=PLACES, line=st.integers(1, 7), act=st.sampled_from(["cancel", "retry"]))
    def ask_of_a_job(self, place: int, line: int, act: str) -> None:
        def change(batch: Batch) -> None:
            job = self.context.entries(batch).get(line)
            if job is None:
                return
            if act == "cancel":
                self.context.jobs.cancel(job.id)
                return
            try:
                new = self.context.service.retry_job(job.id)
                assert (new.batch_line, new.retry_of) == (line, job.id)
                with pytest.raises(EntryRetried):
                    self.context.service.retry_job(job.id)
            except JobNotEnded:
                assert not job.ended

        self._with_one(place, change)

    def _with_one(self, place: int, change: Callable[[Batch], None]) -> None:
        if self.made:
            change(self.made[place % len(self.made)])

    @invariant()
    def every_line_is_counted_once(self) -> None:
        for made in self.made:
            batch = get_batch(self.context.engine, made.id)
            with read(self.context.engine) as connection:
                counts = count_entries(connection, [batch])[batch.id]
            assert sum(vars(counts).values()) == batch.lines
            assert min(vars(counts).values()) >= 0
            if batch.ended:
                assert counts.waiting == counts.queued == counts.running == 0
                assert (batch.state == "succeeded") == (counts.succeeded == batch.lines)
            assert batch.ended == (batch.finished_at is not None)

    def teardown(self) -> None:
        """In the end, once nobody asks for anything more, every batch ends, and has followed its row."""
        for batch in self.made:
            found = get_batch(self.context.engine, batch.id)
            if not found.ended and found.cancel_requested_at is None:
                self.context.service.resume(batch.id)
        for claim in self.claims:
            finish(self.context.engine, claim, State.SUCCEEDED)
        self.context.keep()
        while self.context.end(State.SUCCEEDED):
            continue
        # Single jobs that were paused are resumed by nobody; here none is.
        self.context.keep()
        for batch in self.made:
            assert get_batch(self.context.engine, batch.id).ended
        for batch in self.made:
            self.context.service.delete(batch.id)
            with pytest.raises(UnknownBatch):
                self.context.service.get(batch.id)
        self.context.keep()
        with read(self.context.engine) as connection:
            assert connection.execute(batches.select()).all() == []
            assert connection.execute(jobs.select()).all() == []


@pytest.mark.slow
def test_batches_live_as_they_should(
    engine: "object", tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Life.context = BatchContext(engine, tmp_path / "data")  # type: ignore[arg-type]
    with small_chunks(monkeypatch, 3):
        run_state_machine_as_test(
            Life,
            settings=settings(
                max_examples=25,
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
