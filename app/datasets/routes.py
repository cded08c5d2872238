"""Routes of sets: make, fill, close, list and delete them."""

from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from app.database.keys import KeyReused, change_once, keyed
from app.datasets import repository
from app.datasets.dataset import REFERENCE_PATTERN, Dataset
from app.datasets.errors import (
    DatasetClosed,
    DatasetEmpty,
    DatasetInUse,
    DatasetNameInvalid,
    DatasetNameTaken,
    DatasetTooLarge,
    InvalidDataset,
    UnknownDataset,
    UnusableLabels,
    UnusableZip,
)
from app.datasets.parts import count_labels, require_parts
from app.datasets.repository import Added
from app.datasets.schemas import (
    AddedView,
    DatasetDetail,
    DatasetPage,
    DatasetView,
    MemberPage,
    MemberView,
    NewDataset,
    NewMembers,
    UploadParams,
    ZipParams,
    body_description,
)
from app.datasets.split import Part
from app.datasets.zip_forms import add_zip, create_from_zip
from app.http.bodies import (
    BODY_ERRORS,
    LimitedRoute,
    parse_model,
    read_json,
    refusal,
    stated_bytes,
)
from app.http.errors import DatabaseUnavailable, InvalidForm, InvalidRequest
from app.http.idempotency import IdempotencyKey
from app.http.ids import STORABLE, Cursor
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import Services, ServicesDep
from app.http.uploads import in_upload_thread, is_form
from app.http.waiting import view_made_in_thread, wait_for_end
from app.jobs import filling
from app.jobs.errors import ParamsError
from app.jobs.repository import jobs_with_datasets
from app.jobs.request_headers import JobHeaders, JobHeadersDep
from app.jobs.routes import wait_and_view
from app.jobs.schemas import JobView
from app.storage import StorageFull

PATH = "/v1/datasets"
MEMBERS_PATH = f"{PATH}/{{dataset}}/members"
router = APIRouter(prefix=PATH, tags=["datasets"], route_class=LimitedRoute)

Reference = Annotated[
    str,
    Path(description="Id or name of a set.", json_schema_extra={"pattern": f"^{REFERENCE_PATTERN}$"}),
]
UPLOAD_ERRORS = (
    *BODY_ERRORS,
    InvalidForm,
    InvalidRequest,
    InvalidDataset,
    UnusableZip,
    UnusableLabels,
    DatasetTooLarge,
    KeyReused,
    ParamsError,
    StorageFull,
    DatabaseUnavailable,
)


@router.post(
    "",
    status_code=HTTPStatus.CREATED,
    responses={
        **documented(*UPLOAD_ERRORS, DatasetNameInvalid, DatasetNameTaken),
        200: {"model": DatasetDetail, "description": "The built-in set is there already."},
        202: {"model": DatasetDetail, "description": "A job fills the set; `jobs` names it."},
    },
    openapi_extra=body_description(NewDataset, ZipParams, {"name": "birds"}),
)
async def create_dataset(
    services: ServicesDep, request: Request, headers: JobHeadersDep, response: Response
) -> DatasetDetail:
    """Make an open set, a built-in one, or with a ZIP a whole one: filled, and closed by default."""
    if is_form(request):
        job_id: str | None
        made, job_id = await in_upload_thread(
            partial(create_from_zip, services, headers, stated_bytes(request.headers)), request
        )
        response.status_code = HTTPStatus.ACCEPTED
    else:
        new = parse_model(NewDataset, await read_json(request))
        made, job_id, is_new = await run_in_threadpool(_create, services, headers, new)
        if job_id is not None:
            response.status_code = HTTPStatus.ACCEPTED
        elif not is_new:
            response.status_code = HTTPStatus.OK
    response.headers["Location"] = url_of(f"{PATH}/{made.id}")
    if job_id is not None:
        await wait_for_end(services, job_id, headers.wait_seconds, response)
    return await view_made_in_thread(
        lambda: detail(services, made.id),
        lambda: DatasetDetail.with_labels(made, [] if job_id is None else [job_id], {}),
    )


@router.get("", responses=documented(InvalidRequest))
def list_datasets(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Sets a page.")] = 20,
    cursor: Cursor = None,
) -> DatasetPage:
    """Sets from the newest on."""
    found = repository.list_datasets(services.engine, limit=limit + 1, before=cursor)
    shown = found[:limit]
    jobs = jobs_with_datasets(services.engine, [dataset.id for dataset in shown])
    return DatasetPage(
        items=[DatasetView.of(dataset, jobs[dataset.id]) for dataset in shown],
        next_cursor=shown[-1].id if len(found) > limit else None,
    )


@router.get("/{dataset}", responses=documented(UnknownDataset))
def get_dataset(services: ServicesDep, dataset: Reference) -> DatasetDetail:
    """A set, with its labels and parts."""
    return detail(services, dataset)


@router.get("/{dataset}/members", responses=documented(UnknownDataset, InvalidRequest))
def list_members(
    services: ServicesDep,
    dataset: Reference,
    limit: Annotated[int, Query(ge=1, le=1000, description="Members a page.")] = 100,
    cursor: Annotated[int, Query(ge=-1, lt=2**31, description="next_cursor of the page before.")] = -1,
    label: Annotated[
        str | None, Query(pattern=STORABLE, description="Only members with this label; empty: with none.")
    ] = None,
    part: Annotated[Part | None, Query(description="Only members in this part.")] = None,
) -> MemberPage:
    """The members of a set, in order."""
    named = repository.get_dataset(services.engine, dataset)
    require_parts(services.engine, named)
    found = repository.list_members(
        services.engine, named.id, after=cursor, limit=limit + 1, label=label, part=part
    )
    shown = found[:limit]
    return MemberPage(
        items=[MemberView.of(member) for member in shown],
        next_cursor=shown[-1].position if len(found) > limit else None,
    )


@router.post(
    "/{dataset}/members",
    responses={
        **documented(*UPLOAD_ERRORS, UnknownDataset, DatasetClosed),
        200: {"description": "The stored pictures were added; or the job ended while the request waited."},
        202: {"model": JobView, "description": "A job checks the ZIP, and adds its pictures."},
    },
    openapi_extra=body_description(
        NewMembers,
        UploadParams,
        {"members": [{"image": "0198c0de-0000-7000-8000-000000000000", "label": "robin"}]},
    ),
)
async def add_members(
    services: ServicesDep, request: Request, dataset: Reference, headers: JobHeadersDep, response: Response
) -> AddedView | JobView:
    """Add members to an open set: the pictures of a ZIP, or stored ones. Nothing is added twice."""
    if not is_form(request):
        values = await read_json(request)
        return AddedView.of(
            await run_in_threadpool(_add_stored, services, headers.idempotency_key, dataset, values)
        )
    found = await run_in_threadpool(filling.open_for_members, services.engine, dataset)
    job = await in_upload_thread(
        partial(add_zip, services, headers, found, stated_bytes(request.headers)), request
    )
    response.headers["Location"] = url_of(f"/v1/jobs/{job.id}")
    return await wait_and_view(services, job, headers.wait_seconds, response)


@router.post(
    "/{dataset}/close",
    responses=documented(
        UnknownDataset, DatasetEmpty, DatasetInUse, InvalidDataset, InvalidRequest, KeyReused
    ),
)
def close_dataset(
    services: ServicesDep, dataset: Reference, idempotency_key: IdempotencyKey = None
) -> DatasetDetail:
    """Close a set: its content is hashed, and never changes from then on. A closed one stays as it is."""
    found = repository.get_dataset(services.engine, dataset)
    change_once(
        services.engine,
        keyed(idempotency_key, "close", found.id),
        {"dataset_id": found.id},
        lambda note: filling.close(services.datasets, found, note),
    )
    return detail(services, found.id)


@router.delete(
    "/{dataset}", status_code=HTTPStatus.NO_CONTENT, responses=documented(UnknownDataset, DatasetInUse)
)
def delete_dataset(services: ServicesDep, dataset: Reference) -> None:
    """Delete a set with the pictures that came with it, unless a job that has not ended needs it."""
    filling.delete(services.datasets, repository.get_dataset(services.engine, dataset))


def detail(services: Services, reference: str) -> DatasetDetail:
    """The view of the set of an id or name. Raises UnknownDataset."""
    dataset = repository.get_dataset(services.engine, reference)
    require_parts(services.engine, dataset)
    labels = count_labels(services.engine, dataset.id)
    return DatasetDetail.with_labels(dataset, filling.fillers(services.engine, dataset), labels)


def _create(services: Services, headers: JobHeaders, new: NewDataset) -> tuple[Dataset, str | None, bool]:
    """A set, the id of the job that makes it if there is one, and whether the set is new."""
    request = keyed(headers.idempotency_key, "dataset", new.model_dump(mode="json"))
    filling.earlier_job(services.engine, request)
    if new.source == "upload":
        if new.name is None:
            raise InvalidDataset("name", "This is missing: name the set, or a source that is built in.")
        if new.options:
            wrong = next(iter(new.options))
            raise InvalidDataset(wrong, "Only sets of the source palette have this: leave it out.")
        return services.datasets.begin(new.name, request=request), None, True
    try:
        dataset, job = filling.make_built_in(
            services.jobs, services.datasets, new.source, new.name, new.options, headers.priority, request
        )
    except ValidationError as error:
        raise refusal(error, "body") from None
    if job is not None:
        return dataset, job.id, False
    # The same request again is answered as before: the job is under way.
    running = filling.fillers(services.engine, dataset) if request and dataset.state == "open" else []
    return dataset, next(iter(running), None), False


def _add_stored(services: Services, key: str | None, reference: str, values: dict[str, Any]) -> Added:
    """Add stored pictures to a set, unless the same request did before: what it added."""
    dataset = repository.get_dataset(services.engine, reference)
    request = keyed(key, "members", dataset.id, values)
    if earlier := services.datasets.added_before(request):
        return earlier
    filling.earlier_job(services.engine, request)
    dataset = filling.open_for_members(services.engine, dataset.id)
    new = parse_model(NewMembers, values)
    return services.datasets.add_images(dataset, [member.to_member() for member in new.members], request)
