"""Jobs that are computed together: each has an end of its own, the same as alone."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import event, update
from sqlalchemy.exc import OperationalError

from app.database.engine import now, write
from app.jobs import reaper, repository
from app.jobs.job import Job
from app.jobs.states import State
from app.jobs.tables import jobs as table
from app.kinds import KINDS
from tests.support import glancing
from tests.support.claiming import claim_by_id
from tests.support.glancing import GlancingParams
from tests.support.strange_pictures import noise
from tests.support.worker_context import add_picture, drop_image, submit
from worker.contract.stacks import StackSteps
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext

SPOILT = noise(size=(40, 30))[:60] + bytes(20) + noise(size=(40, 30))[80:]


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, glancing.SPEC.name, glancing.SPEC)


def queue(context: WorkerContext, count: int, **params: object) -> list[Job]:
    pictures = (add_picture(context, noise(seed=seed, size=(40, 30))) for seed in range(count))
    return [submit(context, GlancingParams.model_validate({"image": each, **params})) for each in pictures]


def run(context: WorkerContext, stop: threading.Event | None = None) -> bool:
    return runner.run_next(context, ["short"], stop or threading.Event())


def rows(context: WorkerContext, queued: Sequence[Job]) -> list[Job]:
    return [repository.get_job(context.engine, job.id) for job in queued]


def logits(job: Job) -> list[float]:
    assert job.state is State.SUCCEEDED and job.result is not None, job.error
    found: list[float] = job.result["logits"]
    return found


def stack_size(job: Job) -> int:
    assert job.result is not None
    size: int = job.result["recipe"]["stack_size"]
    return size


@pytest.mark.medium
def test_a_batch_gives_each_what_it_gets_alone(context: WorkerContext) -> None:
    queued = queue(context, 4)
    assert run(context)
    first = rows(context, queued)
    assert [stack_size(job) for job in first] == [4] * 4
    single = []
    for job in first:
        submit(context, GlancingParams.model_validate(job.params))
        assert run(context)
        single.append(repository.list_jobs(context.engine, limit=1)[0])
    assert [stack_size(job) for job in single] == [1] * 4
    for one, other in zip(first, single, strict=True):
        assert logits(one) == pytest.approx(logits(other), abs=1e-5, rel=1e-5)
        assert one.result is not None and other.result is not None
        recipes = one.result["recipe"], other.result["recipe"]
        assert recipes[0] | {"stack_size": 1} == recipes[1]
    assert len({tuple(logits(job)) for job in first}) == 4


@pytest.mark.medium
def test_each_has_its_own_attempt_events_artifacts_and_files(context: WorkerContext) -> None:
    queued = queue(context, 3)
    assert run(context) and not run(context)
    for job in rows(context, queued):
        assert (job.state, job.attempt, job.lost_attempts) == (State.SUCCEEDED, 1, 0)
        assert (job.worker_id, job.lease_until) == (None, None)
        assert job.progress is not None and (job.progress["done"], job.progress["total"]) == (1, 1)
        events = repository.list_events(context.engine, job.id)
        assert [(event.seq, event.data["state"]) for event in events] == [
            (1, "queued"),
            (2, "running"),
            (3, "succeeded"),
        ]
        artifacts = repository.list_artifacts(context.engine, [job.id])[job.id]
        assert [artifact.name for artifact in artifacts] == ["recipe"]
        with context.storage.open(artifacts[0].key) as file:
            assert job.id in artifacts[0].key and b'"stack_size": 3' in file.read()


@pytest.mark.medium
def test_a_bad_picture_and_one_that_is_gone_fail_alone(context: WorkerContext) -> None:
    good, gone, other = queue(context, 3)
    bad = submit(context, GlancingParams(image=add_picture(context, SPOILT)))
    drop_image(context, gone.params["image"])
    assert run(context) and not run(context)
    ended = rows(context, [good, other, gone, bad])
    assert [job.state for job in ended] == [State.SUCCEEDED] * 2 + [State.FAILED] * 2
    for job in ended[2:]:
        assert job.error is not None and (job.error["type"], job.error["field"]) == ("input", "image")
    assert logits(ended[0]) != logits(ended[1])


@pytest.mark.medium
def test_one_picture_that_is_left_is_computed_alone(context: WorkerContext) -> None:
    bad = [submit(context, GlancingParams(image=add_picture(context, SPOILT))) for _ in range(2)]
    (good,) = queue(context, 1)
    assert run(context)
    assert [job.state for job in rows(context, bad)] == [State.FAILED] * 2
    logits(*rows(context, [good]))


def raise_memory_error(*_: object) -> StackSteps:
    raise MemoryError
    yield


def give_too_few(*_: object) -> StackSteps:
    yield 0, ValueError("alone")


@pytest.mark.medium
@pytest.mark.parametrize("stack_function", [raise_memory_error, give_too_few])
def test_jobs_that_cannot_be_computed_together_are_computed_one_by_one(
    context: WorkerContext,
    stack_function: Callable[..., StackSteps],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    queued = queue(context, 3)
    monkeypatch.setattr("worker.runtime.stacks.load_stack_function", lambda _: stack_function)
    assert run(context)
    assert [stack_size(job) for job in rows(context, queued)] == [1] * 3


def once_running(context: WorkerContext, job_id: str, act: Callable[[], object]) -> threading.Thread:
    def wait_and_act() -> None:
        while repository.get_job(context.engine, job_id).state is not State.RUNNING:
            time.sleep(0.01)
        act()

    thread = threading.Thread(target=wait_and_act)
    thread.start()
    return thread


@pytest.mark.medium
def test_a_cancel_of_one_ends_that_one_alone(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.02)
    first, cancelled, paused, last = queue(context, 4, seconds=0.3)

    def ask() -> None:
        repository.request_cancel(context.engine, cancelled.id)
        repository.set_paused(context.engine, paused.id, True)

    thread = once_running(context, last.id, ask)
    assert run(context)
    thread.join()
    states = [job.state for job in rows(context, [first, cancelled, paused, last])]
    assert states == [State.SUCCEEDED, State.CANCELLED, State.QUEUED, State.SUCCEEDED]
    assert not run(context)
    repository.set_paused(context.engine, paused.id, False)
    assert run(context)
    logits(repository.get_job(context.engine, paused.id))


@pytest.mark.medium
def test_a_stop_puts_all_back_without_a_lost_attempt(context: WorkerContext) -> None:
    queued = queue(context, 3)
    stop = threading.Event()
    stop.set()
    assert run(context, stop)
    assert {(job.state, job.lost_attempts, job.worker_id) for job in rows(context, queued)} == {
        (State.QUEUED, 0, None)
    }
    assert run(context)
    assert [stack_size(job) for job in rows(context, queued)] == [3] * 3


@pytest.mark.medium
def test_a_database_that_stays_away_at_the_end_of_one_costs_the_others_no_attempt(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.patience.PERSIST_SECONDS", 0.0)
    queued = queue(context, 3)
    away = threading.Event()

    @event.listens_for(context.engine, "before_cursor_execute")
    def refuse(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("UPDATE jobs") and "finished_at=" in statement:
            away.set()
        if away.is_set():
            raise OperationalError(statement, {}, Exception("the server closed the connection"))

    with pytest.raises(OperationalError):
        run(context)
    event.remove(context.engine, "before_cursor_execute", refuse)
    while run(context):
        pass
    unwritten, *others = sorted(rows(context, queued), key=lambda job: job.state is State.SUCCEEDED)
    assert (unwritten.state, unwritten.attempt) == (State.RUNNING, 1)
    assert {(job.state, job.lost_attempts) for job in others} == {(State.SUCCEEDED, 0)}


@pytest.mark.medium
def test_who_lost_one_claim_writes_the_others(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 60.0)
    first, stolen, last = queue(context, 3, seconds=0.2)

    def steal() -> None:
        with write(context.engine) as connection:
            late = update(table).where(table.c.id == stolen.id).values(lease_until=now() - 1)
            connection.execute(late)
        assert [job.id for job in reaper.expire_leases(context.engine, 3)] == [stolen.id]
        assert claim_by_id(context.engine, stolen.id, "thief", 30) is not None

    thread = once_running(context, last.id, steal)
    assert run(context)
    thread.join()
    found = rows(context, [first, stolen, last])
    assert [job.state for job in found] == [State.SUCCEEDED, State.RUNNING, State.SUCCEEDED]
    assert (found[1].worker_id, found[1].attempt) == ("thief", 2)
    assert repository.list_artifacts(context.engine, [stolen.id])[stolen.id] == []


@pytest.mark.medium
def test_one_thread_sends_the_heartbeats_of_all(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.02)
    queued = queue(context, 5, seconds=0.3)
    seen: list[int] = []

    def count() -> None:
        before = [job.lease_until or 0.0 for job in rows(context, queued)]
        seen.append(sum(thread.name == "heartbeat" for thread in threading.enumerate()))
        time.sleep(0.1)
        after = [job.lease_until or 0.0 for job in rows(context, queued)]
        seen.append(sum(late > early for early, late in zip(before, after, strict=True)))

    thread = once_running(context, queued[0].id, count)
    assert run(context)
    thread.join()
    assert seen == [1, 5]


@pytest.mark.medium
def test_jobs_of_different_networks_are_not_computed_together(context: WorkerContext) -> None:
    queued = queue(context, 2) + queue(context, 2, network="vgg19-random")
    assert [len({job.stack_key for job in part}) for part in (queued[:2], queued[2:], queued)] == [1, 1, 2]
    assert run(context) and run(context) and not run(context)
    assert [stack_size(job) for job in rows(context, queued)] == [2] * 4
