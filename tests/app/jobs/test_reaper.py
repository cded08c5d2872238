"""When jobs are taken back from workers whose lease ran out: from the dead, and from nobody alive."""

import errno
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Engine, update
from sqlalchemy.exc import OperationalError

from app.database.engine import now, write
from app.jobs import claims, repository
from app.jobs.dispatch.base import LocalDispatcher
from app.jobs.job import Job
from app.jobs.reaper import ROUND_SECONDS, LeaseWatch, expire_worker, finish_takeback, release_worker
from app.jobs.repository import NewJob
from app.jobs.states import State
from app.jobs.tables import jobs
from app.storage import FolderStorage

LEASE = 30.0
GRACE = LEASE / 2


@dataclass
class Clocks:
    """The clock of the reaper's process, and the database's; None: it does not answer."""

    here: float = 1000.0
    there: float | None = 5e8

    def pass_time(self, here: float, there: float | None = None) -> None:
        self.here += here
        if self.there is not None:
            self.there += here if there is None else there

    def database(self, _: Engine) -> float:
        if self.there is None:
            raise OperationalError("select now", {}, Exception("the server closed the connection"))
        return self.there


@pytest.fixture
def clocks() -> Clocks:
    return Clocks()


@pytest.fixture
def watch(engine: Engine, clocks: Clocks) -> LeaseWatch:
    watch = LeaseWatch(engine, LEASE, 3, lambda: clocks.here, clocks.database)
    for _ in range(round(GRACE / ROUND_SECONDS) + 1):
        assert watch.expire() == []
        clocks.pass_time(ROUND_SECONDS)
    return watch


@pytest.fixture
def job_id(engine: Engine) -> str:
    """A running job whose lease has run out."""
    job, _ = repository.create_job(engine, NewJob("style_transfer", "long", {}))
    assert claims.claim_next(engine, "w1", ["long"], LEASE)
    with write(engine) as connection:
        connection.execute(update(jobs).values(lease_until=now() - 1))
    return job.id


def round_of(watch: LeaseWatch, clocks: Clocks, *, seconds: float = ROUND_SECONDS) -> list[str]:
    clocks.pass_time(seconds)
    return [job.id for job in watch.expire()]


def test_the_job_of_a_dead_worker_is_taken_back_in_the_next_round(
    engine: Engine, watch: LeaseWatch, clocks: Clocks, job_id: str
) -> None:
    assert round_of(watch, clocks) == [job_id]
    assert repository.get_job(engine, job_id).state is State.QUEUED


def test_nothing_is_taken_back_after_the_start_for_half_a_lease(
    engine: Engine, clocks: Clocks, job_id: str
) -> None:
    watch = LeaseWatch(engine, LEASE, 3, lambda: clocks.here, clocks.database)
    assert round_of(watch, clocks, seconds=0) == []
    assert [round_of(watch, clocks) for _ in range(7)] == [[]] * 7
    assert round_of(watch, clocks) == [job_id]


@pytest.mark.parametrize("event", ["database away", "frozen", "machine asleep", "clock set forward"])
def test_nobody_alive_is_robbed_after(
    event: str, engine: Engine, watch: LeaseWatch, clocks: Clocks, job_id: str
) -> None:
    if event == "database away":
        known, clocks.there = clocks.there, None
        for _ in range(40):
            clocks.pass_time(ROUND_SECONDS)
            with pytest.raises(OperationalError):
                watch.expire()
        assert known is not None
        clocks.there = known + 40 * ROUND_SECONDS
    elif event == "frozen":
        clocks.pass_time(3600)
    else:
        clocks.pass_time(0, 3600)
    assert [round_of(watch, clocks) for _ in range(7)] == [[]] * 7
    # One that has not extended its lease by now is dead.
    assert [job_id] in [round_of(watch, clocks) for _ in range(2)]


def test_a_clock_set_back_takes_nothing_and_stops_nothing(
    watch: LeaseWatch, clocks: Clocks, job_id: str
) -> None:
    clocks.pass_time(0, -3600)
    assert round_of(watch, clocks) == [job_id]


def test_a_dead_worker_holds_no_job_until_a_clock_that_was_set_back_has_caught_up(
    engine: Engine, watch: LeaseWatch, clocks: Clocks, job_id: str
) -> None:
    with write(engine) as connection:
        connection.execute(update(jobs).values(lease_until=now() + 3600))
    clocks.pass_time(0, -3600)
    # One that is alive has the time to extend its lease.
    assert [round_of(watch, clocks) for _ in range(7)] == [[]] * 7
    assert [job_id] in [round_of(watch, clocks) for _ in range(2)]


def test_rounds_as_long_as_half_a_short_lease_take_back_all_the_same(
    engine: Engine, clocks: Clocks, job_id: str
) -> None:
    watch = LeaseWatch(engine, 3.0, 3, lambda: clocks.here, clocks.database)
    assert job_id in [gone for _ in range(4) for gone in round_of(watch, clocks)]


def test_the_clocks_are_real_ones_by_default(engine: Engine, job_id: str) -> None:
    watch = LeaseWatch(engine, 0.0, 3)
    assert [job.id for job in watch.expire()] == [job_id]


@pytest.mark.parametrize("take_back", [expire_worker, release_worker])
@pytest.mark.medium
def test_a_job_whose_row_is_written_just_now_is_taken_back_all_the_same(
    engine: Engine, job_id: str, take_back: Callable[[Engine, str, int], list[Job]]
) -> None:
    taken: list[Job] = []
    thread = threading.Thread(target=lambda: taken.extend(take_back(engine, "w1", 3)))
    with write(engine) as connection:
        # As of the worker that was killed meanwhile, which the database has not noticed yet.
        connection.execute(update(jobs).values(progress={"done": 1}))
        thread.start()
        thread.join(0.5)
    thread.join()
    assert [job.id for job in taken] == [job_id]


def test_files_that_cannot_be_deleted_stop_no_take_back(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, engine: Engine
) -> None:
    class Broken(FolderStorage):
        def delete_prefix(self, prefix: str, keep: Collection[str] = ()) -> None:
            raise OSError(errno.EIO, "Input/output error")

    jobs_of = [repository.create_job(engine, NewJob("style_transfer", "long", {}))[0] for _ in range(2)]
    ended = [repository.request_cancel(engine, job.id) for job in jobs_of]
    finish_takeback(ended, LocalDispatcher(tmp_path), Broken(tmp_path / "files"))
    assert caplog.text.count("a file that nothing needs stays") == 2
