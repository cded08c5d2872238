"""Claims of jobs that are computed together, on SQLite and PostgreSQL."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from sqlalchemy import Engine, delete

from app.database.engine import write
from app.jobs import claims, reaper, repository
from app.jobs.claims import STACK_LIMIT, Claim, claim_stack
from app.jobs.job import Job
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.jobs.tables import jobs
from tests.support.claiming import claim_by_id
from tests.support.statements import statements

LEASE = 30.0


def new_job(engine: Engine, key: str | None = "a", priority: int = 0, lane: str = "short") -> Job:
    return repository.create_job(engine, NewJob("k", lane, {}, priority=priority, stack_key=key))[0]


def ids(found: Sequence[Claim | Job]) -> list[str]:
    return [each.job.id if isinstance(each, Claim) else each.id for each in found]


def next_stack(engine: Engine, worker_id: str = "w1", limit: int = STACK_LIMIT) -> list[Claim]:
    return claim_stack(engine, worker_id, LEASE, lanes=["short"], limit=limit)


def changing(statement: str) -> str | None:
    """The beginning of the part of a statement that writes; None if none does."""
    found = re.search(r"INSERT INTO \w+|UPDATE (?!SKIP)\w+", statement)
    return None if found is None else found[0]


def test_jobs_with_one_key_are_claimed_by_as_many_statements_as_two(engine: Engine) -> None:
    made = [new_job(engine) for _ in range(5)]
    with statements(engine) as sent:
        found = next_stack(engine)
    changes = [statement for each in sent if (statement := changing(each)) is not None]
    take = ["UPDATE jobs", "INSERT INTO job_events"]
    assert changes == [*take, "UPDATE levels", *take]
    assert ids(found) == ids(made)
    for claim in found:
        row = repository.get_job(engine, claim.job.id)
        assert row == claim.job
        assert (row.state, row.worker_id, row.attempt, row.seq) == (State.RUNNING, "w1", 1, 2)
        assert [(e.seq, e.type) for e in repository.list_events(engine, row.id)] == [
            (1, "state"),
            (2, "state"),
        ]
    assert next_stack(engine) == []


def test_the_head_of_the_queue_decides_and_others_wait(engine: Engine) -> None:
    low = new_job(engine)
    other = new_job(engine, "b", priority=1)
    heavy = new_job(engine, None, priority=3)
    high = new_job(engine, priority=2)
    second = new_job(engine)
    new_job(engine, lane="long")
    assert ids(next_stack(engine)) == [heavy.id]
    assert ids(next_stack(engine)) == [high.id, low.id, second.id]
    assert ids(next_stack(engine)) == [other.id]
    assert next_stack(engine) == []


def test_jobs_without_a_key_are_claimed_one_by_one(engine: Engine) -> None:
    made = [new_job(engine, None) for _ in range(3)]
    assert [ids(next_stack(engine)) for _ in range(3)] == [[job.id] for job in made]


def test_no_more_than_the_limit_are_claimed_the_first_ones(engine: Engine) -> None:
    made = [new_job(engine) for _ in range(STACK_LIMIT + 3)]
    assert ids(next_stack(engine)) == ids(made[:STACK_LIMIT])
    assert ids(next_stack(engine, limit=2)) == ids(made[STACK_LIMIT:-1])
    claim = claims.claim_next(engine, "w1", ["short"], LEASE)
    assert claim is not None and claim.job.id == made[-1].id


def test_paused_running_and_ended_jobs_stay_as_they_are(engine: Engine) -> None:
    first, paused, cancelled, running = (new_job(engine) for _ in range(4))
    repository.set_paused(engine, paused.id, True)
    repository.request_cancel(engine, cancelled.id)
    assert claim_by_id(engine, running.id, "w2", LEASE) is not None
    assert ids(next_stack(engine)) == [first.id]
    assert repository.get_job(engine, running.id).worker_id == "w2"


def test_the_first_job_decides_how_many_fit(engine: Engine) -> None:
    made = [new_job(engine) for _ in range(4)]
    alone = new_job(engine, None)
    asked: list[str] = []

    def limit(first: Job) -> int:
        asked.append(first.id)
        assert first.state is State.RUNNING
        return 3

    found = [ids(claim_stack(engine, "w1", LEASE, lanes=["short"], limit=limit)) for _ in range(4)]
    assert found == [ids(made[:3]), [made[3].id], [alone.id], []]
    # Of a job that is computed alone it is not asked.
    assert asked == [made[0].id, made[3].id]


def test_a_job_that_goes_on_from_a_checkpoint_is_claimed_alone(engine: Engine) -> None:
    begun, other = new_job(engine), new_job(engine)
    claim = claim_by_id(engine, begun.id)
    assert claim is not None
    claims.save_checkpoint(engine, claim, "key", 5)
    claims.finish(engine, claim, State.QUEUED)
    urgent = new_job(engine, priority=1)
    assert [ids(next_stack(engine)) for _ in range(3)] == [[urgent.id, other.id], [begun.id], []]
    claims.finish(engine, replace(claim, attempt=2, worker_id="w1"), State.QUEUED)
    new_job(engine)
    assert ids(next_stack(engine)) == [begun.id]


def test_a_job_whose_worker_died_is_claimed_alone(engine: Engine) -> None:
    made = [new_job(engine) for _ in range(3)]
    assert len(next_stack(engine)) == 3
    lost = reaper.expire_worker(engine, "w1", max_attempts=3)
    assert sorted(ids(lost)) == ids(made) and {job.lost_attempts for job in lost} == {1}
    fresh = [new_job(engine) for _ in range(2)]
    assert [ids(next_stack(engine)) for _ in range(4)] == [*([job.id] for job in made), ids(fresh)]


def test_each_has_a_fence_of_its_own(engine: Engine) -> None:
    for _ in range(3):
        new_job(engine)
    kept, cancelled, lost = next_stack(engine)
    repository.request_cancel(engine, cancelled.job.id)
    claims.finish(engine, lost, State.QUEUED)
    found = claims.heartbeat_all(engine, [kept, cancelled, lost])
    assert found[lost.job.id] is None
    assert [(reply.cancel_requested, reply.paused) for reply in found.values() if reply] == [
        (False, False),
        (True, False),
    ]
    with pytest.raises(claims.ClaimLost):
        claims.finish(engine, lost, State.SUCCEEDED)
    assert claims.finish(engine, kept, State.SUCCEEDED).state is State.SUCCEEDED


def test_leases_of_a_batch_are_extended_in_one_statement(engine: Engine) -> None:
    for _ in range(4):
        new_job(engine)
    found = next_stack(engine)
    before = {claim.job.id: claim.job.lease_until or 0.0 for claim in found}
    with statements(engine) as sent:
        claims.heartbeat_all(engine, found)
    assert list(filter(None, map(changing, sent))) == ["UPDATE jobs"]
    after = {job_id: repository.get_job(engine, job_id).lease_until or 0.0 for job_id in before}
    assert all(after[job_id] > before[job_id] for job_id in before)


@pytest.mark.medium
def test_eight_workers_claim_each_job_once(engine: Engine) -> None:
    made = {new_job(engine, key).id for _ in range(20) for key in ("a", "b", None)}

    def work(name: int) -> list[str]:
        mine = []
        while found := next_stack(engine, f"w{name}", limit=4):
            assert len({claim.job.stack_key for claim in found}) == 1
            mine += ids(found)
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [job_id for mine in pool.map(work, range(8)) for job_id in mine]
    assert len(taken) == 60 and set(taken) == made


waiting = st.lists(st.tuples(st.sampled_from([None, "a", "b"]), st.integers(0, 2)), max_size=12)


@pytest.mark.medium
@limits(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(waiting=waiting, limit=st.integers(1, 5))
def test_batches_follow_the_order_of_the_queue(
    engine: Engine, waiting: list[tuple[str | None, int]], limit: int
) -> None:
    """Each begins with the head of the queue, and holds the next ones with its key, however many wait."""
    with write(engine) as connection:
        connection.execute(delete(jobs))
    queue = [new_job(engine, key, priority) for key, priority in waiting]
    queue.sort(key=lambda job: (-job.priority, job.id))
    while queue:
        head = queue[0]
        same = [job for job in queue if job.stack_key == head.stack_key and head.stack_key is not None]
        expected = (same or [head])[:limit]
        assert ids(next_stack(engine, limit=limit)) == ids(expected)
        queue = [job for job in queue if job not in expected]
    assert next_stack(engine, limit=limit) == []
