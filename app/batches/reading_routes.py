"""Routes that read the entries of a batch, and what they made: at any time, of what is there by then."""

from collections.abc import Callable, Generator
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AfterValidator
from sqlalchemy import Engine

from app.batches import archive, results
from app.batches.batch import Batch
from app.batches.entries import list_entries
from app.batches.errors import UnknownBatch
from app.batches.file_names import safe_name
from app.batches.repository import get_batch
from app.batches.schemas import EntryPage, EntryState
from app.batches.views import view_entries
from app.http.errors import InvalidRequest
from app.http.ids import ID_SCHEMA, require_id
from app.http.problems import documented
from app.http.services import Services, ServicesDep
from app.http.streaming import stream_response

PATH = "/v1/batches"
router = APIRouter(prefix=PATH, tags=["batches"])

BatchId = Annotated[
    str,
    Path(description="Id of a batch.", json_schema_extra=ID_SCHEMA),
    AfterValidator(require_id(UnknownBatch)),
]

# The same request has another answer as soon as another entry has ended.
NO_CACHE = {"Cache-Control": "no-cache"}


def _lines_of(model: str, description: str) -> dict[int | str, dict[str, Any]]:
    schema = {"schema": {"$ref": f"#/components/schemas/{model}"}}
    return {
        **documented(UnknownBatch),
        200: {"content": {results.MEDIA_TYPE: schema}, "description": description},
    }


@router.get("/{batch_id}/entries", responses=documented(UnknownBatch, InvalidRequest))
def list_batch_entries(
    services: ServicesDep,
    batch_id: BatchId,
    first: Annotated[int, Query(alias="from", ge=1, lt=2**31, description="The first line.")] = 1,
    limit: Annotated[int, Query(ge=1, le=1000, description="Entries a page.")] = 100,
    state: Annotated[list[EntryState] | None, Query(description="Only entries in these states.")] = None,
) -> EntryPage:
    """The entries of a batch in the order of its lines, also those that are no job yet."""
    batch = get_batch(services.engine, batch_id)
    found = list_entries(services.engine, batch, first=first, limit=limit + 1, states=state or ())
    return EntryPage(
        items=view_entries(services.engine, found[:limit]),
        next_line=found[limit].line if len(found) > limit else None,
    )


@router.get(
    "/{batch_id}/results",
    responses=_lines_of("ResultLine", "A line of JSON for each entry that succeeded, in order."),
    response_class=StreamingResponse,
)
@router.head("/{batch_id}/results", include_in_schema=False)
def get_batch_results(services: ServicesDep, request: Request, batch_id: BatchId) -> Response:
    """What the entries came to that have succeeded by now, as a stream of lines of JSON."""
    return _stream_lines(services, request, batch_id, results.results_of)


@router.get(
    "/{batch_id}/errors",
    responses=_lines_of("ErrorLine", "A line of JSON for each entry that failed or was cancelled, in order."),
    response_class=StreamingResponse,
)
@router.head("/{batch_id}/errors", include_in_schema=False)
def get_batch_errors(services: ServicesDep, request: Request, batch_id: BatchId) -> Response:
    """The entries that have failed or were cancelled by now, and why, as a stream of lines of JSON."""
    return _stream_lines(services, request, batch_id, results.errors_of)


@router.get(
    "/{batch_id}/archive",
    responses={
        **documented(UnknownBatch),
        200: {"content": {archive.MEDIA_TYPE: {}}, "description": "A ZIP."},
    },
    response_class=StreamingResponse,
)
@router.head("/{batch_id}/archive", include_in_schema=False)
def get_batch_archive(services: ServicesDep, request: Request, batch_id: BatchId) -> Response:
    """A ZIP of what the entries made that have succeeded by now.

    An entry's picture is `<custom_id>.png`, and what else it made `<custom_id>/<artifact>`, with what a file
    name cannot have replaced: `results.jsonl` says which `files` are whose. `errors.jsonl` has the entries
    that failed, and the files that were deleted or cannot be read.
    """
    batch = get_batch(services.engine, batch_id)
    headers = {**NO_CACHE, "Content-Disposition": _attachment(batch)}
    if request.method == "HEAD":
        return Response(headers=headers, media_type=archive.MEDIA_TYPE)
    pieces = archive.archive_of(services.engine, services.storage, batch.id)
    return stream_response(pieces, archive.MEDIA_TYPE, headers)


def _stream_lines(
    services: Services,
    request: Request,
    batch_id: str,
    lines_of: Callable[[Engine, str], Generator[bytes, None, None]],
) -> Response:
    batch = get_batch(services.engine, batch_id)
    if request.method == "HEAD":
        return Response(headers=NO_CACHE, media_type=results.MEDIA_TYPE)
    return stream_response(lines_of(services.engine, batch.id), results.MEDIA_TYPE, NO_CACHE)


def _attachment(batch: Batch) -> str:
    """The header that names the file (RFC 6266): in ASCII, and in full."""
    name = safe_name(batch.name) or batch.id
    plain = "".join(letter if " " <= letter < "\x7f" else "_" for letter in name)
    return f"attachment; filename=\"{plain}.zip\"; filename*=UTF-8''{quote(name)}.zip"
