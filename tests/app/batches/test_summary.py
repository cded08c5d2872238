"""What the views of batches tell of their entries, on SQLite and PostgreSQL."""

import pytest
from sqlalchemy import Engine

from app.batches.batch import BatchState, Counts
from app.batches.repository import get_batch
from app.batches.settling import settle
from app.batches.summary import RATE_ENDS, seconds_each
from app.batches.views import view_batch, view_batches
from app.database.engine import current_time
from app.jobs.states import State
from tests.support.batches import ERROR, add_batch, add_jobs, give, refuse, set_batch, set_jobs
from tests.support.statements import statements


def test_counts_are_of_entries_alone(engine: Engine) -> None:
    batch = add_batch(engine, 20)
    other = add_batch(engine, 2)
    add_jobs(engine, other, [1, 2])
    ids = add_jobs(engine, batch, [1, 2, 4, 5, 6, 7, 8, 10])
    set_jobs(engine, ids[:3], State.SUCCEEDED)
    set_jobs(engine, ids[3:5], State.FAILED)
    set_jobs(engine, ids[5:6], State.RUNNING)
    set_jobs(engine, ids[6:7], State.CANCELLED)
    refuse(engine, batch, [3, 9, 15, 16])
    # A failed one that was retried is no entry any more.
    set_jobs(engine, ids[4:5], State.FAILED, batch_line=None)
    (retried,) = add_jobs(engine, batch, [6])
    set_batch(engine, batch.id, next_line=11)
    view = view_batch(engine, get_batch(engine, batch.id))
    assert vars(view.counts) == {
        "waiting": 8,
        "queued": 2,
        "running": 1,
        "succeeded": 3,
        "failed": 5,
        "cancelled": 1,
    }
    assert sum(vars(view.counts).values()) == 20
    assert (view.wrong, view_batch(engine, other).wrong) == (4, 0)
    assert [(error.line, error.job_id) for error in view.first_errors] == [
        (3, None),
        (5, ids[3]),
        (9, None),
        (15, None),
        (16, None),
    ]
    assert view.first_errors[0].error.model_dump() == ERROR
    assert retried not in {error.job_id for error in view.first_errors}


def test_lines_of_a_cancelled_batch_that_never_became_jobs_are_cancelled(engine: Engine) -> None:
    batch = add_batch(engine, 10)
    ids = add_jobs(engine, batch, [1, 2, 3])
    set_jobs(engine, ids[:1], State.SUCCEEDED)
    set_jobs(engine, ids[1:2], State.CANCELLED)
    refuse(engine, batch, [10])
    view = view_batch(engine, set_batch(engine, batch.id, cancel_requested_at=1.0))
    assert view.cancel_requested and view.state is BatchState.RUNNING
    counts = Counts(waiting=0, queued=1, running=0, succeeded=1, failed=1, cancelled=7)
    assert vars(view.counts) == vars(counts)


def test_entries_that_were_deleted_are_in_no_count(engine: Engine) -> None:
    batch = add_batch(engine, 5)
    add_jobs(engine, batch, [1, 3, 5])
    view = view_batch(engine, get_batch(engine, batch.id))
    assert view.counts.queued == 3 and view.counts.waiting == 0


@pytest.mark.parametrize(
    ("ends", "present", "expected"),
    [
        # Ten that took a second each, one after the other.
        ([(float(n), n + 1.0) for n in range(10)], 10.0, 1.0),
        # A stack that took 8 s, and nothing before it.
        ([(0.0, 8.0)] * 4, 8.0, 2.0),
        # Stacks of a quarter of the ends that are looked at: those after the earliest.
        ([(0.0, 10.0 * (n // (RATE_ENDS // 4))) for n in range(RATE_ENDS)], 30.0, 30 / (0.75 * RATE_ENDS)),
        # Stacks as large as what is looked at.
        ([(0.0, 10.0)] * RATE_ENDS, 10.0, 10 / RATE_ENDS),
    ],
)
def test_the_rate_is_that_of_the_last_ends(
    ends: list[tuple[float, float]], present: float, expected: float
) -> None:
    assert seconds_each(ends, present) == pytest.approx(expected)


def test_the_rest_is_estimated_from_what_has_ended(engine: Engine) -> None:
    batch = add_batch(engine, 30)
    ids = add_jobs(engine, batch, range(1, 21))
    assert view_batch(engine, get_batch(engine, batch.id)).eta_seconds is None
    present = current_time(engine)
    for number, job_id in enumerate(ids[:10]):
        start = present - 100 + number * 10
        set_jobs(engine, [job_id], State.SUCCEEDED, started_at=start, finished_at=start + 10)
    eta = view_batch(engine, get_batch(engine, batch.id)).eta_seconds
    assert eta is not None and 200 <= eta < 260
    assert view_batch(engine, set_batch(engine, batch.id, paused=True)).eta_seconds is None
    ended = set_batch(engine, batch.id, paused=False, state=BatchState.CANCELLED)
    assert view_batch(engine, ended).eta_seconds is None


def test_samples_lie_evenly_among_what_is_done(engine: Engine) -> None:
    batch = add_batch(engine, 40)
    assert view_batch(engine, batch).samples == []
    ids = add_jobs(engine, batch, range(1, 41))
    set_jobs(engine, ids, State.SUCCEEDED)
    for job_id in ids[:-1]:
        give(engine, None, job_id, "image", b"x")
    give(engine, None, ids[0], "recipe", b"x")
    view = view_batch(engine, get_batch(engine, batch.id))
    assert [sample.line for sample in view.samples] == [1, 14, 27]  # the last made none
    assert view.samples[1].url.startswith(f"/v1/jobs/{ids[13]}/artifacts/image?v=")


def test_an_ended_batch_is_not_counted_again(engine: Engine) -> None:
    batch = add_batch(engine, 3)
    ids = add_jobs(engine, batch, [1, 2, 3])
    set_jobs(engine, ids, State.SUCCEEDED)
    assert settle(engine, batch.id) is BatchState.SUCCEEDED
    ended = get_batch(engine, batch.id)
    with statements(engine) as sent:
        assert view_batch(engine, ended).counts.succeeded == 3
    assert not any("count(" in each for each in sent)
    # Until it runs again.
    set_jobs(engine, ids[:1], State.SUCCEEDED, batch_line=None)
    add_jobs(engine, batch, [1])
    again = set_batch(engine, batch.id, state=BatchState.RUNNING, next_line=4)
    assert view_batch(engine, again).counts.queued == 1


def test_a_page_takes_as_many_queries_as_one_batch(engine: Engine) -> None:
    found = []
    for _ in range(12):
        batch = add_batch(engine, 6)
        ids = add_jobs(engine, batch, range(1, 6))
        set_jobs(engine, ids[:2], State.SUCCEEDED)
        set_jobs(engine, ids[2:3], State.FAILED)
        refuse(engine, batch, [6])
        give(engine, None, ids[1], "image", b"x")
        found.append(get_batch(engine, batch.id))
    with statements(engine) as one:
        view_batch(engine, found[0])
    with statements(engine) as many:
        views = view_batches(engine, found)
    assert _queries(one) == _queries(many) <= 9
    assert [view.id for view in views] == [batch.id for batch in found]
    assert all([sample.line for sample in view.samples] == [2] for view in views)
    assert all([error.line for error in view.first_errors] == [3, 6] for view in views)


def _queries(sent: list[str]) -> int:
    return sum("SELECT" in each for each in sent)
