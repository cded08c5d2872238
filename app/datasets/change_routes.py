"""Routes that change a set: its name, and its labels in a new one."""

from collections.abc import Iterator
from functools import partial
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from app.database.keys import KeyReused, keyed
from app.datasets import repository
from app.datasets.dataset import Dataset
from app.datasets.errors import (
    DatasetNameInvalid,
    DatasetNameTaken,
    InvalidDataset,
    UnknownDataset,
    UnusableLabels,
)
from app.datasets.layout import MAX_TABLE_BYTES, read_labels
from app.datasets.relabeling import Relabeling
from app.datasets.routes import PATH, Reference, detail
from app.datasets.schemas import DatasetChange, DatasetDetail, RelabelParams, body_description
from app.http.bodies import BODY_ERRORS, JSON_ERRORS, LimitedRoute, parse_model, read_json
from app.http.errors import DatabaseUnavailable, InvalidForm, InvalidRequest
from app.http.idempotency import IdempotencyKey
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import Services, ServicesDep
from app.http.uploads import Part, in_upload_thread, is_form
from app.http.waiting import view_made_in_thread
from app.jobs import filling

RELABEL_PATH = f"{PATH}/{{dataset}}/relabel"
router = APIRouter(prefix=PATH, tags=["datasets"], route_class=LimitedRoute)


@router.patch(
    "/{dataset}",
    responses=documented(
        *JSON_ERRORS, UnknownDataset, DatasetNameInvalid, DatasetNameTaken, InvalidDataset, InvalidRequest
    ),
)
def rename_dataset(services: ServicesDep, dataset: Reference, change: DatasetChange) -> DatasetDetail:
    """Rename a set. Jobs and recipes find it by its id and content."""
    renamed = services.datasets.rename(repository.get_dataset(services.engine, dataset), change.name)
    return detail(services, renamed.id)


@router.post(
    "/{dataset}/relabel",
    status_code=HTTPStatus.CREATED,
    responses={
        **documented(
            *BODY_ERRORS,
            InvalidForm,
            InvalidRequest,
            UnknownDataset,
            InvalidDataset,
            DatasetNameInvalid,
            DatasetNameTaken,
            UnusableLabels,
            KeyReused,
            DatabaseUnavailable,
        ),
        200: {"model": DatasetDetail, "description": "The set is there already."},
    },
    openapi_extra=body_description(
        RelabelParams,
        RelabelParams,
        {"name": "birds-2", "labels": {"robin/7.jpg": "wren"}, "rename": {"Robin": "robin"}, "drop": ["cat"]},
        file_fields={"labels": "A CSV with the columns file and label, empty for none."},
        required=(),
    ),
)
async def relabel_dataset(
    services: ServicesDep,
    request: Request,
    dataset: Reference,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> DatasetDetail:
    """Make a closed set that shares the pictures of a closed one, with other labels or fewer members."""
    if is_form(request):
        receive = partial(_relabel_by_form, services, idempotency_key, dataset)
        made, is_new = await in_upload_thread(receive, request)
    else:
        values = await read_json(request)
        made, is_new = await run_in_threadpool(_relabel, services, idempotency_key, dataset, values)
    if not is_new:
        response.status_code = HTTPStatus.OK
    response.headers["Location"] = url_of(f"{PATH}/{made.id}")
    return await view_made_in_thread(
        lambda: detail(services, made.id), lambda: DatasetDetail.with_labels(made, [], {})
    )


def _relabel_by_form(
    services: Services, key: str | None, reference: str, parts: Iterator[Part]
) -> tuple[Dataset, bool]:
    values: dict[str, Any] = {}
    table: dict[str, str | None] = {}
    for part in parts:
        match part.name:
            case "params":
                values = part.read_json()
            case "labels":
                table = read_labels(part.read(MAX_TABLE_BYTES))
            case name:
                raise InvalidDataset(name, "There is no such field: a form has params and labels.")
    return _relabel(services, key, reference, values, "params", table)


def _relabel(
    services: Services,
    key: str | None,
    reference: str,
    values: dict[str, Any],
    place: str = "body",
    table: dict[str, str | None] | None = None,
) -> tuple[Dataset, bool]:
    """The set, and whether it is new."""
    params = parse_model(RelabelParams, values, place)
    changes = Relabeling(params.labels, params.rename, params.drop, table or {})
    dataset = repository.get_dataset(services.engine, reference)
    asked = keyed(key, "relabel", dataset.id, params.model_dump(mode="json"), table)
    filling.earlier_job(services.engine, asked)
    return services.datasets.relabel(dataset, params.name, changes, asked)
