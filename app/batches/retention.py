"""Deletes what is old, as the settings say: jobs, batches, and uploads that nothing needs."""

import logging
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Engine

from app.batches import deletion
from app.batches.service import BatchService
from app.batches.unread import UnreadLines
from app.jobs.retention import DAY_SECONDS, delete_all, delete_each, old_jobs
from app.jobs.uploads import old_uploads, remove_image

log = logging.getLogger(__name__)

# What is deleted in one step, so that whoever takes the steps has time for other things.
STEP = 100


def delete_old(service: BatchService) -> Iterator[int]:
    """The steps of a pass: jobs and batches first, since uploads are not needed without them.

    ``service`` deletes them, by the settings that it has. What lines of batches name that are no jobs yet
    stays, and everything while such lines cannot be read.
    """
    engine, settings = service.engine, service.settings
    unread = UnreadLines(engine, service.storage)

    def delete_upload(image_id: str) -> None:
        remove_image(engine, service.storage, image_id, if_unused=True, keep=unread.keep)

    if settings.keep_days is not None:
        days = settings.keep_days
        yield from _delete(unread, old_jobs, days, lambda each: service.jobs.delete(each, unread.keep))
        yield from _delete(
            unread, deletion.ended_before, days, lambda each: service.delete(each, unread.keep)
        )
    if settings.keep_uploads_days is not None:
        yield from _delete_uploads(unread, settings.keep_uploads_days, delete_upload)


def _delete(
    unread: UnreadLines,
    old: Callable[[Engine, float, int, int], Sequence[str]],
    days: float,
    delete: Callable[[str], None],
) -> Iterator[int]:
    def pages(skip: int) -> Sequence[str]:
        return old(unread.engine, days * DAY_SECONDS, skip, STEP) if _is_readable(unread) else []

    yield from delete_all(pages, delete)


def _delete_uploads(unread: UnreadLines, days: float, delete: Callable[[str], None]) -> Iterator[int]:
    # Behind those that were looked at: the ones in use stay, and may be millions.
    after: str | None = ""
    while after is not None and _is_readable(unread):
        found, after = old_uploads(unread.engine, days * DAY_SECONDS, after, STEP)
        yield delete_each(found, delete)


def _is_readable(unread: UnreadLines) -> bool:
    """Whether it is known what lines name that are no jobs yet."""
    try:
        unread.find()
    except OSError as error:
        log.warning("nothing is deleted for its age: the lines of a batch cannot be read: %s", error)
        return False
    return True
