"""The storage keys of the files of a job, and their deletion when it ends."""

from collections.abc import Sequence

from app.jobs.job import Artifact
from app.networks.repository import network_folder, network_of_job
from app.storage import Storage


def job_folder(job_id: str) -> str:
    """The prefix of all files of a job."""
    return f"jobs/{job_id}"


def attempt_folder(job_id: str, attempt: int) -> str:
    """The prefix of what one attempt made: its own, so that one that lost its claim overwrites nothing."""
    return f"{job_folder(job_id)}/{attempt}"


def work_folder(job_id: str) -> str:
    """The prefix of what a job needs only until it ends: checkpoints and previews."""
    return f"{job_folder(job_id)}/work"


def delete_job_files(storage: Storage, job_id: str, kept: Sequence[Artifact] = ()) -> None:
    """Delete the files of a job that has ended, except those of the artifacts to keep."""
    storage.delete_prefix(job_folder(job_id), keep=[artifact.key for artifact in kept])


def discard_job_files(storage: Storage, job_id: str) -> None:
    """Delete all files of a job that ended without success, and of a network that it was about to make."""
    delete_job_files(storage, job_id)
    storage.delete_prefix(network_folder(network_of_job(job_id)))
