"""Deletes what is old, as the settings say: jobs, batches, and uploads that nothing needs."""

from collections.abc import Iterator

from sqlalchemy import Engine, select

from app.batches import deletion
from app.batches.batch import BatchState
from app.batches.service import BatchService
from app.batches.tables import batches
from app.database.engine import read
from app.jobs.retention import DAY_SECONDS, delete_all, old_jobs
from app.jobs.uploads import old_uploads, remove_image

# What is deleted in one step, so that whoever takes the steps has time for other things.
STEP = 100


def delete_old(service: BatchService) -> Iterator[int]:
    """The steps of a pass: jobs and batches first, since uploads are not needed without them.

    ``service`` deletes them, by the settings that it has.
    """
    engine, days = service.engine, service.settings.keep_days
    if days is not None:
        old = days * DAY_SECONDS
        yield from delete_all(lambda after: old_jobs(engine, old, after, STEP), service.jobs.delete)
        yield from delete_all(lambda after: deletion.ended_before(engine, old, after, STEP), service.delete)
    days = service.settings.keep_uploads_days
    if days is not None and not _is_reading_lines(engine):
        old = days * DAY_SECONDS
        yield from delete_all(
            lambda after: old_uploads(engine, old, after, STEP),
            lambda image_id: remove_image(engine, service.storage, image_id, if_unused=True),
        )


def _is_reading_lines(engine: Engine) -> bool:
    """Whether a batch has lines that are no jobs yet, and may name any upload."""
    has_unread = (batches.c.state == BatchState.RUNNING, batches.c.next_line <= batches.c.lines)
    with read(engine) as connection:
        return connection.execute(select(batches.c.id).where(*has_unread).limit(1)).first() is not None
