"""Requests for jobs' states that are read together."""

import asyncio
import threading
from pathlib import Path

import pytest
from sqlalchemy import Engine, event

from app.database.engine import UNAVAILABLE, make_engine
from app.database.migrations import upgrade
from app.jobs import claims, repository
from app.jobs.errors import UnknownJob
from app.jobs.job import Artifact
from app.jobs.joint_reads import TOGETHER, JointReads
from app.jobs.repository import NewJob
from app.jobs.states import State
from tests.support.statements import statements

UNKNOWN = "0198c0de-0000-7000-8000-000000000000"


def queue(engine: Engine) -> str:
    return repository.create_job(engine, NewJob(kind="architecture", lane="short", params={}))[0].id


def test_many_at_once_are_two_reads(database: Engine) -> None:
    ids = [queue(database) for _ in range(12)]

    async def ask() -> list[str]:
        reads = JointReads(database)
        first = asyncio.create_task(reads.get(ids[0]))
        await asyncio.sleep(0)
        return [job.id for job, _ in await asyncio.gather(first, *[reads.get(each) for each in ids * 3])]

    with statements(database) as sent:
        assert asyncio.run(ask()) == [ids[0], *ids * 3]
    assert len([each for each in sent if "FROM jobs" in each]) == 2


def test_more_than_one_read_takes_are_all_answered(database: Engine) -> None:
    job_id = queue(database)

    async def ask() -> int:
        reads = JointReads(database)
        return len(await asyncio.gather(*[reads.get(job_id) for _ in range(3 * TOGETHER + 1)]))

    assert asyncio.run(ask()) == 3 * TOGETHER + 1


def test_an_answer_is_never_older_than_its_question(database: Engine) -> None:
    """Also one that is asked for while an older state is being read."""
    job_id = queue(database)
    has_read, go_on = threading.Event(), threading.Event()

    def hold(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "FROM jobs" in statement and not has_read.is_set():
            has_read.set()
            assert go_on.wait(30)

    async def ask() -> list[State]:
        reads = JointReads(database)
        early = asyncio.create_task(reads.get(job_id))
        await asyncio.to_thread(has_read.wait, 30)
        await asyncio.to_thread(repository.request_cancel, database, job_id)
        late = asyncio.create_task(reads.get(job_id))
        await asyncio.sleep(0)
        go_on.set()
        return [job.state for job, _ in await asyncio.gather(early, late)]

    event.listen(database, "after_cursor_execute", hold)
    assert asyncio.run(ask()) == [State.QUEUED, State.CANCELLED]


def test_each_gets_the_artifacts_of_its_own_job(database: Engine) -> None:
    with_files, without = queue(database), queue(database)
    claim = claims.claim_next(database, "w", ["short"], 30)
    assert claim is not None and claim.job.id == with_files
    claims.save_preview(database, claim, Artifact(with_files, "preview", "k", "image/jpeg", 1, "ab"))

    async def ask() -> list[list[str]]:
        reads = JointReads(database)
        found = await asyncio.gather(reads.get(with_files), reads.get(without), reads.get(with_files))
        return [[artifact.name for artifact in made] for _, made in found]

    assert asyncio.run(ask()) == [["preview"], [], ["preview"]]


def test_one_that_is_unknown_or_given_up_does_not_disturb_the_others(database: Engine) -> None:
    job_id = queue(database)

    async def ask() -> None:
        reads = JointReads(database)
        first = asyncio.create_task(reads.get(job_id))
        await asyncio.sleep(0)
        given_up = asyncio.create_task(reads.get(job_id))
        unknown = asyncio.create_task(reads.get(UNKNOWN))
        last = asyncio.create_task(reads.get(job_id))
        await asyncio.sleep(0)
        given_up.cancel()
        assert (await first)[0].id == (await last)[0].id == job_id
        with pytest.raises(UnknownJob):
            await unknown
        assert (await reads.get(job_id))[0].id == job_id

    asyncio.run(ask())


def test_a_database_that_is_away_is_told_to_all_and_asked_again(tmp_path: Path, database: Engine) -> None:
    file = tmp_path / "gone" / "impasto.db"
    away = make_engine(f"sqlite:///{file}")
    file.parent.rmdir()
    job_id = queue(database)

    async def ask() -> None:
        reads = JointReads(away)
        for answer in await asyncio.gather(*[reads.get(job_id) for _ in range(5)], return_exceptions=True):
            assert isinstance(answer, UNAVAILABLE)
        file.parent.mkdir()
        await asyncio.to_thread(upgrade, f"sqlite:///{file}")
        with pytest.raises(UnknownJob):
            await reads.get(job_id)

    asyncio.run(ask())
