"""Reads of jobs' states: those asked for while one is under way are read together, in one after it."""

import asyncio

from sqlalchemy import Engine
from starlette.concurrency import run_in_threadpool

from app.jobs.errors import UnknownJob
from app.jobs.job import Artifact, Job
from app.jobs.repository import find_jobs_with_artifacts

# Jobs of one read.
TOGETHER = 100

Found = tuple[Job, list[Artifact]]


class JointReads:
    """What requests for a job's state are answered from.

    The state of a job is the most frequent request by far. Each read by itself, in a thread of its own, many
    take turns at the interpreter, and cost three times as much.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._asked: list[tuple[str, asyncio.Future[Found]]] = []
        self._reading: asyncio.Task[None] | None = None

    async def get(self, job_id: str) -> Found:
        """A job with its artifacts by name, as they are after this call. Raises UnknownJob, UNAVAILABLE."""
        answer: asyncio.Future[Found] = asyncio.get_running_loop().create_future()
        self._asked.append((job_id, answer))
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        return await answer

    async def _read(self) -> None:
        try:
            while self._asked:
                asked, self._asked = self._asked[:TOGETHER], self._asked[TOGETHER:]
                # A client that went away has cancelled its own.
                asked = [(job_id, answer) for job_id, answer in asked if not answer.done()]
                await self._answer(asked)
        finally:
            self._reading = None

    async def _answer(self, asked: list[tuple[str, asyncio.Future[Found]]]) -> None:
        job_ids = list(dict.fromkeys(job_id for job_id, _ in asked))
        found: dict[str, Found] = {}
        failure: Exception | None = None
        try:
            found = await run_in_threadpool(find_jobs_with_artifacts, self._engine, job_ids)
        except Exception as error:
            failure = error
        for job_id, answer in asked:
            if answer.done():
                continue
            if failure is None and job_id in found:
                answer.set_result(found[job_id])
            else:
                answer.set_exception(failure or UnknownJob(job_id))
