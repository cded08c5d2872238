"""The route of the contact sheet of a batch."""

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from PIL.Image import Image
from sqlalchemy import Engine

from app.batches.batch import Batch, Counts
from app.batches.contact_sheet import Cell, Heading, Sheet, draw, side_for
from app.batches.entries import Entry, artifacts_named, entries_at
from app.batches.errors import UnknownBatch
from app.batches.reading_routes import PATH, BatchId
from app.batches.repository import get_batch
from app.batches.sheet_pages import Page, cross_axes, page_of
from app.batches.summary import PICTURE, count_entries
from app.database.engine import read
from app.http.errors import InvalidRequest
from app.http.file_responses import INCOMPLETE, is_known
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.services import Services, ServicesDep
from app.images.repository import image_key
from app.images.thumbnails import in_sheet_thread, read_all_small
from app.jobs.job import Artifact, Json
from app.jobs.repository import get_artifact
from app.media.sheets import MAX_PIXELS, MEDIA_TYPE, to_jpeg, to_srgb
from app.storage import Storage

router = APIRouter(prefix=PATH, tags=["batches"])

JPEG_QUALITY = 92


@router.get(
    "/{batch_id}/contact-sheet",
    responses={
        **documented(UnknownBatch, InvalidRequest),
        200: {"content": {MEDIA_TYPE: {}}, "description": "A page of pictures."},
        304: {"description": "The client has it."},
    },
    response_class=Response,
)
@router.head("/{batch_id}/contact-sheet", include_in_schema=False)
async def get_batch_contact_sheet(
    services: ServicesDep,
    request: Request,
    batch_id: BatchId,
    page: Annotated[int, Query(ge=1, lt=2**31, description="The page, from 1.")] = 1,
) -> Response:
    """The pictures that there are by now on one sheet, as a JPEG of at most about 4000 pixels a side.

    A matrix of two params has a row for each value of the first and a column for each of the second, up to
    20 of each a page; any other batch has its entries in order, up to 108 a page. The header `Link` names the
    next page and the last one.
    """
    return await in_sheet_thread(partial(_respond, services, request, batch_id, page))


def _respond(services: Services, request: Request, batch_id: str, page: int) -> Response:
    engine = services.engine
    batch = get_batch(engine, batch_id)
    shown = page_of(batch, page)
    if shown is None:
        raise InvalidRequest.at(
            "page", f"The sheet has no page {page}: the header Link of page 1 names the last."
        )
    entries = entries_at(engine, batch.id, list(shown.lines.values()))
    pictures = artifacts_named(engine, [e.job_id for e in entries.values() if e.job_id is not None], PICTURE)
    headers = {
        "ETag": _etag(batch, shown, entries, pictures),
        "Cache-Control": "no-cache",
        **_links(batch, shown),
    }
    if is_known(request, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    if request.method == "HEAD":
        return Response(headers=headers, media_type=MEDIA_TYPE)
    with read(engine) as connection:
        counts = count_entries(connection, [batch])[batch.id]
    side = side_for(len(shown.rows), len(shown.columns), cross=cross_axes(batch) is not None)
    files = _Pictures(services.storage, side)
    small = files.read({job_id: each.key for job_id, each in pictures.items()})
    cells = {place: _cell(entries.get(line), small) for place, line in shown.lines.items()}
    sheet = _sheet(files, engine, batch, shown, counts, cells, entries)
    if not files.all_read:
        headers = {**_links(batch, shown), **INCOMPLETE}
    return Response(to_jpeg(draw(sheet, side), JPEG_QUALITY), headers=headers, media_type=MEDIA_TYPE)


class _Pictures:
    """Small copies of stored pictures; ``all_read``: no file was missing or unreadable so far."""

    def __init__(self, storage: Storage, side: int) -> None:
        self.all_read = True
        self._storage, self._side = storage, side

    def read(self, keys: Mapping[str, str]) -> dict[str, Image]:
        """Those of some keys, by the names that these have."""
        pictures, all_read = read_all_small(self._storage, keys, self._side, MAX_PIXELS)
        self.all_read = self.all_read and all_read
        return {name: to_srgb(picture) for name, picture in pictures.items()}


def _sheet(
    files: _Pictures,
    engine: Engine,
    batch: Batch,
    page: Page,
    counts: Counts,
    cells: Mapping[tuple[int, int], Cell],
    entries: Mapping[int, Entry],
) -> Sheet:
    axes = cross_axes(batch)
    done = f"{counts.succeeded:,} of {batch.lines:,} done"
    where = f"page {page.number} of {page.pages}" if page.pages > 1 else ""
    if axes is None:
        captions = {
            place: (entry.custom_id if (entry := entries.get(line)) else None) or f"line {line}"
            for place, line in page.lines.items()
        }
        note = " · ".join(filter(None, [done, where]))
        return Sheet(batch.name, note, cells, captions=captions)
    down, across = axes
    params = tuple(axis["param"].replace("_", " ") for axis in axes)
    what = " × ".join(params)
    size = " × ".join(f"{len(axis['labels']):,}" for axis in axes)
    return Sheet(
        batch.name,
        " · ".join(filter(None, [what, size, done, where])),
        cells,
        rows=_headings(files, engine, down, page.rows),
        columns=_headings(files, engine, across, page.columns),
        params=(params[0], params[1]),
    )


def _headings(files: _Pictures, engine: Engine, axis: Json, places: range) -> list[Heading]:
    labels: Sequence[str] = axis["labels"]
    images: Sequence[str] = axis["images"] or []
    keys = {each: key for each in images[places.start : places.stop] if (key := _key_of(engine, each))}
    small = files.read(keys)
    return [Heading(labels[place], small.get(images[place]) if images else None) for place in places]


def _key_of(engine: Engine, reference: str) -> str | None:
    """Where a picture is stored, if it is there: an image id, or <job id>/<artifact>."""
    owner, _, name = reference.partition("/")
    if not name:
        return image_key(owner)
    artifact = get_artifact(engine, owner, name)
    return None if artifact is None else artifact.key


def _cell(entry: Entry | None, small: Mapping[str, Image]) -> Cell:
    if entry is None or entry.state == "queued":
        return Cell()
    if entry.state == "succeeded":
        picture = small.get(entry.job_id or "")
        return Cell(picture, "" if picture is not None else "no picture")
    return Cell(word=entry.state, is_error=entry.state == "failed")


def _etag(batch: Batch, page: Page, entries: Mapping[int, Entry], pictures: Mapping[str, Artifact]) -> str:
    states = [
        (line, entry.state, made.sha256 if (made := pictures.get(entry.job_id or "")) else None)
        for line, entry in sorted(entries.items())
    ]
    asked = f"{batch.id} {batch.name} {page.number} {states}"
    return f'"{hashlib.sha256(asked.encode()).hexdigest()}"'


def _links(batch: Batch, page: Page) -> dict[str, str]:
    """The header Link (RFC 8288) of a page."""
    url = url_of(f"{PATH}/{batch.id}/contact-sheet?page=")
    links = [f'<{url}{page.pages}>; rel="last"']
    if page.number < page.pages:
        links.insert(0, f'<{url}{page.number + 1}>; rel="next"')
    return {"Link": ", ".join(links)}
