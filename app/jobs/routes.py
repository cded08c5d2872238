"""Jobs: submit, list, look at, cancel, and fetch what they made."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict
from starlette.concurrency import run_in_threadpool

from app.http.errors import DatabaseUnavailable, InvalidRequest, RequestTooLarge
from app.http.file_responses import FILE_ERRORS, send_file
from app.http.problems import documented
from app.http.services import Context, Here
from app.images.errors import NoThumbnail
from app.images.thumbnails import SideQuery, send_thumbnail
from app.jobs import repository
from app.jobs.errors import (
    InvalidParam,
    JobInUse,
    JobNotEnded,
    KeyReused,
    ParamsError,
    UnknownArtifact,
    UnknownJob,
)
from app.jobs.job import Job
from app.jobs.notifier import wait_for_end
from app.jobs.removal import remove_job
from app.jobs.schemas import JobPage, JobView
from app.jobs.states import TERMINAL, State
from app.jobs.storage_keys import sweep
from app.jobs.submissions import Body, IdempotencyKey, Prefer, Priority, create, priority_of, seconds_to_wait
from app.jobs.submit import resubmit

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(description="Id of a job.")]
# What a request for a job may raise, whatever its body.
SUBMISSION_ERRORS = (ParamsError, InvalidParam, KeyReused, InvalidRequest, DatabaseUnavailable)
ENDED_IN_TIME: dict[int | str, dict[str, Any]] = {
    HTTPStatus.OK.value: {"model": JobView, "description": "The job has ended: it was waited for."}
}


class NewJobBody(BaseModel):
    """A job of any kind."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    params: dict[str, Any]


def view(here: Context, job: Job) -> JobView:
    """A job as it is shown."""
    return JobView.of(job, repository.list_artifacts(here.engine, [job.id])[job.id])


def find_view(here: Context, job_id: str) -> JobView:
    """The job of an id as it is shown; UnknownJob."""
    return JobView.of(*repository.get_job_with_artifacts(here.engine, job_id))


async def create_and_answer(
    here: Context,
    kind: str,
    body: Body,
    response: Response,
    key: str | None,
    priority: str | None,
    prefer: str | None,
) -> JobView:
    """Queue a job; wait for its end if that is preferred. Answers 200 if it has ended, 202 if not."""
    job, _ = await run_in_threadpool(create, here, kind, body, key, priority_of(priority))
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    seconds = seconds_to_wait(prefer)
    if seconds:
        response.headers["Preference-Applied"] = f"wait={seconds:.0f}"
        await wait_for_end(here.changes, here.engine, job.id, seconds)
    shown = await run_in_threadpool(find_view, here, job.id)
    if shown.state in TERMINAL:
        response.status_code = HTTPStatus.OK
    return shown


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses={
        **documented(RequestTooLarge, *SUBMISSION_ERRORS),
        **ENDED_IN_TIME,
    },
)
async def create_job(
    here: Here,
    new: NewJobBody,
    response: Response,
    key: IdempotencyKey = None,
    priority: Priority = None,
    prefer: Prefer = None,
) -> JobView:
    """Queue a job of any kind."""
    body = Body(new.params)
    return await create_and_answer(here, new.kind, body, response, key, priority, prefer)


@router.get("", responses=documented(InvalidRequest))
def list_jobs(
    here: Here,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs a page.")] = 20,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    kind: Annotated[list[str] | None, Query(description="Only jobs of these kinds.")] = None,
    state: Annotated[list[State] | None, Query(description="Only jobs in these states.")] = None,
    created_after: Annotated[AwareDatetime | None, Query(description="Only jobs made then or later.")] = None,
    created_before: Annotated[AwareDatetime | None, Query(description="Only jobs made earlier.")] = None,
) -> JobPage:
    """Jobs from the newest on."""
    found = repository.list_jobs(
        here.engine,
        limit=limit + 1,
        before=cursor,
        kinds=kind or (),
        states=state or (),
        created_after=created_after.timestamp() if created_after else None,
        created_before=created_before.timestamp() if created_before else None,
    )
    shown = found[:limit]
    artifacts = repository.list_artifacts(here.engine, [job.id for job in shown])
    return JobPage(
        items=[JobView.of(job, artifacts[job.id]) for job in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{job_id}", responses=documented(UnknownJob))
async def get_job(here: Here, job_id: JobId) -> JobView:
    """A job as it stands."""
    # Asked for far more often than all else: this is one change of threads, where FastAPI makes two.
    return await run_in_threadpool(find_view, here, job_id)


@router.post("/{job_id}/cancel", responses=documented(UnknownJob))
def cancel_job(here: Here, job_id: JobId) -> JobView:
    """Cancel a job: a queued one at once, a running one at its next step. An ended one stays as it is."""
    job = repository.request_cancel(here.engine, job_id)
    if job.state is State.CANCELLED:
        sweep(here.storage, job.id)
    here.dispatcher.changed(job.id)
    return view(here, job)


@router.post("/{job_id}/pause", responses=documented(UnknownJob))
def pause_job(here: Here, job_id: JobId) -> JobView:
    """Pause a job: no worker takes it, and a running one goes back to the queue with a checkpoint."""
    job = repository.set_paused(here.engine, job_id, True)
    here.dispatcher.changed(job.id)
    return view(here, job)


@router.post("/{job_id}/resume", responses=documented(UnknownJob))
def resume_job(here: Here, job_id: JobId) -> JobView:
    """Let a paused job go on."""
    job = repository.set_paused(here.engine, job_id, False)
    here.dispatcher.changed(job.id)
    if job.state is State.QUEUED:
        here.dispatcher.hint(job)
    return view(here, job)


@router.post(
    "/{job_id}/retry",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(UnknownJob, JobNotEnded, ParamsError),
)
def retry_job(here: Here, job_id: JobId, response: Response) -> JobView:
    """A new job with the params of one that has ended, which it names in `retry_of`."""
    job = resubmit(here.engine, here.dispatcher, job_id)
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return view(here, job)


@router.delete(
    "/{job_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownJob, JobNotEnded, JobInUse),
)
def delete_job(here: Here, job_id: JobId) -> None:
    """Delete a job that has ended, with all it made, unless a waiting job needs its pictures."""
    remove_job(here.engine, here.storage, job_id)


@router.get(
    "/{job_id}/artifacts/{name}",
    response_class=Response,
    responses={
        **documented(UnknownJob, UnknownArtifact, *FILE_ERRORS, NoThumbnail, InvalidRequest),
        200: {"content": {"image/png": {}}, "description": "The file."},
    },
)
@router.head("/{job_id}/artifacts/{name}", include_in_schema=False)
def get_artifact(here: Here, request: Request, job_id: JobId, name: str, side: SideQuery = None) -> Response:
    """A file that a job made, such as `image`, `video` or `recipe`, and `preview` while it runs."""
    job = repository.get_job(here.engine, job_id)
    artifact = repository.get_artifact(here.engine, job_id, name)
    if artifact is None:
        existing = repository.list_artifacts(here.engine, [job_id])[job_id]
        raise UnknownArtifact(job_id, job.state, name, [artifact.name for artifact in existing])
    stored = (here.storage, artifact.key, artifact.media_type, artifact.sha256)
    return send_file(*stored, request) if side is None else send_thumbnail(*stored, side, request)
