"""Deletes what is old, and what nothing needs any more, in steps."""

import logging
from collections.abc import Callable, Iterator, Sequence

from sqlalchemy import Engine, exists, select

from app.database.engine import now, read
from app.errors import ServiceError
from app.jobs.states import TERMINAL
from app.jobs.tables import artifacts, job_pictures, jobs

log = logging.getLogger(__name__)

DAY_SECONDS = 86_400.0
# The next ids, past so many that stay.
Pages = Callable[[int], Sequence[str]]

_user = jobs.alias("user")
# What holds of a job that made a picture which a job needs that has not ended.
IS_NEEDED = exists().where(
    artifacts.c.job_id == jobs.c.id,
    job_pictures.c.reference == artifacts.c.job_id + "/" + artifacts.c.name,
    _user.c.id == job_pictures.c.job_id,
    _user.c.state.not_in(TERMINAL),
)


def delete_all(pages: Pages, delete: Callable[[str], None]) -> Iterator[int]:
    """Delete what pages list, a page a step; yields how many each step deleted.

    What cannot be deleted is left for the next pass.
    """
    kept = 0
    while found := pages(kept):
        deleted = delete_each(found, delete)
        kept += len(found) - deleted
        yield deleted


def delete_each(found: Sequence[str], delete: Callable[[str], None]) -> int:
    """Delete all but what is needed again by now, and what has files that resist; returns how many."""
    deleted = 0
    for each in found:
        try:
            delete(each)
            deleted += 1
        except ServiceError as error:
            log.info("%s is kept: %s", each, error.detail)
        except OSError as error:
            log.warning("%s is not deleted whole: %s", each, error)
    return deleted


def old_jobs(engine: Engine, seconds: float, skip: int, limit: int) -> Sequence[str]:
    """Ids of jobs of no batch that ended more than ``seconds`` ago and that no other needs, but the first."""
    is_old = (jobs.c.finished_at < now() - seconds, jobs.c.batch_id.is_(None))
    query = select(jobs.c.id).where(*is_old, jobs.c.state.in_(TERMINAL), ~IS_NEEDED)
    with read(engine) as connection:
        return (
            connection.execute(query.order_by(jobs.c.finished_at, jobs.c.id).offset(skip).limit(limit))
            .scalars()
            .all()
        )
