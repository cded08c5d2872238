"""Jobs of a batch that are painted together: each has its own reports, checkpoints and end."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from sqlalchemy import update

from app.database.engine import now, write
from app.jobs import reaper, repository
from app.jobs.job import Job
from app.jobs.preparing import Preparer
from app.jobs.states import State
from app.jobs.tables import jobs as table
from tests.support.strange_pictures import noise
from tests.support.worker_context import add_picture, drop_image
from worker.contract.compute import Compute
from worker.losses.loss_sum import LossSum
from worker.optim import together
from worker.optim.descent import Evaluation
from worker.optim.together import Wanted
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext
from worker.runtime.stack_sizes import LARGEST_STACK, StackSizes

STEPS = 6


def queue(context: WorkerContext, count: int, **values: object) -> list[Job]:
    """Style transfers of one batch, of which the worker knows already that they are short."""
    style = add_picture(context, noise(seed=99, size=(40, 40)))
    preparer = Preparer(context.engine, context.settings)
    queued = []
    for seed in range(count):
        content = add_picture(context, noise(seed=seed, size=(64, 48)))
        given = {"content": content, "style": [style], "size": 48, "steps": STEPS, **values}
        checked = preparer.check_one(preparer.parse("style_transfer", given))
        queued.append(repository.create_job(context.engine, preparer.new_job(checked, batch_id="b"))[0])
    assert len({job.stack_key for job in queued}) == 1 and queued[0].stack_key is not None
    context.stack_sizes.learn(queued[0], 0.01)
    return queued


def run(context: WorkerContext, stop: threading.Event | None = None) -> bool:
    return runner.run_next(context, ["long"], stop or threading.Event())


def rows(context: WorkerContext, queued: Sequence[Job]) -> list[Job]:
    return [repository.get_job(context.engine, job.id) for job in queued]


def stack_size(job: Job) -> int:
    assert job.result is not None, job.error
    size: int = job.result["recipe"]["stack_size"]
    return size


def final_loss(job: Job) -> float:
    assert job.result is not None, job.error
    loss: float = job.result["losses"]["total"]
    return loss


def painted_alone(context: WorkerContext, job: Job) -> Job:
    """The same job, as its recipe makes it again."""
    assert job.result is not None
    preparer = Preparer(context.engine, context.settings)
    checked = preparer.check_one(preparer.parse(job.kind, dict(job.result["recipe"]["params"])))
    made, _ = repository.create_job(context.engine, preparer.new_job(checked))
    assert made.stack_key is None and run(context)
    return repository.get_job(context.engine, made.id)


def once(count: int, act: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ``act`` happen after the pass of a number of evaluations in all."""
    evaluate, made = together.evaluate_all, 0

    def and_act(wanted: Sequence[Wanted]) -> list[Evaluation]:
        nonlocal made
        found = evaluate(wanted)
        made += 1
        if made == count:
            act()
        return found

    monkeypatch.setattr("worker.synthesis.stacking.evaluate_all", and_act)


@pytest.mark.medium
def test_each_is_told_of_and_ends_as_it_does_alone(context: WorkerContext) -> None:
    queued = queue(context, 3)
    assert run(context) and not run(context)
    for job in rows(context, queued):
        assert (job.state, job.attempt, stack_size(job)) == (State.SUCCEEDED, 1, 3)
        assert job.progress is not None and job.progress["done"] == job.progress["total"] == STEPS
        events = repository.list_events(context.engine, job.id)
        assert {"progress", "done"} <= {event.type for event in events}
        artifacts = repository.list_artifacts(context.engine, [job.id])[job.id]
        assert [each.name for each in artifacts if each.name != "preview"] == ["image", "recipe"]
        again = painted_alone(context, job)
        assert stack_size(again) == 1
        assert final_loss(again) == pytest.approx(final_loss(job), rel=0.02)
        assert again.result is not None and job.result is not None
        assert again.result["recipe"] | {"stack_size": 3} == job.result["recipe"]


@pytest.mark.medium
def test_a_cancel_a_pause_and_a_lost_claim_of_one_leave_the_others(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 60.0)
    queued = queue(context, 5)
    _, cancelled, paused, stolen, _ = queued

    def interfere() -> None:
        repository.request_cancel(context.engine, cancelled.id)
        repository.set_paused(context.engine, paused.id, True)
        with write(context.engine) as connection:
            late = update(table).where(table.c.id == stolen.id).values(lease_until=now() - 1)
            connection.execute(late)
        assert [job.id for job in reaper.expire_leases(context.engine, 3)] == [stolen.id]
        with write(context.engine) as connection:
            connection.execute(update(table).where(table.c.id == stolen.id).values(paused=True))

    # The report of the next step returns what was asked.
    monkeypatch.setattr("worker.runtime.schedule.PROGRESS_SECONDS", 0.0)
    once(2, interfere, monkeypatch)
    assert run(context)
    found = rows(context, queued)
    assert [job.state for job in found] == [
        State.SUCCEEDED,
        State.CANCELLED,
        State.QUEUED,
        State.QUEUED,
        State.SUCCEEDED,
    ]
    assert found[2].checkpoint is not None and found[2].checkpoint["done"] < STEPS
    assert (found[3].lost_attempts, found[3].checkpoint) == (1, None)
    assert [stack_size(found[place]) for place in (0, 4)] == [5, 5]
    for job in (paused, stolen):
        repository.set_paused(context.engine, job.id, False)
        assert run(context)
    assert [stack_size(job) for job in rows(context, [paused, stolen])] == [1, 1]


@pytest.mark.medium
def test_a_stop_saves_a_checkpoint_of_each_from_which_it_goes_on(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued = queue(context, 3)
    stop = threading.Event()
    once(3, stop.set, monkeypatch)
    assert run(context, stop)
    released = rows(context, queued)
    assert [(job.state, job.lost_attempts) for job in released] == [(State.QUEUED, 0)] * 3
    assert [job.checkpoint and job.checkpoint["done"] for job in released] == [3] * 3
    while run(context):
        pass
    for job in rows(context, queued):
        assert final_loss(job) == pytest.approx(final_loss(painted_alone(context, job)), rel=0.02)


@pytest.mark.medium
def test_one_that_cannot_begin_fails_alone(context: WorkerContext) -> None:
    queued = queue(context, 3)
    drop_image(context, queued[1].params["content"])
    assert run(context)
    found = rows(context, queued)
    assert [job.state for job in found] == [State.SUCCEEDED, State.FAILED, State.SUCCEEDED]
    assert found[1].error is not None and found[1].error["field"] == "content"
    assert [stack_size(found[place]) for place in (0, 2)] == [2, 2]


@pytest.mark.medium
def test_too_little_memory_for_all_is_enough_for_one_after_the_other(
    context: WorkerContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = context.settings.model_copy(update={"checkpoint_seconds": 0.0})
    context = replace(context, settings=settings)
    queued = queue(context, 4)
    evaluate, passes = LossSum.evaluate_together, 0

    def fail(self: LossSum, losses: Sequence[LossSum], pictures: Sequence[torch.Tensor]) -> list[Evaluation]:
        nonlocal passes
        passes += len(losses) > 1
        if len(losses) > 1 and passes == 4:
            raise torch.OutOfMemoryError("of the device")
        return evaluate(self, losses, pictures)

    monkeypatch.setattr(LossSum, "evaluate_together", fail)
    alone: list[int] = []
    compute = runner._compute

    def counted(context: WorkerContext, job: runner.ClaimedJob, stop: threading.Event) -> runner.End:
        alone.append((repository.get_job(context.engine, job.row.id).checkpoint or {"done": 0})["done"])
        return compute(context, job, stop)

    monkeypatch.setattr(runner, "_compute", counted)
    assert run(context)
    found = rows(context, queued)
    assert [(job.state, stack_size(job)) for job in found] == [(State.SUCCEEDED, 1)] * 4
    assert min(alone) > 0, "each goes on from its checkpoint"
    assert context.stack_sizes.limit(queued[0]) == 2


def make_job(context: WorkerContext, **columns: object) -> Job:
    job, _ = repository.create_job(
        context.engine, repository.NewJob("style_transfer", "long", {"size": 128}, stack_key="key")
    )
    return replace(job, **columns)  # type: ignore[arg-type]


def test_a_stack_ends_soon_fits_and_is_of_use(context: WorkerContext) -> None:
    job = make_job(context)
    sizes = StackSizes(Compute(torch.device("cpu"), threads=1))
    assert sizes.limit(replace(job, stack_key=None)) == 1
    assert sizes.limit(job) == 1, "the first shows how long one takes"
    sizes.learn(job, 0.5)
    assert sizes.limit(job) == 20
    sizes.learn(job, 0.001)
    assert sizes.limit(job) == LARGEST_STACK
    sizes.learn(job, 11.0)
    assert sizes.limit(job) == 1
    sizes.learn(job, 0.5)
    sizes.shrink(job, 9)
    assert sizes.limit(job) == 4
    sizes.shrink(job, 1)
    assert sizes.limit(job) == 1
    # On one thread pictures of which a pass has one only end later together.
    large = replace(job, stack_key="large", params={"size": 256})
    sizes.learn(large, 0.1)
    assert sizes.limit(large) == 1
    threads = StackSizes(Compute(torch.device("cpu"), threads=2))
    threads.learn(large, 0.1)
    assert threads.limit(large) == LARGEST_STACK
    assert threads.limit(replace(large, params={"size": 384})) == 1
    small = StackSizes(Compute(torch.device("cuda"), threads=1))
    small.learn(large, 0.1)
    assert small.limit(large) == LARGEST_STACK
    huge = replace(large, params={"size": 2048})
    assert small.limit(huge) == 1


def test_what_is_learnt_is_bounded(context: WorkerContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.runtime.stack_sizes.MOST_KEYS", 2)
    job = make_job(context)
    sizes = StackSizes(Compute(torch.device("cpu"), threads=1))
    for key in "abc":
        sizes.learn(replace(job, stack_key=key), 1.0)
    assert [sizes.limit(replace(job, stack_key=key)) for key in "abc"] == [1, 10, 10]
