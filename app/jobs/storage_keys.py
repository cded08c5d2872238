"""The storage keys of the files of a job, and their deletion when it ends."""

import re
from collections.abc import Sequence

from app.jobs.job import Artifact
from app.networks.repository import network_folder, network_of_job
from app.storage import Storage

_CHECKPOINT = re.compile(r"/[0-9]+-([0-9]+)\.safetensors$")


def job_folder(job_id: str) -> str:
    """The prefix of all files of a job."""
    return f"jobs/{job_id}"


def attempt_folder(job_id: str, attempt: int) -> str:
    """The prefix of what one attempt made: its own, so that one that lost its claim overwrites nothing."""
    return f"{job_folder(job_id)}/{attempt}"


def work_folder(job_id: str) -> str:
    """The prefix of what a job needs only until it ends: checkpoints and previews."""
    return f"{job_folder(job_id)}/work"


def is_work_file(key: str) -> bool:
    """Whether a key is one of what a job needs only until it ends."""
    return "/work/" in key


def checkpoint_key(job_id: str, attempt: int, done: int) -> str:
    """The key of the checkpoint that an attempt saved after ``done`` steps."""
    # The attempt is part of the key, as an attempt that lost its claim may still be running.
    return f"{work_folder(job_id)}/{attempt}-{done}.safetensors"


def checkpoints_of(storage: Storage, job_id: str) -> dict[str, int]:
    """The keys of a job's checkpoints that are there, and the steps done in each, the most first."""
    found = {
        key: int(match[1])
        for key in storage.list_keys(work_folder(job_id))
        if (match := _CHECKPOINT.search(key)) is not None
    }
    return dict(sorted(found.items(), key=lambda item: item[1], reverse=True))


def delete_job_files(storage: Storage, job_id: str, kept: Sequence[Artifact] = ()) -> None:
    """Delete the files of a job that has ended, except those of the artifacts to keep."""
    storage.delete_prefix(job_folder(job_id), keep=[artifact.key for artifact in kept])


def discard_job_files(storage: Storage, job_id: str) -> None:
    """Delete all files of a job that ended without success, and of a network that it was about to make."""
    delete_job_files(storage, job_id)
    storage.delete_prefix(network_folder(network_of_job(job_id)))
