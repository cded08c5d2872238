"""Requests for jobs that go on where another one ended: what they leave out is as it was there."""

from typing import Any

from sqlalchemy import Engine

from app.database.ids import is_id
from app.errors import InputError
from app.images.repository import find_images
from app.jobs.errors import InvalidParam, ParamsError, UnknownJob
from app.jobs.job import Job
from app.jobs.repository import get_job_with_artifacts
from app.jobs.states import State
from app.kinds import KINDS
from app.networks.catalogue import Catalogue

# The artifacts that a job can go on from, the better one first.
STATE, IMAGE = "state", "image"


def with_continued(
    engine: Engine,
    catalogue: Catalogue,
    kind: str,
    params: dict[str, Any],
    files: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Params of a request, with those of the job that they continue where they leave them out.

    The job is then named with the artifact to go on from: its state if it was kept, else its picture. A null
    is kept: it takes away what that job had. Params that name a picture, or are not as they should be, stay
    as they are. ``files`` are picture params that come as files. Raises ParamsError, InvalidParam.
    """
    if kind not in KINDS:
        return params
    cls = KINDS[kind].params
    for field, mark in cls.picture_fields().items():
        reference = params.get(field)
        if not mark.states or not isinstance(reference, str):
            continue
        job_id, _, artifact = reference.partition("/")
        if not is_id(job_id):
            raise InvalidParam(field, f"{reference[:80]!r} is not the id of a job.")
        try:
            job, made = get_job_with_artifacts(engine, job_id)
        except UnknownJob:
            if artifact or not find_images(engine, {job_id}):
                raise InvalidParam(
                    field,
                    f"There is no job {job_id}: name one that is here. To go on from one that was deleted, "
                    "send the picture that it made, with what it was made from.",
                ) from None
            return params
        _require_done(job, kind, field)
        if not artifact:
            artifact = STATE if any(each.name == STATE for each in made) else IMAGE
        try:
            found = cls.continuing(present_params(job, catalogue), params, files)
        except InputError as error:
            raise ParamsError(error.errors) from None
        return {**found, field: f"{job_id}/{artifact}"}
    return params


def present_params(job: Job, catalogue: Catalogue) -> dict[str, Any]:
    """The params of a job, with the present names of networks that may have been renamed since."""
    if job.kind not in KINDS:
        return job.params
    used = dict(job.further_networks or {})
    if job.network is not None:
        used[job.network] = job.network_sha256
    return KINDS[job.kind].params.present_values(job.params, catalogue.present_names(used))


def _require_done(job: Job, kind: str, field: str) -> None:
    """Check that a job of some kind can be continued; InvalidParam."""
    if job.kind != kind:
        raise InvalidParam(
            field,
            f"Job {job.id} is of kind {job.kind}, and {kind} goes on from its own kind. To start from its "
            f"picture, name that in another param: {job.id}/{IMAGE}.",
        )
    if not job.ended:
        raise InvalidParam(field, f"Job {job.id} is {job.state}: wait until it has succeeded.")
    if job.state is not State.SUCCEEDED:
        raise InvalidParam(
            field, f"Job {job.id} ended as {job.state}: retry it, or name one that has succeeded."
        )
