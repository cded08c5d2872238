"""Removes jobs with all they made: when a person says so, or when they are old."""

import logging

from sqlalchemy import Engine

from app.jobs.errors import JobInUse
from app.jobs.repository import delete_job, ended_before, jobs_in_need_of, list_artifacts
from app.jobs.storage_keys import sweep
from app.storage import Storage

log = logging.getLogger(__name__)

# Jobs removed in one go for their age, so that the reaper has time for other things.
SWEEP = 100


def remove_job(engine: Engine, storage: Storage, job_id: str) -> None:
    """Remove an ended job, rows first. Raises UnknownJob, JobNotEnded, JobInUse."""
    users = [
        user
        for artifact in list_artifacts(engine, [job_id])[job_id]
        for user in jobs_in_need_of(engine, f"{job_id}/{artifact.name}")
    ]
    if users:
        raise JobInUse(users)
    delete_job(engine, job_id)
    sweep(storage, job_id)


def remove_old_jobs(engine: Engine, storage: Storage, days: float) -> int:
    """Remove jobs that ended more than some days ago, unless others need them. Returns how many."""
    removed = 0
    for job_id in ended_before(engine, days * 86_400, SWEEP):
        try:
            remove_job(engine, storage, job_id)
            removed += 1
        except JobInUse as error:
            log.info("old job %s is kept: %s", job_id, error.detail)
    return removed
