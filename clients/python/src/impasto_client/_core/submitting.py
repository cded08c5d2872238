"""Asks for a job of any kind."""

import json
from collections.abc import Mapping
from typing import Any

from impasto_client._core.calls import Blob, Call, Form, Json, plain
from impasto_client._core.jobs import JOBS, JobCore
from impasto_client._core.session import Session
from impasto_client._core.uploads import Uploads, as_list, resolve, uploading
from impasto_client._generated.kinds import KINDS
from impasto_client._generated.models import JobView
from impasto_client.pictures import LeftOut

# What a call takes beside the params of a kind.
CALL_OPTIONS = ("priority", "reproducible", "idempotency_key")
PRIORITIES = {"urgent": 6, "normal": 4, "background": 2}


async def submit(session: Session, kind: str, given: Mapping[str, Any]) -> JobCore:
    """Queue a job. ``given`` are its params, whose pictures may be files, and ``CALL_OPTIONS``."""
    params = {
        name: value
        for name, value in given.items()
        if name not in CALL_OPTIONS and value is not LeftOut.LEFT_OUT
    }
    # The call does not wait: the job does that.
    headers = {"Prefer": "wait=0"}
    if given.get("priority") is not None:
        headers["Impasto-Priority"] = str(priority_number(given["priority"]))
    reproducible = bool(given.get("reproducible"))
    async with uploading(session) as uploads:
        files = await split_files(session, kind, params, uploads, apart=reproducible)
        body: Form | Json = Json(params)
        path = KINDS[kind].path if kind in KINDS else JOBS
        if path == JOBS or reproducible:
            path, body = JOBS, Json({"kind": kind, "params": params, "reproducible": reproducible})
        elif files:
            body = Form(files, {"params": json.dumps(params, default=plain)})
        key = given.get("idempotency_key")
        call = Call(method="POST", path=path, headers=headers, idempotency_key=key, body=body)
        answer = await session.send(call)
    return JobCore(session, answer.model(JobView))


def priority_number(priority: str | int) -> int:
    """A priority as 0 to 7. Raises ValueError."""
    number = PRIORITIES.get(priority) if isinstance(priority, str) else priority
    if number is None or not 0 <= number <= 7:
        raise ValueError(f"priority: {priority!r} is none of {', '.join(PRIORITIES)}, and not 0 to 7.")
    return number


async def split_files(
    session: Session, kind: str, params: dict[str, Any], uploads: Uploads, *, apart: bool
) -> list[tuple[str, Blob]]:
    """Put ids into the picture params, and return the files to send by param, which are taken out.

    A param that has ids and files gets its files uploaded, as all do that are to be sent ``apart``.
    """
    files: list[tuple[str, Blob]] = []
    pictures = KINDS[kind].pictures if kind in KINDS else {}
    for field in [name for name in pictures if name in params]:
        given = params.pop(field)
        if given is None:
            if field in KINDS[kind].removable:
                params[field] = None
            continue
        found = [await resolve(session, field, each, kind) for each in as_list(given)]
        if len(found) != 1 and not pictures[field]:
            raise TypeError(f"{field}: it takes one picture, not {len(found)}.")
        blobs = [each for each in found if isinstance(each, Blob)]
        if blobs and len(blobs) == len(found) and not apart:
            files += [(field, blob) for blob in blobs]
            continue
        ids = [each if isinstance(each, str) else await uploads.store(each) for each in found]
        params[field] = ids if pictures[field] else ids[0]
    return files
