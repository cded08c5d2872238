"""The life of a job in the database, on SQLite and PostgreSQL."""

from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import replace
from importlib import import_module
from itertools import permutations
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, Engine, update

from app.database.engine import now, write
from app.database.keys import KeyReused
from app.database.metadata import metadata
from app.jobs import claims, needs, reaper, repository, transitions
from app.jobs.claims import Claim, ClaimLost
from app.jobs.errors import JobNotEnded, UnknownJob
from app.jobs.job import Artifact, Event, Job
from app.jobs.repository import NewJob
from app.jobs.states import TERMINAL, TRANSITIONS, State
from app.jobs.tables import jobs
from app.networks.catalogue import get_card
from app.networks.repository import NewNetwork, list_networks, network_of_job
from app.workers import repository as workers
from tests.support.claiming import claim_by_id

LEASE = 30.0


def new_job(engine: Engine, **changes: object) -> Job:
    new = replace(NewJob("style_transfer", "long", {"size": 64}), **changes)  # type: ignore[arg-type]
    return repository.create_job(engine, new)[0]


def claimed(engine: Engine, worker_id: str = "w1") -> Claim:
    claim = claims.claim_next(engine, worker_id, ["long"], LEASE)
    assert claim is not None
    return claim


def end_lease(engine: Engine, job_id: str) -> None:
    with write(engine) as connection:
        connection.execute(update(jobs).where(jobs.c.id == job_id).values(lease_until=now() - 1))


def kinds_of_events(engine: Engine, job_id: str) -> list[tuple[int, str]]:
    return [(event.seq, event.type) for event in repository.list_events(engine, job_id)]


def test_migrations_make_the_tables_of_the_code(engine: Engine) -> None:
    # Through its routes it imports every table.
    import_module("app.main")
    import_module("app.batches.tables")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_a_job_from_queue_to_success(engine: Engine) -> None:
    job = new_job(engine)
    assert (job.state, job.seq, job.attempt) == (State.QUEUED, 1, 0)
    claim = claimed(engine)
    assert (claim.job.state, claim.job.seq, claim.attempt) == (State.RUNNING, 2, 1)
    claims.report_progress(engine, claim, {"done": 1, "total": 2, "losses": {}, "eta_seconds": 1.0})
    made = Artifact(job.id, "image", "jobs/x/1/image.png", "image/png", 3, "00")
    done = claims.finish(engine, claim, State.SUCCEEDED, made=[made], result={"loss": 1.0})
    assert done.state is State.SUCCEEDED and done.seq == 4 and done.result == {"loss": 1.0}
    assert done.worker_id is None and done.lease_until is None
    assert done.created_at <= (done.started_at or 0) <= (done.finished_at or 0)
    assert repository.get_artifact(engine, job.id, "image") == made
    assert kinds_of_events(engine, job.id) == [(1, "state"), (2, "state"), (3, "progress"), (4, "done")]


def test_jobs_are_claimed_by_priority_then_age_and_by_lane(engine: Engine) -> None:
    first, second = new_job(engine), new_job(engine)
    urgent = new_job(engine, priority=5)
    new_job(engine, lane="short")
    paused = new_job(engine)
    repository.set_paused(engine, paused.id, True)
    order = [claimed(engine).job.id for _ in range(3)]
    assert order == [urgent.id, first.id, second.id]
    assert claims.claim_next(engine, "w1", ["long"], LEASE) is None


@pytest.mark.medium
def test_eight_workers_claim_each_job_once(engine: Engine) -> None:
    made = {new_job(engine).id for _ in range(40)}

    def work(name: int) -> list[str]:
        mine = []
        while (claim := claims.claim_next(engine, f"w{name}", ["long"], LEASE)) is not None:
            mine.append(claim.job.id)
        return mine

    with ThreadPoolExecutor(8) as pool:
        taken = [job_id for mine in pool.map(work, range(8)) for job_id in mine]
    assert len(taken) == 40 and set(taken) == made


def test_only_one_of_two_claims_of_one_job_wins(engine: Engine) -> None:
    job = new_job(engine)
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda n: claim_by_id(engine, job.id, f"w{n}", LEASE), range(8)))
    assert sum(result is not None for result in results) == 1


def test_who_lost_the_lease_writes_nothing(engine: Engine) -> None:
    job = new_job(engine)
    old = claimed(engine, "w1")
    end_lease(engine, job.id)
    assert [j.id for j in reaper.expire_leases(engine, max_attempts=3)] == [job.id]
    new = claimed(engine, "w1")
    assert new.attempt == old.attempt + 1
    before = repository.get_job(engine, job.id)
    artifact = Artifact(job.id, "preview", "k", "image/jpeg", 1, "00")
    attempts = (
        lambda: claims.heartbeat(engine, old),
        lambda: claims.report_progress(engine, old, {}),
        lambda: claims.save_preview(engine, old, artifact),
        lambda: claims.save_checkpoint(engine, old, "k", 1),
        lambda: claims.finish(engine, old, State.SUCCEEDED),
        lambda: claims.finish(engine, old, State.QUEUED),
    )
    for attempt in attempts:
        with pytest.raises(ClaimLost):
            attempt()
    assert repository.get_job(engine, job.id) == before
    assert repository.list_artifacts(engine, [job.id])[job.id] == []
    claims.finish(engine, new, State.SUCCEEDED)


def test_a_heartbeat_extends_the_lease_and_returns_requests(engine: Engine) -> None:
    job = new_job(engine)
    claim = claimed(engine)
    end_lease(engine, job.id)
    assert not claims.heartbeat(engine, claim).cancel_requested
    assert reaper.expire_leases(engine, 3) == []
    repository.request_cancel(engine, job.id)
    assert claims.heartbeat(engine, claim).cancel_requested


def test_a_job_without_progress_fails_after_three_attempts(engine: Engine) -> None:
    job = new_job(engine)
    for attempt in (1, 2, 3):
        assert claimed(engine, f"w{attempt}").attempt == attempt
        (lost,) = reaper.expire_worker(engine, f"w{attempt}", max_attempts=3)
    assert lost.state is State.FAILED and lost.error is not None
    assert lost.error["type"] == "worker_lost"
    assert claim_by_id(engine, job.id, "w4", LEASE) is None


def test_a_checkpoint_that_advances_resets_the_lost_attempts(engine: Engine) -> None:
    job = new_job(engine)
    for done in range(1, 8):
        claim = claimed(engine)
        claims.save_checkpoint(engine, claim, f"k{done}", done)
        reaper.expire_worker(engine, "w1", max_attempts=3)
    waiting = repository.get_job(engine, job.id)
    assert (waiting.state, waiting.lost_attempts) == (State.QUEUED, 1)
    for _ in range(2):
        claims.save_checkpoint(engine, claimed(engine), "same", 7)
        reaper.expire_worker(engine, "w1", max_attempts=3)
    assert repository.get_job(engine, job.id).state is State.FAILED


def test_a_worker_that_did_not_stop_in_time_costs_its_jobs_no_attempt(engine: Engine) -> None:
    new_job(engine)
    for attempt in range(1, 6):
        claim = claimed(engine)
        (job,) = reaper.release_worker(engine, "w1", max_attempts=1)
        assert (job.state, job.attempt, job.lost_attempts) == (State.QUEUED, attempt, 0)
        with pytest.raises(ClaimLost):
            claims.save_checkpoint(engine, claim, "late", 1)


def test_claims_that_are_given_up_count_and_the_last_says_why(engine: Engine) -> None:
    new_job(engine)
    other = new_job(engine)
    error = reaper.stalled_error(900)
    for attempt in (1, 2):
        held, kept = claimed(engine), claimed(engine)
        (job,) = reaper.expire_claims(engine, [held], 2, error)
        assert (job.id, job.lost_attempts) == (held.job.id, attempt)
        assert claims.finish(engine, kept, State.QUEUED).lost_attempts == 0
        # Its fence keeps it from taking back the next attempt.
        assert reaper.expire_claims(engine, [held], 2, error) == []
    assert job.state is State.FAILED and job.error == error
    assert repository.get_job(engine, other.id).lost_attempts == 0


def test_a_release_is_no_attempt(engine: Engine) -> None:
    job = new_job(engine)
    for _ in range(5):
        claims.finish(engine, claimed(engine), State.QUEUED)
    found = repository.get_job(engine, job.id)
    assert (found.state, found.lost_attempts, found.attempt) == (State.QUEUED, 0, 5)


def test_cancel_of_a_queued_a_running_and_an_ended_job(engine: Engine) -> None:
    job = new_job(engine)
    assert repository.request_cancel(engine, job.id).state is State.CANCELLED
    assert claims.claim_next(engine, "w1", ["long"], LEASE) is None

    running = new_job(engine)
    claim = claimed(engine)
    asked = repository.request_cancel(engine, running.id)
    assert asked.state is State.RUNNING and asked.cancel_requested_at is not None
    assert repository.request_cancel(engine, running.id).seq == asked.seq
    assert reaper.overdue_cancels(engine, 60) == set()
    assert reaper.overdue_cancels(engine, -1) == {"w1"}
    ended = claims.finish(engine, claim, State.CANCELLED)
    assert repository.request_cancel(engine, running.id) == ended


@pytest.mark.parametrize("order", list(permutations(["cancel", "pause", "release"])), ids="-".join)
def test_a_cancel_holds_in_any_order_with_a_pause_and_a_release(
    engine: Engine, order: tuple[str, ...]
) -> None:
    """A release is what a worker does on SIGTERM and on a pause, before a heartbeat tells it of a cancel."""
    job = new_job(engine)
    claim = claimed(engine)
    actions = {
        "cancel": lambda: repository.request_cancel(engine, job.id),
        "pause": lambda: repository.set_paused(engine, job.id, True),
        "release": lambda: claims.finish(engine, claim, State.QUEUED),
    }
    for action in order:
        actions[action]()
    ended = repository.get_job(engine, job.id)
    assert ended.state is State.CANCELLED and ended.finished_at is not None
    assert (ended.worker_id, ended.lease_until, ended.checkpoint) == (None, None, None)
    assert repository.list_events(engine, job.id)[-1].type == "done"


def test_a_cancel_holds_though_the_job_goes_back_to_the_queue_at_that_moment(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = new_job(engine)
    claim = claimed(engine)
    released: list[Future[Job]] = []

    def then_release(connection: Connection, *conditions: Any, **change: Any) -> Job | None:
        changed = transitions.transition(connection, *conditions, **change)
        if not released:
            released.append(pool.submit(claims.finish, engine, claim, State.QUEUED))
            wait(released, 0.3)
        return changed

    monkeypatch.setattr(repository, "transition", then_release)
    with ThreadPoolExecutor(1) as pool:
        repository.request_cancel(engine, job.id)
        released[0].result()
    assert repository.get_job(engine, job.id).state is State.CANCELLED


def test_a_lost_worker_of_a_cancelled_job_ends_it(engine: Engine) -> None:
    job = new_job(engine)
    claimed(engine)
    repository.request_cancel(engine, job.id)
    (lost,) = reaper.expire_worker(engine, "w1", max_attempts=3)
    assert lost.state is State.CANCELLED


def test_expiring_one_worker_leaves_the_others_alone(engine: Engine) -> None:
    new_job(engine)
    new_job(engine)
    claimed(engine, "w1")
    other = claimed(engine, "w2")
    assert len(reaper.expire_worker(engine, "w1", 3)) == 1
    claims.heartbeat(engine, other)


def test_the_same_key_gives_the_same_job(engine: Engine) -> None:
    new = NewJob("k", "long", {}, idempotency_key="key", payload_hash="p")
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: repository.create_job(engine, new), range(16)))
    assert len({job.id for job, _ in results}) == 1
    assert sum(created for _, created in results) == 1
    with pytest.raises(KeyReused):
        repository.create_job(engine, replace(new, payload_hash="other"))


def test_lists_page_from_the_newest_and_filter(engine: Engine) -> None:
    made = [new_job(engine).id for _ in range(5)]
    repository.request_cancel(engine, made[0])
    page = repository.list_jobs(engine, limit=3)
    rest = repository.list_jobs(engine, limit=3, before=page[-1].id)
    assert [job.id for job in page + rest] == made[::-1]
    assert [j.id for j in repository.list_jobs(engine, limit=9, states=["cancelled"])] == made[:1]
    assert repository.list_jobs(engine, limit=9, kinds=["other"]) == []


def test_delete_takes_ended_jobs_alone(engine: Engine) -> None:
    job = new_job(engine)
    with pytest.raises(JobNotEnded):
        needs.delete_job(engine, job.id)
    repository.request_cancel(engine, job.id)
    needs.delete_job(engine, job.id)
    with pytest.raises(UnknownJob):
        repository.get_job(engine, job.id)
    assert repository.list_events(engine, job.id) == []


@pytest.mark.medium
def test_progress_is_thinned_to_a_thousand_rows(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert transitions.PROGRESS_ROWS == 1000
    # A tenth of the rows, and of the reports, which take seconds.
    monkeypatch.setattr(transitions, "PROGRESS_ROWS", 100)
    job = new_job(engine)
    claim = claimed(engine)
    for done in range(230):
        claims.report_progress(engine, claim, {"done": done})
    events = repository.list_events(engine, job.id, limit=5000)
    progress = [event for event in events if event.type == "progress"]
    assert 50 <= len(progress) <= 100
    assert [event.seq for event in events] == sorted(event.seq for event in events)
    assert progress[-1].data == {"done": 229}


@pytest.mark.medium
def test_progress_is_thinned_whatever_comes_between_and_at_the_end(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "PROGRESS_ROWS", 100)
    monkeypatch.setattr(transitions, "ROWS_OF_ENDED", 20)
    job = new_job(engine)
    claim = claimed(engine)

    def rows(kind: str) -> list[Event]:
        events = repository.list_events(engine, job.id, limit=5000)
        return [event for event in events if event.type == kind]

    # Each report has a preview, so that the seqs of all reports are odd.
    for done in range(150):
        claims.report_progress(engine, claim, {"done": done})
        claims.save_preview(engine, claim, Artifact(job.id, "preview", f"k{done}", "image/jpeg", 1, "ab"))
    assert 37 <= len(rows("progress")) <= 100
    claims.finish(engine, claim, State.SUCCEEDED)
    left = rows("progress")
    assert 10 <= len(left) <= 20 and left[-1].data == {"done": 149}
    assert len(rows("done")) == 1 and len(rows("state")) == 2


def test_progress_of_many_that_end_at_once_is_thinned(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transitions, "ROWS_OF_ENDED", 20)
    job = new_job(engine)
    claim = claimed(engine)
    for done in range(60):
        claims.report_progress(engine, claim, {"done": done})
    with write(engine) as connection:
        transitions.transition_all(connection, jobs.c.id == job.id, values={"state": State.CANCELLED})
    events = repository.list_events(engine, job.id, limit=5000)
    left = [event for event in events if event.type == "progress"]
    assert 10 <= len(left) <= 20 and left[-1].data == {"done": 59}


def test_workers_without_heartbeat_are_not_alive(engine: Engine) -> None:
    workers.register(engine, worker_id="w1", lanes=["long"], device="cpu", host="h", pid=1)
    assert [worker.worker_id for worker in workers.list_alive(engine, 10)] == ["w1"]
    assert workers.list_alive(engine, -1) == []
    workers.unregister(engine, "w1")
    assert workers.list_alive(engine, 10) == []


def made_network(job: Job, name: str) -> NewNetwork:
    card = get_card("palette").model_copy(update={"name": name})
    network_id = network_of_job(job.id)
    return NewNetwork(id=network_id, card=card, key=f"networks/{network_id}/1", bytes=1, origin="trained")


def test_a_network_is_registered_with_the_end_or_not_at_all(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    new_job(engine)
    first = claimed(engine)
    job = claims.finish(
        engine, first, State.SUCCEEDED, network=made_network(first.job, "mine"), result={"a": 1}
    )
    assert job.result == {"a": 1, "network": "mine"}
    new_job(engine)
    second = claimed(engine)
    reaper.expire_worker(engine, "w1", max_attempts=3)
    with pytest.raises(ClaimLost):
        claims.finish(engine, second, State.SUCCEEDED, network=made_network(second.job, "mine"))
    assert [network.card.name for network in list_networks(engine)] == ["mine"]
    # Another transaction takes the name between the look and the insertion.
    second = claimed(engine)
    choose, tries = claims.under_free_name, []

    def too_late(connection: Connection, network: NewNetwork) -> NewNetwork:
        tries.append(network)
        return network if len(tries) < 3 else choose(connection, network)

    monkeypatch.setattr(claims, "under_free_name", too_late)
    job = claims.finish(engine, second, State.SUCCEEDED, network=made_network(second.job, "mine"))
    assert job.result == {"network": "mine-2"} and len(tries) == 3
    assert [network.card.name for network in list_networks(engine)] == ["mine", "mine-2"]
    assert [kind for _, kind in kinds_of_events(engine, job.id)].count("done") == 1


def test_terminal_states_have_no_way_out() -> None:
    assert {state for state, following in TRANSITIONS.items() if not following} == TERMINAL
