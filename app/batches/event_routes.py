"""Server-sent events of a batch: replayed from the reader's last event, then live, to its end."""

import logging
import re
import time
from collections.abc import AsyncIterator, Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Query, Response

from app.batches.batch import Batch
from app.batches.errors import UnknownBatch
from app.batches.following import Position, Status, Told, from_now
from app.batches.reading_routes import PATH, BatchId
from app.batches.repository import get_batch
from app.batches.views import view_counts
from app.database.engine import UNAVAILABLE, reason_of
from app.database.stream_reads import read_in_thread
from app.http.errors import InvalidRequest
from app.http.problems import documented
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
from app.jobs.job import Json
from app.jobs.schemas import ArtifactView
from app.monitoring.metrics import OPEN_STREAMS

log = logging.getLogger(__name__)
router = APIRouter(prefix=PATH, tags=["events"])

# Between two events of type state.
STATE_SECONDS = 1.0
# Milliseconds since 1970, and a line; the last event says so.
_FORM = r"([0-9]{1,15})\.([0-9]{1,9})(\.done)?"
_ID = re.compile(_FORM)


@router.get(
    "/{batch_id}/events",
    response_class=EventStream,
    responses={
        **documented(UnknownBatch, InvalidRequest),
        200: {"content": {MEDIA_TYPE: {}}, "description": "The events."},
        204: {"description": "The batch has ended, and all its events arrived."},
    },
)
async def batch_events(
    services: ServicesDep,
    batch_id: BatchId,
    last_id: Annotated[str | None, last_event_id(_FORM)] = None,
    replay: Annotated[
        bool, Query(description="Without a Last-Event-ID: whether to begin with all that has ended so far.")
    ] = True,
) -> Response:
    """The events of a batch: `state`, `entry` for each entry that starts or ends, and `done` at the end.

    `state` and `done` carry the state and counts of the batch, at most once a second and only when they
    changed. A stream tells each state of each entry once; the start of one may be left out if its end is
    known. After a reconnection, entries of the last seconds come again.
    """
    batch = await read_in_thread(get_batch, services.engine, batch_id)
    position, has_all = _parse_id(last_id, batch)
    if has_all:
        # This status tells a browser not to reconnect.
        return Response(status_code=HTTPStatus.NO_CONTENT)
    if last_id is None and not replay:
        position = await read_in_thread(from_now, services.engine, batch)
    return EventStream(_stream(services, batch, position), media_type=MEDIA_TYPE, headers=HEADERS)


def _parse_id(last_id: str | None, batch: Batch) -> tuple[Position, bool]:
    """Where the reader is, and whether it has all there will be."""
    if not last_id:
        return Position(), False
    found = _ID.fullmatch(last_id)
    if found is None:
        raise bad_id(last_id)
    milliseconds, line = int(found[1]), int(found[2])
    # Equal: by a clock that was set back, a batch that was retried may have ended again at an earlier time.
    ended = batch.ended and milliseconds == _milliseconds(batch.finished_at or 0.0)
    return Position(milliseconds / 1000, line), ended and found[3] is not None


async def _stream(services: Services, batch: Batch, position: Position) -> AsyncIterator[str]:
    """The state, then entries in order and the state again as it changes, until the batch has ended."""
    with services.batch_news.follow(batch, position) as reader, OPEN_STREAMS.track_inprogress():
        yield RETRY
        try:
            told, told_at = _data(await reader.status()), time.monotonic()
            yield format_event(_id(reader.position), "state", told)
            sent_at = told_at
            while True:
                news = await reader.news()
                if news.entries:
                    yield "".join(map(_entry_event, news.entries))
                    sent_at = time.monotonic()
                if news.status is None:
                    continue
                if news.status.batch.ended:
                    last_id = _last_id(reader.position, news.status.batch)
                    yield format_event(last_id, "done", _data(news.status))
                    return
                data, present = _data(news.status), time.monotonic()
                if _differs(data, told) and present - told_at >= STATE_SECONDS:
                    yield format_event(_id(reader.position), "state", data)
                    told, told_at, sent_at = data, present, present
                elif present - sent_at >= HEARTBEAT_SECONDS:
                    yield HEARTBEAT
                    sent_at = present
                await reader.wait()
        except UnknownBatch:
            log.info("a stream ends, batch %s was deleted", batch.id)
        except UNAVAILABLE as error:
            # The reader reconnects, and then gets a problem or all events since.
            log.warning("a stream ends, the database is unavailable: %s", reason_of(error))


def _data(status: Status) -> Json:
    batch = status.batch
    return {
        "state": batch.state,
        "paused": batch.paused,
        "cancel_requested": batch.cancel_requested_at is not None,
        "counts": view_counts(status.counts).model_dump(),
        "eta_seconds": status.eta_seconds,
    }


def _differs(data: Mapping[str, object], told: Mapping[str, object]) -> bool:
    return any(data[name] != told[name] for name in data if name != "eta_seconds")


def _entry_event(told: Told) -> str:
    entry = told.entry
    data: Json = {
        "line": entry.line,
        "custom_id": entry.custom_id,
        "job_id": entry.job_id,
        "state": entry.state,
        "artifacts": [ArtifactView.of(artifact).model_dump() for artifact in told.artifacts],
    }
    return format_event(_id(told.position), "entry", data)


def _id(position: Position) -> str:
    return f"{_milliseconds(position.seconds)}.{position.line}"


def _last_id(position: Position, batch: Batch) -> str:
    """The id of the last event of all, which is not told again."""
    return f"{_milliseconds(batch.finished_at or 0.0)}.{position.line}.done"


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
