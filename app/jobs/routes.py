"""Routes of jobs: create, list, get, control and delete them, and fetch their files."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool
from starlette.concurrency import run_in_threadpool

from app.batches.errors import EntryRetried, JobOfBatch, UnknownBatch
from app.database.ids import ID_PATTERN
from app.database.keys import KeyReused
from app.http.bodies import JSON_ERRORS, Body, LimitedRoute
from app.http.errors import DatabaseUnavailable, InvalidRequest
from app.http.file_responses import FILE_ANSWERS, FILE_ERRORS
from app.http.idempotency import IdempotencyKey
from app.http.ids import ID_SCHEMA, Cursor, require_id
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import Services, ServicesDep
from app.http.timestamps import Moment
from app.http.waiting import view_made, view_made_in_thread, wait_for_end
from app.images.errors import NoThumbnail
from app.images.thumbnails import SideQuery, Stored, send_stored
from app.jobs import repository
from app.jobs.errors import (
    CannotFinish,
    InvalidParam,
    JobEnded,
    JobInUse,
    JobNotEnded,
    ParamsError,
    UnknownArtifact,
    UnknownJob,
)
from app.jobs.job import Job
from app.jobs.request_headers import JobHeaders, JobHeadersDep
from app.jobs.schemas import JobPage, JobView
from app.jobs.states import TERMINAL, State
from app.storage import StorageFull

router = APIRouter(prefix="/v1/jobs", tags=["jobs"], route_class=LimitedRoute)

JobId = Annotated[
    str, Path(description="Id of a job.", json_schema_extra=ID_SCHEMA), AfterValidator(require_id(UnknownJob))
]
ArtifactName = Annotated[
    str,
    Path(description="Name of a file.", json_schema_extra={"pattern": "^[A-Za-z0-9._-]{1,64}$"}),
]
# What a request for a job may raise, whatever its body.
SUBMISSION_ERRORS = (ParamsError, InvalidParam, KeyReused, InvalidRequest, StorageFull, DatabaseUnavailable)
REPRODUCIBLE = "Never computed together with other jobs."
ENDED_IN_TIME: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {
        "model": JobView,
        "description": "The job ended within the time that the request waits.",
    }
}


class NewJobBody(BaseModel):
    """A job of any kind."""

    model_config = ConfigDict(extra="forbid")

    kind: str = Field(examples=["class_visualization"])
    params: dict[str, Any] = Field(examples=[{"target": "butterfly", "size": 96}])
    reproducible: StrictBool = Field(False, description=REPRODUCIBLE)


async def create_and_answer(
    services: Services,
    kind: str,
    body: Body,
    headers: JobHeaders,
    response: Response,
    default_wait_seconds: float = 0.0,
    reproducible: bool = False,
) -> JobView:
    """Queue a job, and wait for its end if that is preferred. Status 200 if it has ended, 202 if not."""
    job = await run_in_threadpool(
        services.jobs.create,
        kind,
        body.params,
        body.files,
        idempotency_key=headers.idempotency_key,
        priority=headers.priority,
        reproducible=reproducible,
    )
    # They are stored, and a request may wait for long.
    await body.close_files()
    response.headers["Location"] = url_of(f"/v1/jobs/{job.id}")
    seconds = default_wait_seconds if headers.wait_seconds is None else headers.wait_seconds
    return await wait_and_view(services, job, seconds, response)


async def wait_and_view(services: Services, job: Job, seconds: float | None, response: Response) -> JobView:
    """A job that a request has made, once it has ended or some seconds later. Status 200 if it has ended."""
    await wait_for_end(services, job.id, seconds, response)
    view = await view_made_in_thread(lambda: _find_view(services, job.id), lambda: JobView.of(job, []))
    response.status_code = HTTPStatus.OK if view.state in TERMINAL else HTTPStatus.ACCEPTED
    return view


def _find_view(services: Services, job_id: str) -> JobView:
    return JobView.of(*repository.get_job_with_artifacts(services.engine, job_id))


def _view(services: Services, job: Job) -> JobView:
    return JobView.of(job, repository.list_artifacts(services.engine, [job.id])[job.id])


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        **documented(*JSON_ERRORS, *SUBMISSION_ERRORS),
        **ENDED_IN_TIME,
    },
)
async def create_job(
    services: ServicesDep, new: NewJobBody, headers: JobHeadersDep, response: Response
) -> JobView:
    """Queue a job of any kind."""
    return await create_and_answer(
        services, new.kind, Body(new.params), headers, response, reproducible=new.reproducible
    )


@router.get("", responses=documented(InvalidRequest))
def list_jobs(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs a page.")] = 20,
    cursor: Cursor = None,
    kind: Annotated[
        list[Annotated[str, Field(pattern="^[a-z0-9_]{1,64}$")]] | None,
        Query(description="Only jobs of these kinds."),
    ] = None,
    state: Annotated[list[State] | None, Query(description="Only jobs in these states.")] = None,
    created_after: Annotated[Moment | None, Query(description="Only jobs made then or later.")] = None,
    created_before: Annotated[Moment | None, Query(description="Only jobs made earlier.")] = None,
    batch: Annotated[
        str | None,
        Query(
            pattern=f"^({ID_PATTERN}|{repository.NO_BATCH})$",
            description="Only jobs of the batch of this id; `none`: only those of no batch.",
        ),
    ] = None,
) -> JobPage:
    """Jobs from the newest on."""
    found = repository.list_jobs(
        services.engine,
        limit=limit + 1,
        before=cursor,
        kinds=kind or (),
        states=state or (),
        created_after=created_after.timestamp() if created_after else None,
        created_before=created_before.timestamp() if created_before else None,
        batch=batch,
    )
    shown = found[:limit]
    artifacts = repository.list_artifacts(services.engine, [job.id for job in shown])
    return JobPage(
        items=[JobView.of(job, artifacts[job.id]) for job in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{job_id}", responses=documented(UnknownJob))
async def get_job(services: ServicesDep, job_id: JobId) -> JobView:
    """The present state of a job."""
    return JobView.of(*await services.job_reads.get(job_id))


@router.post("/{job_id}/cancel", responses=documented(UnknownJob, InvalidRequest, KeyReused))
def cancel_job(services: ServicesDep, job_id: JobId, idempotency_key: IdempotencyKey = None) -> JobView:
    """Cancel a job: a queued one at once, a running one at its next step. An ended one stays as it is."""
    return _view(services, services.jobs.once(services.jobs.cancel, "cancel", job_id, idempotency_key))


@router.post("/{job_id}/finish", responses=documented(UnknownJob, CannotFinish, InvalidRequest, KeyReused))
def finish_job(services: ServicesDep, job_id: JobId, idempotency_key: IdempotencyKey = None) -> JobView:
    """End a job, such as a training, early, and keep the best that it has. A paused one goes on to do so."""
    return _view(services, services.jobs.once(services.jobs.finish, "finish", job_id, idempotency_key))


@router.post("/{job_id}/pause", responses=documented(UnknownJob, JobEnded, InvalidRequest, KeyReused))
def pause_job(services: ServicesDep, job_id: JobId, idempotency_key: IdempotencyKey = None) -> JobView:
    """Pause a job: no worker takes it, and a running one goes back to the queue with a checkpoint."""
    return _view(services, services.jobs.once(services.jobs.pause, "pause", job_id, idempotency_key))


@router.post("/{job_id}/resume", responses=documented(UnknownJob, JobEnded, InvalidRequest, KeyReused))
def resume_job(services: ServicesDep, job_id: JobId, idempotency_key: IdempotencyKey = None) -> JobView:
    """Let a paused job go on."""
    return _view(services, services.jobs.once(services.jobs.resume, "resume", job_id, idempotency_key))


@router.post(
    "/{job_id}/retry",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(
        UnknownJob,
        JobNotEnded,
        EntryRetried,
        UnknownBatch,
        ParamsError,
        InvalidRequest,
        KeyReused,
        StorageFull,
    ),
)
def retry_job(
    services: ServicesDep, job_id: JobId, response: Response, idempotency_key: IdempotencyKey = None
) -> JobView:
    """A new job with the params of one that has ended, which it names in `retry_of`.

    That of an entry of a batch takes its place there.
    """
    job = services.batches.retry_job(job_id, idempotency_key)
    response.headers["Location"] = url_of(f"/v1/jobs/{job.id}")
    return view_made(lambda: _view(services, job), lambda: JobView.of(job, []))


@router.delete(
    "/{job_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownJob, JobNotEnded, JobInUse, JobOfBatch),
)
def delete_job(services: ServicesDep, job_id: JobId) -> None:
    """Delete a job that has ended, with all it made, unless a waiting job needs its pictures.

    A job of a batch is deleted with the batch.
    """
    services.batches.delete_job(job_id)


@router.get(
    "/{job_id}/artifacts/{name}",
    response_class=Response,
    responses={
        **documented(UnknownJob, UnknownArtifact, *FILE_ERRORS, NoThumbnail, InvalidRequest),
        **FILE_ANSWERS,
        200: {**FILE_ANSWERS[200], "content": {**FILE_ANSWERS[200]["content"], "application/json": {}}},
    },
)
@router.head("/{job_id}/artifacts/{name}", include_in_schema=False)
async def get_artifact(
    services: ServicesDep, request: Request, job_id: JobId, name: ArtifactName, side: SideQuery = None
) -> Response:
    """A file that a job made, such as `image`, `video` or `recipe`, and `preview` while it runs."""

    def find() -> Stored:
        artifact = services.jobs.get_artifact(job_id, name)
        return Stored(artifact.key, artifact.media_type, artifact.sha256)

    return await send_stored(services.storage, find, side, request)
