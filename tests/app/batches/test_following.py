"""What a stream tells of the entries of a batch, on SQLite and PostgreSQL."""

import time
from collections import Counter

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from sqlalchemy import Engine, literal

from app.batches import following
from app.batches.batch import BatchState
from app.batches.entries import Entry
from app.batches.following import OVERLAP_SECONDS, Follower, Position, Status, from_now
from app.batches.repository import get_batch
from app.batches.summary import count_entries
from app.database.engine import current_time, read
from app.jobs.states import State
from tests.support.batches import add_batch, add_jobs, refuse, set_batch, set_jobs

ENDS = [State.SUCCEEDED, State.FAILED, State.CANCELLED]


def pass_of(follower: Follower) -> tuple[list[Entry], list[Position], Status]:
    """All that has happened: entries, their positions, and the status."""
    entries: list[Entry] = []
    positions: list[Position] = []
    while True:
        news = follower.news()
        entries += [told.entry for told in news.entries]
        positions += [told.position for told in news.entries]
        if news.status is not None:
            return entries, positions, news.status


def told(entries: list[Entry]) -> list[tuple[int, str]]:
    return [(entry.line, entry.state) for entry in entries]


def test_each_state_of_each_entry_is_told_once(engine: Engine) -> None:
    batch = add_batch(engine, 4)
    ids = add_jobs(engine, batch, [1, 2, 4])
    refuse(engine, batch, [3])
    follower = Follower(engine, batch, Position())
    assert told(pass_of(follower)[0]) == [(3, "failed")]
    set_jobs(engine, ids[:2], State.RUNNING)
    assert told(pass_of(follower)[0]) == [(1, "running"), (2, "running")]
    assert pass_of(follower)[0] == []
    set_jobs(engine, ids[1:2], State.SUCCEEDED)
    set_jobs(engine, ids[2:], State.FAILED)
    entries, positions, status = pass_of(follower)
    assert told(entries) == [(2, "succeeded"), (4, "failed")]
    assert positions == sorted(positions, key=lambda each: each.seconds)
    assert vars(status.counts) == {
        "waiting": 0,
        "queued": 0,
        "running": 1,
        "succeeded": 1,
        "failed": 2,
        "cancelled": 0,
    }
    # Its retry is another job, and so is what becomes of it, although it is the same.
    set_jobs(engine, ids[2:], State.FAILED, batch_line=None)
    (again,) = add_jobs(engine, batch, [4])
    set_batch(engine, batch.id, revision=1, applied=1)
    set_jobs(engine, [again], State.FAILED)
    assert told(pass_of(follower)[0]) == [(4, "failed")]


def test_an_end_that_becomes_visible_late_is_told(engine: Engine) -> None:
    batch = add_batch(engine, 3)
    ids = add_jobs(engine, batch, [1, 2, 3])
    follower = Follower(engine, batch, Position())
    present = current_time(engine)
    set_jobs(engine, ids[:1], State.SUCCEEDED, finished_at=present)
    assert told(pass_of(follower)[0]) == [(1, "succeeded")]
    set_jobs(engine, ids[1:2], State.SUCCEEDED, finished_at=present - OVERLAP_SECONDS / 2)
    entries, positions, status = pass_of(follower)
    assert told(entries) == [(2, "succeeded")] and positions[0].seconds == pytest.approx(present)
    assert status.counts.succeeded == 2 and status.counts.queued == 1
    # What a frozen process held comes at the end.
    set_jobs(engine, ids[2:], State.SUCCEEDED, finished_at=present - 4 * OVERLAP_SECONDS)
    assert pass_of(follower)[0] == []
    set_batch(engine, batch.id, state=BatchState.SUCCEEDED, finished_at=present)
    entries, _, status = pass_of(follower)
    assert told(entries) == [(3, "succeeded")] and status.counts.succeeded == 3


@pytest.mark.parametrize("seconds", [0.0, 4 * OVERLAP_SECONDS])
def test_what_ends_after_a_clock_was_set_back_is_told(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Also to a stream that looks again only after so many seconds."""
    batch = add_batch(engine, 3)
    ids = add_jobs(engine, batch, [1, 2, 3])
    follower = Follower(engine, batch, Position())
    before = current_time(engine)
    set_jobs(engine, ids[:1], State.SUCCEEDED, finished_at=before)
    assert told(pass_of(follower)[0]) == [(1, "succeeded")]
    set_back = before - 3 * OVERLAP_SECONDS
    monkeypatch.setattr(following, "now", lambda: literal(set_back + seconds))
    monkeypatch.setattr(following, "monotonic", lambda: time.monotonic() + seconds)
    set_jobs(engine, ids[1:2], State.SUCCEEDED, finished_at=set_back)
    entries, positions, status = pass_of(follower)
    assert told(entries) == [(2, "succeeded")] and status.counts.succeeded == 2
    # Whoever comes back from there misses nothing either.
    assert positions[0].seconds <= set_back + seconds
    set_jobs(engine, ids[2:], State.SUCCEEDED, finished_at=set_back + seconds)
    entries, _, status = pass_of(follower)
    assert told(entries) == [(3, "succeeded")] and status.counts.succeeded == 3
    assert (3, "succeeded") in told(pass_of(Follower(engine, batch, positions[0]))[0])


def test_a_reader_whose_clock_was_set_back_meanwhile_gets_the_rest(engine: Engine) -> None:
    batch = add_batch(engine, 2)
    ids = add_jobs(engine, batch, [1, 2])
    present = current_time(engine)
    set_jobs(engine, ids[:1], State.SUCCEEDED, finished_at=present + 3600)
    set_jobs(engine, ids[1:], State.SUCCEEDED, finished_at=present - 3600)
    entries, _, status = pass_of(Follower(engine, batch, Position(present + 3600)))
    assert (2, "succeeded") in told(entries) and status.counts.succeeded == 2


def test_a_reader_begins_where_it_was_or_now(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PAGE", 3)
    batch = add_batch(engine, 20)
    ids = add_jobs(engine, batch, range(1, 13))
    refuse(engine, batch, range(13, 21))
    batch = set_batch(engine, batch.id, next_line=21)
    start = current_time(engine) - 1000
    for number, job_id in enumerate(ids):
        set_jobs(engine, [job_id], State.SUCCEEDED, finished_at=start + 10 * (number // 2))
    entries, positions, _ = pass_of(Follower(engine, batch, Position()))
    assert sorted(told(entries)) == [
        *((line, "succeeded") for line in range(1, 13)),
        *((line, "failed") for line in range(13, 21)),
    ]
    # From any event on, the rest comes, and nothing that ended long before.
    for place, position in enumerate(positions):
        rest = pass_of(Follower(engine, batch, position))[0]
        missing = {entry.line for entry in entries[place + 1 :]}
        lines = Counter(entry.line for entry in rest)
        assert missing <= lines.keys() and max(lines.values(), default=1) == 1
        assert all((entry.finished_at or position.seconds) > position.seconds - 10 for entry in rest)
    assert pass_of(Follower(engine, batch, from_now(engine, batch)))[0] == []


@pytest.mark.medium
@limits(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_counts_are_always_those_of_all_entries(engine: Engine, data: st.DataObject) -> None:
    """After any changes, with or without retries and cancels, the tally is what counting gives."""
    batch = add_batch(engine, data.draw(st.integers(1, 12)))
    follower = Follower(engine, batch, Position())
    jobs: dict[str, tuple[State, int]] = {}
    next_line = 1
    for _ in range(data.draw(st.integers(1, 12))):
        match data.draw(st.sampled_from(["expand", "refuse", "start", "end", "retry", "cancel", "look"])):
            case "expand" if next_line <= batch.lines:
                (job_id,) = add_jobs(engine, batch, [next_line])
                jobs[job_id] = (State.QUEUED, next_line)
                next_line += 1
            case "refuse" if next_line <= batch.lines:
                refuse(engine, batch, [next_line])
                next_line += 1
                set_batch(engine, batch.id, next_line=next_line)
            case "start":
                change(engine, data, jobs, State.QUEUED, State.RUNNING)
            case "end":
                change(engine, data, jobs, State.RUNNING, data.draw(st.sampled_from(ENDS)))
            case "retry":
                failed = [job_id for job_id, (state, _) in jobs.items() if state is State.FAILED]
                for job_id in failed:
                    _, line = jobs.pop(job_id)
                    set_jobs(engine, [job_id], State.FAILED, batch_line=None)
                    (again,) = add_jobs(engine, batch, [line])
                    jobs[again] = (State.QUEUED, line)
                revision = get_batch(engine, batch.id).revision + 1
                set_batch(engine, batch.id, next_line=next_line, revision=revision)
            case "cancel":
                set_batch(engine, batch.id, cancel_requested_at=1.0)
        _, _, status = pass_of(follower)
        now = get_batch(engine, batch.id)
        with read(engine) as connection:
            assert status.counts == count_entries(connection, [now])[now.id]


def change(
    engine: Engine, data: st.DataObject, jobs: dict[str, tuple[State, int]], old: State, new: State
) -> None:
    able = [job_id for job_id, (state, _) in jobs.items() if state is old]
    if able:
        job_id = data.draw(st.sampled_from(able))
        set_jobs(engine, [job_id], new)
        jobs[job_id] = (new, jobs[job_id][1])
