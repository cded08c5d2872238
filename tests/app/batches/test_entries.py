"""The entries of a batch in the order of lines, on SQLite and PostgreSQL."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from sqlalchemy import Engine, delete, event

from app.batches.batch import Batch, BatchState
from app.batches.entries import PAGE, Entry, entries_at, list_entries, pages_of_entries
from app.batches.errors import UnknownBatch
from app.batches.schemas import EntryState
from app.batches.tables import batch_refusals, batches
from app.database.engine import write
from app.jobs.states import State
from tests.support.batches import add_batch, add_jobs, refuse, set_batch, set_jobs

STATES: list[EntryState] = ["waiting", "queued", "running", "succeeded", "failed", "cancelled"]


def fill(engine: Engine, made: list[str], lines: int, cancelled: bool) -> tuple[Batch, dict[int, str]]:
    """A batch, and the states of its lines: a job a letter (of its state; x: refused), the rest waits."""
    batch = add_batch(engine, lines)
    expected: dict[int, str] = {}
    for line, state in enumerate(made, 1):
        if state == "refused":
            refuse(engine, batch, [line])
            expected[line] = "failed"
        else:
            set_jobs(engine, add_jobs(engine, batch, [line]), State(state))
            expected[line] = state
    for line in range(len(made) + 1, lines + 1):
        expected[line] = "cancelled" if cancelled else "waiting"
    values = {"next_line": len(made) + 1, "cancel_requested_at": 1.0 if cancelled else None}
    return set_batch(engine, batch.id, **values), expected


@pytest.mark.medium
@limits(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    made=st.lists(st.sampled_from([*State, "refused"]), max_size=12),
    waiting=st.integers(0, 6),
    cancelled=st.booleans(),
    states=st.lists(st.sampled_from(STATES), unique=True, max_size=6),
    limit=st.integers(1, 5),
)
def test_pages_hold_every_entry_once_in_order(
    engine: Engine, made: list[str], waiting: int, cancelled: bool, states: list[EntryState], limit: int
) -> None:
    batch, all_states = fill(engine, made, max(1, len(made) + waiting), cancelled)
    expected = {line: state for line, state in all_states.items() if not states or state in states}
    found: list[Entry] = []
    first = 1
    while page := list_entries(engine, batch, first=first, limit=limit, states=states):
        assert len(page) <= limit
        found += page
        first = page[-1].line + 1
    assert [(entry.line, entry.state) for entry in found] == list(expected.items())


def test_an_entry_knows_its_job(engine: Engine) -> None:
    batch = add_batch(engine, 3)
    (job_id,) = add_jobs(engine, batch, [1], kind="classify")
    set_jobs(engine, [job_id], State.SUCCEEDED, result={"label": "cat"})
    refuse(engine, batch, [2])
    batch = set_batch(engine, batch.id, next_line=3)
    first, wrong, waits = list_entries(engine, batch, first=1, limit=9, with_results=True)
    assert (first.custom_id, first.job_id, first.kind, first.result) == (
        "c1",
        job_id,
        "classify",
        {"label": "cat"},
    )
    assert (wrong.custom_id, wrong.job_id, wrong.state) == ("c2", None, "failed")
    assert (waits.custom_id, waits.job_id, waits.state) == (None, None, "waiting")
    found = entries_at(engine, batch.id, [1, 2, 3])
    assert {line: entry.state for line, entry in found.items()} == {1: "succeeded", 2: "failed"}


def test_lines_that_were_wrong_are_known_before_they_are_reached(engine: Engine) -> None:
    batch = add_batch(engine, 2 * PAGE)
    refuse(engine, batch, range(2, 2 * PAGE, 2))
    waiting = list_entries(engine, batch, first=1, limit=PAGE, states=["waiting"])
    assert [entry.line for entry in waiting] == [*range(1, 2 * PAGE, 2)]


def test_all_entries_come_page_by_page_until_the_batch_is_gone(engine: Engine) -> None:
    batch = add_batch(engine, PAGE + 10, state=BatchState.CANCELLED)
    pages = list(pages_of_entries(engine, batch.id, ["failed", "cancelled"]))
    assert [len(page) for page in pages] == [PAGE, 10]
    assert [entry.line for page in pages for entry in page] == [*range(1, PAGE + 11)]
    reading = pages_of_entries(engine, batch.id, ["failed", "cancelled"])
    next(reading)
    with write(engine) as connection:
        connection.execute(delete(batches))
    with pytest.raises(UnknownBatch):
        next(reading)


@contextmanager
def between_statements(engine: Engine, change: Callable[[], None]) -> Iterator[None]:
    """Make a change after the first statement about entries, before the reader's next one."""
    waiting = [change]

    def after(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if waiting and "batch_line" in statement:
            waiting.pop()()

    event.listen(engine, "after_cursor_execute", after)
    try:
        yield
        assert not waiting
    finally:
        event.remove(engine, "after_cursor_execute", after)


def test_lines_that_become_jobs_meanwhile_are_left_out_of_no_page(engine: Engine) -> None:
    batch = add_batch(engine, 3)
    with between_statements(engine, lambda: add_jobs(engine, batch, [1, 2])):
        found = list_entries(engine, batch, first=1, limit=10)
    assert [(entry.line, entry.state) for entry in found] == [(line, "waiting") for line in (1, 2, 3)]


def test_a_job_that_is_claimed_meanwhile_is_left_out_of_no_page(engine: Engine) -> None:
    batch = add_batch(engine, 1)
    ids = add_jobs(engine, batch, [1])
    with between_statements(engine, lambda: set_jobs(engine, ids, State.RUNNING)):
        found = list_entries(engine, batch, first=1, limit=10, states=["running", "queued"])
    assert [(entry.line, entry.state) for entry in found] == [(1, "queued")]


def test_an_entry_that_is_retried_meanwhile_is_in_a_page_once(engine: Engine) -> None:
    batch = add_batch(engine, 1)
    (old,) = add_jobs(engine, batch, [1])
    set_jobs(engine, [old], State.FAILED)

    def retry_and_cancel() -> None:
        set_jobs(engine, [old], State.FAILED, batch_line=None)
        set_jobs(engine, add_jobs(engine, batch, [1]), State.CANCELLED)

    with between_statements(engine, retry_and_cancel):
        found = list_entries(engine, batch, first=1, limit=10, states=["failed", "cancelled"])
    assert [(entry.line, entry.state, entry.job_id) for entry in found] == [(1, "failed", old)]


def test_a_wrong_line_that_is_retried_meanwhile_is_at_its_place(engine: Engine) -> None:
    batch = add_batch(engine, 1)
    refuse(engine, batch, [1])

    def retry() -> None:
        with write(engine) as connection:
            connection.execute(delete(batch_refusals))
        add_jobs(engine, batch, [1])

    with between_statements(engine, retry):
        assert entries_at(engine, batch.id, [1])[1].state == "failed"
