"""What streams of one process share of the latest events."""

import asyncio

from sqlalchemy import Engine, insert

from app.database.engine import write
from app.jobs import repository
from app.jobs.latest_events import KEPT, LatestEvents
from app.jobs.repository import NewJob
from app.jobs.tables import job_events


def queue(engine: Engine) -> str:
    return repository.create_job(engine, NewJob(kind="architecture", lane="short", params={}))[0].id


def add(engine: Engine, latest: LatestEvents, job_id: str, first: int, count: int) -> None:
    rows = [
        {"job_id": job_id, "seq": seq, "type": "progress", "data": {}, "created_at": 0.0}
        for seq in range(first, first + count)
    ]
    with write(engine) as connection:
        connection.execute(insert(job_events), rows)
    latest.note(job_id)


async def next_seq(latest: LatestEvents, job_id: str, seen: int) -> int:
    return (await latest.after({job_id: seen}))[0].seq


def test_a_stream_misses_nothing_that_a_read_pushes_out(database: Engine) -> None:
    async def follow() -> None:
        latest, job_id = LatestEvents(database), queue(database)
        with latest.follow({job_id: 1}):
            add(database, latest, job_id, 2, KEPT)
            assert await next_seq(latest, job_id, 1) == 2
            # A slow one has seen none of the hundred yet, when the next one comes.
            add(database, latest, job_id, 2 + KEPT, 1)
            assert await next_seq(latest, job_id, 1) == 2
            # As after a pause of this process: more than are kept in one go.
            add(database, latest, job_id, 3 + KEPT, 3 * KEPT)
            assert await next_seq(latest, job_id, 2 + KEPT) == 3 + KEPT

    asyncio.run(follow())
