"""Routes that show what a set is like: its statistics, and a contact sheet."""

import hashlib
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from app.datasets import repository
from app.datasets.contact_sheet import MAX_ROWS, affordable, choose_rows, draw_sheet
from app.datasets.errors import UnknownDataset
from app.datasets.parts import require_parts
from app.datasets.routes import PATH, Reference
from app.datasets.split import Part
from app.datasets.statistics import Statistics, measure
from app.http.errors import InvalidRequest
from app.http.file_responses import CACHE, INCOMPLETE, is_known
from app.http.problems import documented
from app.http.services import Services, ServicesDep
from app.images.repository import image_key
from app.images.thumbnails import in_sheet_thread, read_all_small
from app.media.sheets import MEDIA_TYPE

router = APIRouter(prefix=PATH, tags=["datasets"])


@router.get("/{dataset}/statistics", responses=documented(UnknownDataset))
def get_statistics(services: ServicesDep, dataset: Reference) -> Statistics:
    """What a set is like: classes, parts, identical pictures, contradictions, sizes."""
    found = repository.get_dataset(services.engine, dataset)
    require_parts(services.engine, found)
    return measure(services.engine, found)


@router.get(
    "/{dataset}/contact-sheet",
    responses={
        **documented(UnknownDataset, InvalidRequest),
        200: {"content": {MEDIA_TYPE: {}}, "description": "A row of pictures a class."},
        304: {"description": "The client has it."},
    },
    response_class=Response,
)
async def get_contact_sheet(
    services: ServicesDep,
    request: Request,
    dataset: Reference,
    columns: Annotated[int, Query(ge=1, le=20, description="Pictures of each class.")] = 8,
    side: Annotated[int, Query(ge=32, le=160, description="Longer side of each in pixels.")] = 96,
    skip: Annotated[
        int, Query(ge=0, lt=2**31, description=f"Classes that are left out; a sheet shows {MAX_ROWS}.")
    ] = 0,
    part: Annotated[Part | None, Query(description="Only pictures of this part.")] = None,
) -> Response:
    """A row of pictures for each class, with its name and its number of members, as a JPEG."""
    return await in_sheet_thread(
        partial(_draw, services, request, dataset, columns=columns, side=side, skip=skip, part=part)
    )


def _draw(
    services: Services,
    request: Request,
    dataset: str,
    *,
    columns: int,
    side: int,
    skip: int,
    part: Part | None,
) -> Response:
    found = repository.get_dataset(services.engine, dataset)
    require_parts(services.engine, found)
    content = found.sha256 or f"{found.id} {found.members}"
    asked = f"{content} {columns} {side} {skip} {part}"
    etag = f'"{hashlib.sha256(asked.encode()).hexdigest()}"'
    headers = {"ETag": etag, "Cache-Control": CACHE if found.sha256 else "no-cache"}
    if is_known(request, etag):
        return Response(status_code=304, headers=headers)
    rows = choose_rows(services.engine, found.id, columns=columns, skip=skip, part=part)
    keys = {image_id: image_key(image_id) for image_id in sorted(affordable(rows))}
    small = read_all_small(services.storage, keys, side)
    sheet = draw_sheet(rows, small.pictures, side, columns)
    return Response(sheet, headers=headers if small.all_read else INCOMPLETE, media_type=MEDIA_TYPE)
