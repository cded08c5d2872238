"""Adds pictures to, and runs jobs in, the worker context of a test."""

import threading
import time
from collections.abc import Callable

from sqlalchemy import delete

from app.database.engine import write
from app.database.ids import new_id
from app.datasets.service import DatasetService
from app.datasets.uploads import zip_key
from app.images.repository import NewImage, add_image, image_key
from app.images.service import ImageService
from app.images.tables import images
from app.jobs import repository
from app.jobs.filling import submit_import
from app.jobs.job import Job
from app.jobs.service import JobService
from app.jobs.storage_keys import work_folder
from app.kinds import Params
from app.media import PictureInfo
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext


def add_picture(context: WorkerContext, data: bytes, name: str | None = None, *, frames: int = 1) -> str:
    """Store a file as a picture, of several frames as a clip, without checking it; returns its id."""
    image_id = new_id()
    stored = context.storage.put(image_key(image_id), data)
    info = PictureInfo(
        "PNG", "image/png", 1, 1, has_alpha=False, orientation=1, bytes=stored.bytes, frames=frames
    )
    add_image(context.engine, NewImage(image_id, name, info, stored))
    return image_id


def drop_image(context: WorkerContext, image_id: str) -> None:
    """Remove the row of a picture though jobs need it, as a restored database may lack it."""
    with write(context.engine) as connection:
        connection.execute(delete(images).where(images.c.id == image_id))


def job_service(context: WorkerContext) -> JobService:
    """The operations on jobs of a context."""
    images = ImageService(context.settings, context.engine, context.storage)
    return JobService(context.engine, context.storage, context.dispatcher, images)


def submit(context: WorkerContext, params: Params) -> Job:
    """Queue a job of resolved params."""
    return job_service(context).submit(params)[0]


def run(context: WorkerContext, stop: threading.Event | None = None) -> Job:
    """Run the next job, to its end or until ``stop``; returns the newest job."""
    return run_lanes(context, "long", "short", stop=stop)


def run_lanes(context: WorkerContext, *lanes: str, stop: threading.Event | None = None) -> Job:
    """Run the next job of some lanes, to its end or until ``stop``; returns the newest job."""
    assert runner.run_next(context, lanes, stop or threading.Event())
    return repository.list_jobs(context.engine, limit=1)[0]


def once_begun(context: WorkerContext, job: Job, act: Callable[[], object]) -> threading.Thread:
    """Let ``act`` happen in the middle of a job that is about to run: when its first progress is written."""

    def watch() -> None:
        until = time.monotonic() + 60
        while repository.get_job(context.engine, job.id).progress is None and time.monotonic() < until:
            time.sleep(0.02)
        act()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def queue_import(context: WorkerContext, data: bytes, name: str = "pets") -> Job:
    """A set, and the job that fills it with the pictures of a ZIP and closes it."""
    datasets = DatasetService(context.settings, context.engine, context.storage)
    job_id = new_id()
    context.storage.put(zip_key(work_folder(job_id)), data)
    return submit_import(job_service(context), datasets.begin(name), job_id, label=None, close=True)
