"""Bodies that ask for a job: JSON with image ids, or one multipart call with the pictures in it."""

import hashlib
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Header, Request
from starlette.datastructures import FormData, UploadFile

from app.database.ids import new_id
from app.http.errors import InvalidJson, NotAFile, NotAnObject, RequestTooLarge, UnsupportedBody
from app.http.services import Context
from app.images.uploads import discard, file_sha256, inspect, store
from app.jobs.errors import InvalidParam
from app.jobs.job import Job
from app.jobs.repository import find_by_key
from app.jobs.submit import DEFAULT_PRIORITY, parse_params, payload_hash, submit
from app.kinds import KINDS

MAX_FILES = 16
MAX_FIELD_BYTES = 256 * 1024

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="The same key and request again gives the same job.",
    ),
]


Priority = Annotated[
    str | None,
    Header(
        pattern=r"^\s*u=[0-7]\b.*$",
        description="Urgency as in RFC 9218: `u=0` goes first, `u=7` last, `u=3` is what jobs have.",
    ),
]
Prefer = Annotated[
    str | None,
    Header(description="`wait=N` (RFC 7240): answer when the job has ended, or after N seconds."),
]

# A request may wait this long for its job.
MAX_WAIT_SECONDS = 300.0
_WAIT = re.compile(r"(?:^|,)\s*wait=(\d{1,6})\s*(?:,|;|$)")


def priority_of(header: str | None) -> int:
    """The priority of a job, 7 first, from the urgency that a request states."""
    return DEFAULT_PRIORITY if header is None else 7 - int(header.strip()[2])


def seconds_to_wait(prefer: str | None) -> float:
    """Seconds that a request wants to wait; 0 if it says nothing of it."""
    found = _WAIT.search(prefer or "")
    return min(float(found[1]), MAX_WAIT_SECONDS) if found else 0.0


@dataclass(frozen=True)
class Body:
    """What a request carries: a JSON object, and uploaded files by field."""

    params: dict[str, Any]
    files: dict[str, list[UploadFile]] = field(default_factory=dict)


async def read_body(request: Request) -> AsyncIterator[Body]:
    """Read a JSON or multipart body. Raises UnsupportedBody, InvalidJson, NotAnObject, NotAFile."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    match media_type:
        case "application/json":
            yield Body(_json_object(await request.body(), "body"))
        case "multipart/form-data":
            async with request.form(
                max_files=MAX_FILES, max_fields=MAX_FILES, max_part_size=MAX_FIELD_BYTES
            ) as form:
                yield await _read_form(form)
        case _:
            raise UnsupportedBody(media_type)


BODY_ERRORS = (RequestTooLarge, UnsupportedBody, InvalidJson, NotAnObject, NotAFile)
RequestBody = Annotated[Body, Depends(read_body)]


async def _read_form(form: FormData) -> Body:
    params: dict[str, Any] = {}
    files: dict[str, list[UploadFile]] = {}
    for name, value in form.multi_items():
        if name == "params":
            raw = value.encode() if isinstance(value, str) else await value.read()
            params = _json_object(raw, "params")
        elif isinstance(value, str):
            raise NotAFile(name)
        else:
            files.setdefault(name, []).append(value)
    return Body(params, files)


def _json_object(raw: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(where, error) from None
    if not isinstance(value, dict):
        raise NotAnObject(where)
    return value


def create(
    here: Context, kind: str, body: Body, key: str | None, priority: int = DEFAULT_PRIORITY
) -> tuple[Job, bool]:
    """Queue a job. Returns it and whether it is new; stores nothing if anything is wrong."""
    params = dict(body.params)
    uploads: list[tuple[str, str, UploadFile]] = []
    for name, files in body.files.items():
        _require_picture_field(kind, name, params)
        ids = [new_id() for _ in files]
        uploads += [(name, image_id, file) for image_id, file in zip(ids, files, strict=True)]
        params[name] = ids[0] if len(ids) == 1 else ids
    checked = parse_params(kind, params)
    fields = checked.picture_fields()
    infos = [inspect(here, file, name, clips=fields[name].clips) for name, _, file in uploads]
    payload = payload_hash(kind, body.params) if not uploads else _payload_of_form(kind, body)
    earlier = find_by_key(here.engine, key, payload)
    if earlier is not None:
        return earlier, False
    stored: list[str] = []
    try:
        for (_, image_id, file), info in zip(uploads, infos, strict=True):
            store(here, file, info, image_id)
            stored.append(image_id)
        job, created = submit(
            here.engine,
            here.dispatcher,
            checked,
            idempotency_key=key,
            payload=payload,
            priority=priority,
        )
    except BaseException:
        for image_id in stored:
            discard(here, image_id)
        raise
    if not created:
        for image_id in stored:
            discard(here, image_id)
    return job, created


def _require_picture_field(kind: str, name: str, params: dict[str, Any]) -> None:
    fields = KINDS[kind].params.picture_fields() if kind in KINDS else {}
    if name not in fields:
        known = ", ".join(fields) or "none"
        detail = f"{kind} takes no picture {name!r}. Pictures it takes: {known}."
    elif name in params:
        detail = f"{name!r} came both as a file and in params: send one of the two."
    else:
        return
    raise InvalidParam(name, detail)


def _payload_of_form(kind: str, body: Body) -> str:
    hashes = {name: [file_sha256(f.file) for f in files] for name, files in body.files.items()}
    return hashlib.sha256(
        f"{payload_hash(kind, body.params)} {json.dumps(hashes, sort_keys=True)}".encode()
    ).hexdigest()
