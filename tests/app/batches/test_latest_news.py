"""What the streams of a batch share in a process, on SQLite and PostgreSQL."""

import asyncio
import random
import threading
from contextlib import ExitStack

import pytest
from sqlalchemy import Engine

from app.batches import following, latest_news
from app.batches.batch import Batch, BatchState
from app.batches.following import Follower, News, Position, Status, from_now
from app.batches.latest_news import LatestNews, Reader
from app.database.engine import current_time
from app.jobs.notifier import JobNotifier
from app.jobs.states import State
from tests.support.batches import add_batch, add_jobs, refuse, set_batch, set_jobs
from tests.support.coroutines import run_in_thread
from tests.support.statements import statements

Lines = list[tuple[int, str]]


async def read(reader: Reader) -> tuple[Lines, Status]:
    """What is new, to the last page."""
    lines: Lines = []
    while True:
        news = await reader.news()
        lines += [(told.entry.line, told.entry.state) for told in news.entries]
        if news.status is not None:
            return lines, news.status


async def wake_and_read(
    notifier: JobNotifier, batch: Batch, readers: list[Reader]
) -> list[tuple[Lines, Status]]:
    """What is new to readers after a wake-up."""
    notifier.wake(batch.id)
    await asyncio.gather(*(reader.wait() for reader in readers))
    return await asyncio.gather(*(read(reader) for reader in readers))


def test_a_change_costs_as_many_queries_for_many_streams_as_for_one(engine: Engine) -> None:
    async def cost(streams: int) -> int:
        batch = add_batch(engine, 3)
        ids = add_jobs(engine, batch, [1, 2, 3])
        notifier = JobNotifier(engine)
        latest = LatestNews(engine, notifier)
        with ExitStack() as stack:
            readers = [stack.enter_context(latest.follow(batch, Position())) for _ in range(streams)]
            for reader in readers:
                assert (await read(reader))[0] == []
            set_jobs(engine, ids[:1], State.RUNNING)
            await wake_and_read(notifier, batch, readers)
            set_jobs(engine, ids[:1], State.SUCCEEDED)
            with statements(engine) as sent:
                found = await wake_and_read(notifier, batch, readers)
        assert all(lines == [(1, "succeeded")] for lines, _ in found)
        assert all(status.counts.succeeded == 1 for _, status in found)
        assert not latest._feeds and not notifier._waiting
        return len(sent)

    assert run_in_thread(cost(12)) == run_in_thread(cost(1)) > 0


def test_a_lost_wake_up_costs_one_read_for_all(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = 0
    news = Follower.news

    def counted(follower: Follower) -> News:
        nonlocal reads
        reads += 1
        return news(follower)

    async def run() -> None:
        nonlocal reads
        batch = add_batch(engine, 1)
        (job_id,) = add_jobs(engine, batch, [1])
        latest = LatestNews(engine, JobNotifier(engine))
        with ExitStack() as stack:
            readers = [stack.enter_context(latest.follow(batch, Position())) for _ in range(8)]
            for reader in readers:
                await read(reader)
            reads = 0
            set_jobs(engine, [job_id], State.RUNNING)
            await asyncio.gather(*(reader.wait() for reader in readers))
            found = await asyncio.gather(*(read(reader) for reader in readers))
            assert [lines for lines, _ in found] == [[(1, "running")]] * 8

    monkeypatch.setattr(Follower, "news", counted)
    run_in_thread(run())
    assert reads == 1


def test_streams_from_different_positions_get_what_is_behind_theirs(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One from the beginning, one from the midst, one from now, and one that was slow."""
    monkeypatch.setattr(following, "PAGE", 3)
    monkeypatch.setattr(latest_news, "KEPT", 6)
    monkeypatch.setattr(latest_news, "GAP_SECONDS", 0.01)

    async def run() -> None:
        batch = add_batch(engine, 40)
        ids = add_jobs(engine, batch, range(1, 41))
        start = current_time(engine) - 1000
        for number, job_id in enumerate(ids[:10]):
            set_jobs(engine, [job_id], State.SUCCEEDED, finished_at=start + 10 * number)
        notifier = JobNotifier(engine)
        latest = LatestNews(engine, notifier)
        with (
            latest.follow(batch, Position()) as whole,
            latest.follow(batch, Position(start + 45)) as midway,
            latest.follow(batch, from_now(engine, batch)) as now,
            latest.follow(batch, Position()) as slow,
        ):
            told = [(await read(reader))[0] for reader in (whole, midway, now, slow)]
            assert told[0] == told[3] == [(line, "succeeded") for line in range(1, 11)]
            assert told[1] == told[0][4:] and told[2] == []
            for job_id in ids[10:30]:
                set_jobs(engine, [job_id], State.FAILED)
                for lines, _ in await wake_and_read(notifier, batch, [whole, midway, now]):
                    assert lines == [(ids.index(job_id) + 1, "failed")]
            assert (await read(slow))[0] == [(line, "failed") for line in range(11, 31)]
            # From there on it is with the others again.
            set_jobs(engine, ids[30:], State.CANCELLED)
            set_batch(engine, batch.id, state=BatchState.FAILED, finished_at=current_time(engine))
            for lines, status in await wake_and_read(notifier, batch, [whole, midway, now, slow]):
                assert sorted(lines) == [(line, "cancelled") for line in range(31, 41)]
                assert status.batch.ended and status.counts.cancelled == 10
            # Whoever comes back misses nothing, although others read that.
            with latest.follow(batch, slow.position) as again:
                assert {line for line, _ in (await read(again))[0]} >= set(range(31, 41))

    run_in_thread(run())


def test_a_stream_that_is_cancelled_in_the_midst_of_a_read_takes_nothing_from_others(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, go_on = threading.Event(), threading.Event()
    news = Follower.news

    def paused(follower: Follower) -> News:
        found = news(follower)
        reading.set()
        go_on.wait(30)
        return found

    async def run() -> None:
        batch = add_batch(engine, 1)
        (job_id,) = add_jobs(engine, batch, [1])
        notifier = JobNotifier(engine)
        latest = LatestNews(engine, notifier)
        with latest.follow(batch, Position()) as first, latest.follow(batch, Position()) as second:
            await read(first)
            await read(second)
            set_jobs(engine, [job_id], State.SUCCEEDED)
            notifier.wake(batch.id)
            await asyncio.gather(first.wait(), second.wait())
            monkeypatch.setattr(Follower, "news", paused)
            cancelled = asyncio.create_task(read(first))
            assert await asyncio.to_thread(reading.wait, 30)
            monkeypatch.setattr(Follower, "news", news)
            cancelled.cancel()
            with pytest.raises(asyncio.CancelledError):
                await cancelled
            assert (await read(second))[0] == [(1, "succeeded")]
            go_on.set()
        assert not latest._feeds and not notifier._waiting

    run_in_thread(run())


@pytest.mark.medium
@pytest.mark.parametrize("seed", range(3))
def test_streams_that_come_go_and_are_slow_tell_each_state_once_and_in_order(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(following, "PAGE", 3)
    monkeypatch.setattr(latest_news, "KEPT", 6)
    monkeypatch.setattr(latest_news, "GAP_SECONDS", 0.01)
    monkeypatch.setattr(latest_news, "POLL_SECONDS", 0.1)
    chance = random.Random(seed)
    entries = 30

    async def change(batch: Batch, notifier: JobNotifier) -> None:
        ids = await asyncio.to_thread(add_jobs, engine, batch, range(1, entries + 1))
        refuse(engine, batch, range(entries + 1, entries + 4))
        for place, job_id in enumerate(ids):
            await asyncio.to_thread(set_jobs, engine, [job_id], State.RUNNING)
            if chance.random() < 0.5:
                notifier.wake(batch.id)
            await asyncio.sleep(chance.uniform(0, 0.03))
            if place >= 2:
                await asyncio.to_thread(set_jobs, engine, [ids[place - 2]], State.SUCCEEDED)
        await asyncio.to_thread(set_jobs, engine, ids[-2:], State.FAILED)
        set_batch(engine, batch.id, state=BatchState.FAILED, finished_at=current_time(engine))

    async def stream(latest: LatestNews, batch: Batch, pause: float) -> Lines:
        lines: Lines = []
        with latest.follow(batch, Position()) as reader:
            while True:
                new, status = await read(reader)
                lines += new
                if status.batch.ended:
                    return lines
                await asyncio.sleep(pause)
                await reader.wait()

    async def run() -> None:
        batch = add_batch(engine, entries + 3)
        notifier = JobNotifier(engine)
        latest = LatestNews(engine, notifier)
        changing = asyncio.create_task(change(batch, notifier))
        streams, cancelled = [], []
        for _ in range(10):
            pause = chance.choice([0, 0.05, 0.5])
            streams.append(asyncio.create_task(stream(latest, batch, pause)))
            cancelled.append(asyncio.create_task(stream(latest, batch, 0)))
            await asyncio.sleep(chance.uniform(0, 0.1))
            chance.choice(cancelled).cancel()
        for each in cancelled:
            each.cancel()
        await asyncio.gather(*cancelled, return_exceptions=True)
        await changing
        ends = {line: "succeeded" for line in range(1, entries - 1)}
        ends |= {line: "failed" for line in range(entries - 1, entries + 4)}
        for lines in await asyncio.gather(*streams):
            # No start comes after the end.
            assert len(set(lines)) == len(lines) and dict(lines) == ends
        assert not latest._feeds and not notifier._waiting

    run_in_thread(run())
