"""Server-sent events of jobs: replayed from the reader's last event, then live, to the end of the job."""

import logging
import re
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Query, Response

from app.database.engine import UNAVAILABLE, reason_of
from app.database.ids import ID_PATTERN, is_id
from app.database.stream_reads import read_in_thread
from app.http.errors import InvalidRequest
from app.http.problems import documented
from app.http.root_path import url_of
from app.http.server_sent_events import (
    HEADERS,
    HEARTBEAT,
    HEARTBEAT_SECONDS,
    MEDIA_TYPE,
    RETRY,
    EventStream,
    bad_id,
    format_event,
    last_event_id,
)
from app.http.services import Services, ServicesDep
from app.jobs.errors import UnknownJob
from app.jobs.job import Event, Json
from app.jobs.repository import find_jobs, get_seqs
from app.jobs.routes import JobId
from app.monitoring.metrics import OPEN_STREAMS

log = logging.getLogger(__name__)
router = APIRouter(prefix="/v1", tags=["events"])

MAX_JOBS = 100

RESPONSES: dict[int | str, dict[str, Any]] = {
    **documented(UnknownJob, InvalidRequest),
    200: {"content": {MEDIA_TYPE: {}}, "description": "The events."},
}
SEQ = "[0-9]{1,18}"  # what fits into a column of the database
_SEQ = re.compile(SEQ)


@router.get(
    "/jobs/{job_id}/events",
    response_class=EventStream,
    responses={**RESPONSES, 204: {"description": "The job has ended, and all its events arrived."}},
)
async def job_events(
    services: ServicesDep, job_id: JobId, last_id: Annotated[str | None, last_event_id(SEQ)] = None
) -> Response:
    """The events of a job: `state`, `progress`, `preview`, and `done` at its end. The id is the job's seq."""
    return await _respond(services, [job_id], [_seq(last_id)] if last_id else [0], single=True)


@router.get(
    "/events",
    response_class=EventStream,
    responses={**RESPONSES, 204: {"description": "All the jobs have ended, and all their events arrived."}},
)
async def many_events(
    services: ServicesDep,
    jobs: Annotated[
        str,
        Query(
            description=f"Ids of up to {MAX_JOBS} jobs, separated by commas.",
            json_schema_extra={"pattern": f"^{ID_PATTERN}(,{ID_PATTERN}){{0,{MAX_JOBS - 1}}}$"},
        ),
    ],
    last_id: Annotated[str | None, last_event_id(rf"{SEQ}(\.{SEQ}){{0,{MAX_JOBS - 1}}}")] = None,
) -> Response:
    """The events of several jobs in one stream. Each names its job; the id holds the seqs of them all."""
    named = jobs.split(",")
    if not all(named) or len(named) > MAX_JOBS:
        detail = f"Name 1 to {MAX_JOBS} jobs, separated by commas; these are {len([*filter(None, named)])}."
        raise InvalidRequest.at("jobs", detail)
    job_ids = list(dict.fromkeys(named))
    for job_id in job_ids:
        if not is_id(job_id):
            raise UnknownJob(job_id)
    after = [_seq(part) for part in last_id.split(".")] if last_id else [0] * len(job_ids)
    if len(after) != len(job_ids):
        raise bad_id(last_id or "", f"the id of a stream of {len(after)} jobs, not {len(job_ids)}")
    return await _respond(services, job_ids, after, single=False)


def _seq(text: str) -> int:
    if not _SEQ.fullmatch(text):
        raise bad_id(text)
    return int(text)


async def _respond(services: Services, job_ids: list[str], after: list[int], *, single: bool) -> Response:
    jobs = await read_in_thread(find_jobs, services.engine, job_ids)
    missing = [job_id for job_id in job_ids if job_id not in jobs]
    # A reader of several that comes back is not told again what was deleted meanwhile.
    if missing and (single or not any(after)):
        raise UnknownJob(missing[0])
    # A database that was restored may be behind what a reader has seen.
    seen = {
        job_id: min(seq, jobs[job_id].seq) if job_id in jobs else seq
        for job_id, seq in zip(job_ids, after, strict=True)
    }
    going = {job.id for job in jobs.values() if not job.ended or seen[job.id] < job.seq}
    if not going:
        # This status tells a browser not to reconnect.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    seqs = {job_id: jobs[job_id].seq for job_id in going}
    return EventStream(_stream(services, seen, seqs, single=single), media_type=MEDIA_TYPE, headers=HEADERS)


async def _stream(
    services: Services, seen: dict[str, int], seqs: Mapping[str, int], *, single: bool
) -> AsyncIterator[str]:
    """Events, in order for each job, until all jobs of ``seqs`` have ended, which has their present seqs.

    ``seen`` maps jobs to the last seq that was sent, and is updated.
    """
    latest, going = services.notifier.latest, set(seqs)
    with (
        services.notifier.watch(going) as changed,
        latest.follow(seqs),
        OPEN_STREAMS.track_inprogress(),
    ):
        yield RETRY
        try:
            while going:
                changed.clear()
                while found := await latest.after({each: seq for each, seq in seen.items() if each in going}):
                    for event in found:
                        seen[event.job_id] = event.seq
                        yield _format(event, seen, single=single)
                        if event.type == "done":
                            going.discard(event.job_id)
                    # Hundreds of streams wait for their turn to read: none keeps a history meanwhile.
                    del found, event
                if not going or changed.is_set():
                    continue
                with anyio.move_on_after(HEARTBEAT_SECONDS) as waited:
                    await changed.wait()
                if waited.cancelled_caught:
                    yield HEARTBEAT
                    # A job that was deleted during the stream will not end any more.
                    going &= (await read_in_thread(get_seqs, services.engine, list(going))).keys()
        except UNAVAILABLE as error:
            # The reader reconnects, and then gets a problem or all events since.
            log.warning("a stream ends, the database is unavailable: %s", reason_of(error))


def _format(event: Event, seen: Mapping[str, int], *, single: bool) -> str:
    data: Json = {**event.data, "job_id": event.job_id, "seq": event.seq}
    if event.type == "preview":
        path = f"/v1/jobs/{event.job_id}/artifacts/{data.pop('name')}?v={data.pop('version')}"
        data["url"] = url_of(path)
    identity = str(event.seq) if single else ".".join(str(seq) for seq in seen.values())
    return format_event(identity, event.type, data)
