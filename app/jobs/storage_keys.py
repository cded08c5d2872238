"""Where the files of a job lie in the storage, and which of them go when it ends."""

from collections.abc import Sequence

from app.jobs.job import Artifact
from app.storage import Storage


def job_folder(job_id: str) -> str:
    """All that a job keeps in the storage."""
    return f"jobs/{job_id}"


def attempt_folder(job_id: str, attempt: int) -> str:
    """What one attempt made. Each has its own, so that one that lost its claim overwrites nothing."""
    return f"{job_folder(job_id)}/{attempt}"


def work_folder(job_id: str) -> str:
    """What a job needs only until it ends: checkpoints and previews."""
    return f"{job_folder(job_id)}/work"


def sweep(storage: Storage, job_id: str, kept: Sequence[Artifact] = ()) -> None:
    """Remove the files of a job that has ended, but for the artifacts that it has."""
    storage.delete_prefix(job_folder(job_id), keep=[artifact.key for artifact in kept])
