"""What happens between the parts of a step: it ends in the middle, or is seen to go on."""

import subprocess
import sys
import threading

import pytest
import torch

from app.jobs import repository
from app.jobs.job import Job
from app.jobs.states import State
from app.kinds import KINDS
from app.networks.catalogue import SHIPPED
from tests.support import standing
from tests.support.networks import make_convolutions
from tests.support.worker_context import run, submit
from worker.contract.interludes import between_parts, listening
from worker.optim.tiling.tiles import Tiling
from worker.optim.together import on_single_threads
from worker.runtime.context import WorkerContext
from worker.runtime.stalls import EXIT_CODE, StallWatch


@pytest.fixture(autouse=True)
def standing_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "standing", standing.SPEC)
    monkeypatch.setattr("worker.runtime.heartbeat.HEARTBEAT_SECONDS", 0.05)


def queue(context: WorkerContext, **params: object) -> Job:
    return submit(context, standing.StandingParams.model_validate(params).resolve(SHIPPED))


def test_all_that_listen_hear_of_a_part_from_every_thread() -> None:
    heard: list[str] = []
    with listening(lambda: heard.append("outer")), listening(lambda: heard.append("inner")):
        between_parts()
        assert heard == ["outer", "inner"]
        assert list(on_single_threads(lambda _: between_parts(), [1, 2], 2)) == [None, None]
        assert sorted(heard) == ["inner"] * 3 + ["outer"] * 3
    between_parts()
    assert len(heard) == 6


def test_every_tile_is_a_part() -> None:
    network = make_convolutions()
    (layer, *_) = network.stack
    tiling = Tiling(96, 96, network, [layer], budget=100_000)
    heard: list[None] = []
    with listening(lambda: heard.append(None)):
        tiling.all_features(torch.rand(1, 3, 96, 96), [layer])
    assert len(heard) == len(tiling.tiles) > 1


def test_a_step_that_takes_for_ever_ends_when_the_process_is_about_to_be_killed(
    context: WorkerContext,
) -> None:
    """A stop before its end lets the first step end, with a checkpoint; the second one ends in the middle."""
    queue(context, steps=2, parts=1, part_seconds=0)
    stop = threading.Event()
    stop.set()
    job = run(context, stop)
    assert job.state is State.QUEUED and job.checkpoint is not None and job.checkpoint["done"] == 1
    saved = job.checkpoint

    context.hurry.set()
    job = run(context, stop)
    assert (job.state, job.attempt, job.lost_attempts) == (State.QUEUED, 2, 0)
    assert job.checkpoint == saved
    context.hurry.clear()
    assert run(context).state is State.SUCCEEDED


@pytest.mark.parametrize("what", ["hurry", "cancel"])
@pytest.mark.medium
def test_a_job_ends_between_the_parts_of_its_only_step(context: WorkerContext, what: str) -> None:
    job = queue(context, parts=1_000_000, part_seconds=0.01)

    def act() -> None:
        while repository.get_job(context.engine, job.id).state is not State.RUNNING:
            pass
        if what == "cancel":
            repository.request_cancel(context.engine, job.id)
        else:
            context.hurry.set()

    thread = threading.Thread(target=act)
    thread.start()
    ended = run(context)
    thread.join()
    assert ended.state is (State.CANCELLED if what == "cancel" else State.QUEUED)
    assert (ended.attempt, ended.lost_attempts, ended.progress) == (1, 0, None)


def test_a_watch_notices_silence_and_one_without_a_limit_does_not() -> None:
    stalled = threading.Event()
    with StallWatch(0.05, stalled.set):
        assert stalled.wait(60)
    with StallWatch(None, lambda: pytest.fail("it has no limit")):
        pass


@pytest.mark.medium
@pytest.mark.parametrize(
    ("what", "code", "says"),
    [
        ("stand_still", EXIT_CODE, "did not get ready in 0.45 s"),
        ("hold_still", 1, "Timeout (0:00:00.900000)!"),
    ],
)
def test_a_process_that_stands_still_shows_where_and_ends(what: str, code: int, says: str) -> None:
    script = (
        "from app.settings import Settings\n"
        f"from tests.support.standing import {what}\n"
        "from worker.runtime.stalls import watch_start\n"
        f"with watch_start(Settings(stall_factor=0.0005)): {what}()"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert f"in {what}" in done.stderr and says in done.stderr
