"""Reads bodies that are JSON, or a form with files and a JSON field ``params``."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile

from app.http.errors import InvalidJson, NotAFile, NotAnObject, RequestTooLarge, UnsupportedBody

MAX_FILES = 16
MAX_FIELD_BYTES = 256 * 1024

# What reading a body may raise.
BODY_ERRORS = (RequestTooLarge, UnsupportedBody, InvalidJson, NotAnObject, NotAFile)


@dataclass(frozen=True)
class Body:
    """A JSON object, and the uploaded files by field."""

    params: dict[str, Any]
    files: dict[str, list[UploadFile]] = field(default_factory=dict)


async def read_body(request: Request) -> AsyncIterator[Body]:
    """The body of a request, whose files are open until it is answered. Raises ``BODY_ERRORS``."""
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


def _json_object(raw: bytes, field: str) -> dict[str, Any]:
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise InvalidJson(field, error) from None
    if not isinstance(value, dict):
        raise NotAnObject(field)
    return value
