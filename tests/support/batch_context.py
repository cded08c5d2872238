"""The services of batches on a database of a test's own, without HTTP and without workers."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, select, update

from app.batches.batch import Batch, Counts
from app.batches.keeper import Keeper
from app.batches.repository import get_batch
from app.batches.service import BatchService, Options
from app.batches.summary import count_entries
from app.database.engine import read, write
from app.database.ids import new_id
from app.images.repository import NewImage, add_image, image_key
from app.images.service import ImageService
from app.images.tables import images
from app.jobs.claims import Claim, claim_stack, finish
from app.jobs.dispatch.base import LocalDispatcher
from app.jobs.job import Job
from app.jobs.service import DEFAULT_PRIORITY, JobService
from app.jobs.states import State
from app.jobs.tables import jobs
from app.kinds import all_lanes
from app.media import PictureInfo
from app.settings import Settings
from app.storage import FolderStorage
from tests.support.batches import ERROR


class BatchContext:
    """The services of batches. Nothing happens in the background: :meth:`keep` does a keeper's work."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        self.engine = engine
        self.settings = Settings(data_dir=folder)
        self.storage = FolderStorage(folder / "files")
        self.dispatcher = LocalDispatcher(folder)
        pictures = ImageService(self.settings, engine, self.storage)
        self.jobs = JobService(engine, self.storage, self.dispatcher, pictures)
        self.service = BatchService(
            settings=self.settings,
            engine=engine,
            storage=self.storage,
            dispatcher=self.dispatcher,
            jobs=self.jobs,
            wake=lambda: None,
        )

    def add_image(self, *, imported: bool = False, side: int = 1) -> str:
        """A picture of one byte that is stored as it is, said to have so many pixels; returns its id."""
        image_id = new_id()
        stored = self.storage.put(image_key(image_id), b"x")
        info = PictureInfo("PNG", "image/png", side, side, has_alpha=False, orientation=1, bytes=stored.bytes)
        add_image(self.engine, NewImage(image_id, None, info, stored))
        if imported:
            with write(self.engine) as connection:
                connection.execute(update(images).where(images.c.id == image_id).values(imported=True))
        return image_id

    def create(self, count: int, *wrong: int, **options: Any) -> Batch:
        """A batch of so many small jobs, with lines that are wrong in some places, which are skipped."""
        values = {"name": "", "priority": DEFAULT_PRIORITY, "skip_wrong": bool(wrong), **options}
        lines = [
            {
                "custom_id": f"e{number}",
                "kind": "architecture",
                "params": {"network": "nowhere" if number in wrong else "palette"},
            }
            for number in range(1, count + 1)
        ]
        body = "\n".join(map(json.dumps, lines)).encode()
        return self.service.create_from_lines([body], Options(**values))

    def create_dreams(self, pictures: Sequence[str]) -> Batch:
        """A batch of one dream of each picture."""
        asked = [{"custom_id": each, "kind": "deep_dream", "params": {"image": each}} for each in pictures]
        options = Options(name="", priority=DEFAULT_PRIORITY, skip_wrong=False)
        return self.service.create_from_lines(["\n".join(map(json.dumps, asked)).encode()], options)

    def keeper(self) -> Keeper:
        """A keeper that does nothing by itself."""
        return Keeper(self.settings, self.engine, self.storage, self.dispatcher)

    def keep(self) -> None:
        """Do all that a keeper has to do now."""
        keeper = self.keeper()
        keeper.work_off()
        keeper.release()

    def claim(self, limit: int = 1) -> list[Claim]:
        """Claim the next jobs, one by one."""
        found = [claim_stack(self.engine, "w", 30.0, lanes=all_lanes(), limit=1) for _ in range(limit)]
        return [claim for claims in found for claim in claims]

    def end(self, state: State, count: int = 1) -> list[Job]:
        """Claim the next jobs, and end them in a state."""
        error = ERROR if state is State.FAILED else None
        return [finish(self.engine, claim, state, error=error) for claim in self.claim(count)]

    def entries(self, batch: Batch) -> dict[int, Job]:
        """The jobs that are entries of a batch now, by line."""
        return {job.batch_line: job for job in self.all_jobs(batch) if job.batch_line is not None}

    def all_jobs(self, batch: Batch) -> list[Job]:
        """All jobs that a batch ever had, oldest first."""
        query = select(jobs).where(jobs.c.batch_id == batch.id).order_by(jobs.c.id)
        with read(self.engine) as connection:
            return [Job.from_row(row) for row in connection.execute(query).mappings()]

    def states(self, batch: Batch) -> dict[int, str]:
        """The states of the entries that are jobs, by line."""
        return {number: job.state.value for number, job in self.entries(batch).items()}


@contextmanager
def small_chunks(monkeypatch: Any, size: int) -> Iterator[None]:
    """Keepers that work off so few lines and jobs at a time."""
    with monkeypatch.context() as patch:
        for module in ("expansion", "changes", "retrying", "deletion"):
            patch.setattr(f"app.batches.{module}.CHUNK", size)
        patch.setattr("app.batches.keeper.PAUSE_SECONDS", 0)
        yield


def counts_of(context: BatchContext, batch: Batch) -> Counts:
    """How many entries of a batch are in which state."""
    with read(context.engine) as connection:
        return count_entries(connection, [get_batch(context.engine, batch.id)])[batch.id]


def state_of(context: BatchContext, batch: Batch) -> str:
    """The state of a batch."""
    return context.service.get(batch.id).state.value
