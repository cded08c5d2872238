"""Jobs: submit, list, look at, cancel, and fetch what they made."""

from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict

from app.api.context import Context, Here
from app.api.files import send_file
from app.api.problems import ProblemError, documented
from app.api.schemas import JobPage, JobView
from app.api.submissions import Body, IdempotencyKey, create
from app.jobs import repository
from app.jobs.job import Job
from app.jobs.states import State

router = APIRouter(prefix="/v1/jobs", tags=["jobs"])

JobId = Annotated[str, Path(description="Id of a job.")]
NOT_FOUND = documented(HTTPStatus.NOT_FOUND)


class NewJobBody(BaseModel):
    """A job of any kind."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    params: dict[str, Any]


def view(here: Context, job: Job) -> JobView:
    """A job with its artifacts."""
    return JobView.of(job, repository.list_artifacts(here.engine, [job.id])[job.id])


def answer_job(here: Context, job: Job, response: Response) -> JobView:
    """The answer to a request for a job: where it is, and how it stands."""
    response.headers["Location"] = f"/v1/jobs/{job.id}"
    return view(here, job)


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.UNPROCESSABLE_ENTITY,
        HTTPStatus.SERVICE_UNAVAILABLE,
    ),
)
def create_job(here: Here, new: NewJobBody, response: Response, key: IdempotencyKey = None) -> JobView:
    """Queue a job of any kind."""
    job, _ = create(here, new.kind, Body(new.params), key)
    return answer_job(here, job, response)


@router.get("", responses=documented(HTTPStatus.UNPROCESSABLE_ENTITY))
def list_jobs(
    here: Here,
    limit: Annotated[int, Query(ge=1, le=100, description="Jobs a page.")] = 20,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    kind: Annotated[list[str] | None, Query(description="Only jobs of these kinds.")] = None,
    state: Annotated[list[State] | None, Query(description="Only jobs in these states.")] = None,
) -> JobPage:
    """Jobs from the newest on."""
    found = repository.list_jobs(
        here.engine, limit=limit + 1, before=cursor, kinds=kind or (), states=state or ()
    )
    shown = found[:limit]
    artifacts = repository.list_artifacts(here.engine, [job.id for job in shown])
    return JobPage(
        items=[JobView.of(job, artifacts[job.id]) for job in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{job_id}", responses=NOT_FOUND)
def get_job(here: Here, job_id: JobId) -> JobView:
    """A job as it stands."""
    return view(here, repository.get_job(here.engine, job_id))


@router.post("/{job_id}/cancel", responses=NOT_FOUND)
def cancel_job(here: Here, job_id: JobId) -> JobView:
    """Cancel a job: a queued one at once, a running one at its next step. An ended one stays as it is."""
    job = repository.request_cancel(here.engine, job_id)
    here.dispatcher.changed(job.id)
    return view(here, job)


@router.get(
    "/{job_id}/artifacts/{name}",
    response_class=Response,
    responses={**NOT_FOUND, 200: {"content": {"image/png": {}}, "description": "The file."}},
)
@router.head("/{job_id}/artifacts/{name}", include_in_schema=False)
def get_artifact(here: Here, request: Request, job_id: JobId, name: str) -> Response:
    """A file that a job made: `image`, `recipe`; while it runs also `preview`."""
    job = repository.get_job(here.engine, job_id)
    artifact = repository.get_artifact(here.engine, job_id, name)
    if artifact is None:
        there = repository.list_artifacts(here.engine, [job_id])[job_id]
        names = ", ".join(a.name for a in there) or "none"
        raise ProblemError(
            HTTPStatus.NOT_FOUND,
            "unknown_artifact",
            f"Job {job_id} ({job.state}) has no artifact {name!r}. Artifacts: {names}.",
        )
    return send_file(here.storage, artifact.key, artifact.media_type, artifact.sha256, request)
