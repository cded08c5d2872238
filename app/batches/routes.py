"""Routes of batches: create, list, get, control and delete them."""

from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from app.batches import repository
from app.batches.batch import Batch, BatchState
from app.batches.errors import (
    BatchEmpty,
    BatchEnded,
    BatchInvalid,
    BatchNotEnded,
    BatchTooLarge,
    InvalidMatrix,
    PicturesDeleted,
    UnknownBatch,
)
from app.batches.reading_routes import PATH, BatchId
from app.batches.schemas import BatchEstimate, BatchPage, BatchView, Matrix
from app.batches.service import MAX_NAME, BatchService, Options
from app.batches.views import view_batch, view_batches, view_new
from app.database.keys import KeyReused, Note
from app.errors import ServiceError
from app.http.bodies import BODY_ERRORS, FORM, LimitedRoute, media_type_of, parse_json_object, parse_model
from app.http.errors import (
    DatabaseUnavailable,
    IncompleteBody,
    InvalidForm,
    InvalidRequest,
    JsonTooLarge,
    UnsupportedBody,
)
from app.http.idempotency import IdempotencyKey
from app.http.ids import STORABLE, Cursor
from app.http.openapi_forms import REF
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import Services, ServicesDep
from app.http.uploads import Part, body_in_upload_thread, in_upload_thread
from app.http.waiting import view_made_in_thread
from app.jobs.errors import JobInUse
from app.jobs.service import PRIORITIES, Priority
from app.settings import Settings
from app.storage import StorageFull

router = APIRouter(prefix=PATH, tags=["batches"], route_class=LimitedRoute)

LINES = ("application/x-ndjson", "application/jsonl")
_ACCEPTED = (
    f"lines of JSON as {LINES[0]}, or as the one part `file` of {FORM}; or a matrix as application/json"
)
# What the URL may say.
OPTIONS = ("name", "errors", "dry_run", "paused", "priority", "reproducible")
MAX_MATRIX_BYTES = 4_000_000
# Of each axis of a matrix in a page of batches: a batch may have as many as it has lines.
LISTED_LABELS = 20
# What a form has beside its file.
FORM_BYTES = 1 << 16
_EXAMPLE_LINE = '{"custom_id": "a", "kind": "deep_dream", "params": {"image": "<image id>"}}\n'
CREATE_ERRORS = (
    *BODY_ERRORS,
    InvalidForm,
    IncompleteBody,
    InvalidRequest,
    InvalidMatrix,
    BatchInvalid,
    BatchEmpty,
    BatchTooLarge,
    PicturesDeleted,
    KeyReused,
    StorageFull,
    DatabaseUnavailable,
)


async def _read_options(
    request: Request,
    name: Annotated[str, Query(max_length=MAX_NAME, pattern=STORABLE, description="Empty: its kinds.")] = "",
    errors: Annotated[
        Literal["fail", "skip"],
        Query(description="`fail`: a wrong line refuses the batch; `skip`: it is an entry that failed."),
    ] = "fail",
    priority: Annotated[Priority, Query(description="Which jobs go first.")] = "normal",
    paused: Annotated[bool, Query(description="Begin nothing until it is resumed.")] = False,
    reproducible: Annotated[bool, Query(description="Compute no job together with others.")] = False,
) -> Options:
    for given in request.query_params:
        # A dry run that is misspelt would be no dry run.
        if given not in OPTIONS:
            detail = f"There is no parameter {given[:100]!r}. Parameters: {', '.join(OPTIONS)}."
            raise InvalidRequest.at(given[:100], detail)
    return Options(
        name=name,
        priority=PRIORITIES[priority],
        skip_wrong=errors == "skip",
        paused=paused,
        reproducible=reproducible,
    )


def _body_description() -> dict[str, Any]:
    lines = {"schema": {"type": "string", "description": "A JSON object a line."}, "example": _EXAMPLE_LINE}
    file = {"type": "string", "format": "binary", "description": "Lines of JSON."}
    form = {
        "type": "object",
        "additionalProperties": False,
        "properties": {"file": file},
        "required": ["file"],
    }
    matrix = {
        "kind": "style_transfer",
        "params": {"size": 256},
        "over": {"content": "photographs", "style": ["0198c0de-0000-7000-8000-000000000000"]},
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                **dict.fromkeys(LINES, lines),
                FORM: {"schema": form},
                "application/json": {"schema": {"$ref": REF.format(model="Matrix")}, "example": matrix},
            },
        }
    }


@router.post(
    "",
    status_code=HTTPStatus.ACCEPTED,
    response_model=BatchView,
    responses={
        **documented(*CREATE_ERRORS),
        200: {"model": BatchEstimate, "description": "What the batch would be: a dry run."},
    },
    openapi_extra=_body_description(),
)
async def create_batch(
    services: ServicesDep,
    request: Request,
    response: Response,
    options: Annotated[Options, Depends(_read_options)],
    dry_run: Annotated[bool, Query(description="Check and estimate it; store nothing.")] = False,
    idempotency_key: IdempotencyKey = None,
) -> BatchView | Response:
    """Queue many jobs: lines of JSON, one for each job, or a matrix. All are checked before one is stored."""
    media_type = media_type_of(request.headers.get("content-type", ""))
    make = partial(_make, services.batches, media_type, options, idempotency_key, dry_run)
    if media_type == FORM:
        made = await in_upload_thread(lambda parts: make(_file_of(parts)), request)
    elif media_type in (*LINES, "application/json"):
        made = await body_in_upload_thread(make, request)
    else:
        raise UnsupportedBody(media_type, _ACCEPTED)
    if isinstance(made, BatchEstimate):
        return JSONResponse(made.model_dump(mode="json"))
    response.headers["Location"] = url_of(f"{PATH}/{made.id}")
    return await view_made_in_thread(lambda: view_batch(services.engine, made), lambda: view_new(made))


def _make(
    batches: BatchService,
    media_type: str,
    options: Options,
    idempotency_key: str | None,
    dry_run: bool,
    body: Iterator[bytes],
) -> Batch | BatchEstimate:
    if media_type == "application/json":
        raw = b"".join(body)
        matrix = parse_model(Matrix, parse_json_object(raw, "body"))
        if dry_run:
            return batches.try_matrix(matrix, options)
        return batches.create_from_matrix(raw, matrix, options, idempotency_key)
    if dry_run:
        return batches.try_lines(body, options)
    return batches.create_from_lines(body, options, idempotency_key)


def _file_of(parts: Iterator[Part]) -> Iterator[bytes]:
    """The bytes of the one file of a form. Raises InvalidForm."""
    part = next(parts, None)
    if part is None or part.name != "file":
        raise InvalidForm("it needs one part, `file`, with the lines")
    yield from part.chunks
    if next(parts, None) is not None:
        raise InvalidForm("it has a second part: send `file` alone, and options in the URL")


def body_limits(settings: Settings) -> dict[tuple[str, str], tuple[int, ServiceError]]:
    """The most bytes of a body that makes a batch, by path and media type, each with the error of more."""
    most = settings.max_batch_bytes
    lines = BatchTooLarge.for_bytes(most)
    return {
        **{(PATH, media_type): (most, lines) for media_type in LINES},
        (PATH, FORM): (most + FORM_BYTES, lines),
        (PATH, "application/json"): (MAX_MATRIX_BYTES, JsonTooLarge(MAX_MATRIX_BYTES)),
    }


@router.get("", responses=documented(InvalidRequest))
def list_batches(
    services: ServicesDep,
    limit: Annotated[int, Query(ge=1, le=100, description="Batches a page.")] = 20,
    cursor: Cursor = None,
    state: Annotated[list[BatchState] | None, Query(description="Only batches in these states.")] = None,
) -> BatchPage:
    """Batches from the newest on."""
    found = repository.list_batches(services.engine, limit=limit + 1, before=cursor, states=state or ())
    return BatchPage(
        items=view_batches(services.engine, found[:limit], LISTED_LABELS),
        next_cursor=found[limit - 1].id if len(found) > limit else None,
    )


@router.get("/{batch_id}", responses=documented(UnknownBatch))
def get_batch(services: ServicesDep, batch_id: BatchId) -> BatchView:
    """The present state of a batch."""
    return view_batch(services.engine, services.batches.get(batch_id))


@router.post("/{batch_id}/cancel", responses=documented(UnknownBatch, InvalidRequest, KeyReused))
def cancel_batch(
    services: ServicesDep, batch_id: BatchId, idempotency_key: IdempotencyKey = None
) -> BatchView:
    """Cancel what has not ended: what waits at once, what runs at its next step."""
    return _once(services, services.batches.cancel, "cancel", batch_id, idempotency_key)


@router.post("/{batch_id}/pause", responses=documented(UnknownBatch, BatchEnded, InvalidRequest, KeyReused))
def pause_batch(
    services: ServicesDep, batch_id: BatchId, idempotency_key: IdempotencyKey = None
) -> BatchView:
    """Pause a batch: none of its jobs begins, and those that run go back to the queue with a checkpoint."""
    return _once(services, services.batches.pause, "pause", batch_id, idempotency_key)


@router.post("/{batch_id}/resume", responses=documented(UnknownBatch, BatchEnded, InvalidRequest, KeyReused))
def resume_batch(
    services: ServicesDep, batch_id: BatchId, idempotency_key: IdempotencyKey = None
) -> BatchView:
    """Let a paused batch go on."""
    return _once(services, services.batches.resume, "resume", batch_id, idempotency_key)


@router.post(
    "/{batch_id}/retry", responses=documented(UnknownBatch, BatchNotEnded, InvalidRequest, KeyReused)
)
def retry_batch(
    services: ServicesDep, batch_id: BatchId, idempotency_key: IdempotencyKey = None
) -> BatchView:
    """Give every entry that failed or was cancelled a new job; what succeeded stays as it is."""
    batches = services.batches
    changed = batches.once(batches.retry, "retry", batch_id, idempotency_key)
    return view_batch(services.engine, changed)


@router.delete(
    "/{batch_id}",
    status_code=HTTPStatus.NO_CONTENT,
    responses=documented(UnknownBatch, BatchNotEnded, JobInUse),
)
def delete_batch(services: ServicesDep, batch_id: BatchId) -> None:
    """Delete an ended batch with all that its jobs made, unless a waiting job needs a picture of it."""
    services.batches.delete(batch_id)


def _once(
    services: Services, change: Callable[[str, Note], Batch], name: str, batch_id: str, key: str | None
) -> BatchView:
    return view_batch(services.engine, services.batches.once(change, name, batch_id, key))
