"""Pictures and jobs in a context of a test's own."""

import threading

from app.database.ids import new_id
from app.images.repository import add_image, image_key
from app.jobs import repository
from app.jobs.job import Job
from worker.runtime import run_job as runner
from worker.runtime.context import WorkerContext


def add_picture(context: WorkerContext, data: bytes) -> str:
    """Store a file as a picture without looking at it, and give its id."""
    image_id = new_id()
    stored = context.storage.put(image_key(image_id), data)
    add_image(
        context.engine,
        image_id=image_id,
        name=None,
        media_type="image/png",
        size=stored.bytes,
        sha256=stored.sha256,
        width=1,
        height=1,
    )
    return image_id


def run(context: WorkerContext, stop: threading.Event | None = None) -> Job:
    """Run the next job, to its end or until ``stop``, and give the newest."""
    assert runner.run_next(context, ["long"], stop or threading.Event())
    return repository.list_jobs(context.engine, limit=1)[0]
