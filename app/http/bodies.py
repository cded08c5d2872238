"""Reads bodies that are JSON, or a form with files and a JSON field ``params``, within limits."""

import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException

from app.http.errors import (
    InvalidJson,
    JsonTooLarge,
    NotAFile,
    NotAnObject,
    RequestTooLarge,
    TooManyFields,
    UnsupportedBody,
)

# JSON is parsed on the event loop: in another thread it would hold the interpreter's lock as long.
MAX_JSON_BYTES = 1_000_000
MAX_JSON_FIELDS = 100
# As many files as a kind takes pictures (`MAX_LISTED_PICTURES`), and texts.
MAX_FILES, MAX_TEXTS = 100, 16
FORM = "multipart/form-data"

# What reading a JSON body may raise, and what reading one that may also be a form may raise.
JSON_ERRORS = (JsonTooLarge, InvalidJson, NotAnObject, TooManyFields)
BODY_ERRORS = (RequestTooLarge, UnsupportedBody, NotAFile, *JSON_ERRORS)


class LimitedRequest(Request):
    """A request whose form has few parts and short texts, and whose JSON is a small object."""

    async def json(self) -> Any:
        """The JSON object that is the body. Raises ``JSON_ERRORS``."""
        return parse_json_object(await self.body(), "body")

    def form(self, **_: Any) -> Any:
        """The form that is the body, with at most ``MAX_FILES`` files and ``MAX_TEXTS`` texts."""
        return super().form(max_files=MAX_FILES, max_fields=MAX_TEXTS, max_part_size=MAX_JSON_BYTES)


class LimitedRoute(APIRoute):
    """A route whose requests are limited, also where FastAPI reads the body."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, given a ``LimitedRequest``."""
        handle = super().get_route_handler()

        async def handle_limited(request: Request) -> Response:
            return await handle(LimitedRequest(request.scope, request.receive))

        return handle_limited


@dataclass(frozen=True)
class Body:
    """A JSON object, and the uploaded files by field."""

    params: dict[str, Any]
    files: dict[str, list[UploadFile]] = field(default_factory=dict)


async def read_body(request: Request) -> AsyncIterator[Body]:
    """The body of a request, whose files are open until it is answered. Raises ``BODY_ERRORS``."""
    match media_type := media_type_of(request.headers.get("content-type", "")):
        case "application/json":
            yield Body(await request.json())
        case "multipart/form-data":
            form = await _parse_form(request)
            try:
                yield await _read_form(form)
            finally:
                await form.close()
        case _:
            raise UnsupportedBody(media_type)


RequestBody = Annotated[Body, Depends(read_body)]


def media_type_of(content_type: str) -> str:
    """The media type that a Content-Type names, without its parameters."""
    return content_type.partition(";")[0].strip().lower()


async def _parse_form(request: Request) -> FormData:
    try:
        return await request.form()
    except HTTPException as error:
        if str(error.detail).startswith("Part exceeded maximum size"):  # no text but params belongs there
            raise JsonTooLarge(MAX_JSON_BYTES, "params") from None
        raise


async def _read_form(form: FormData) -> Body:
    params: dict[str, Any] = {}
    files: dict[str, list[UploadFile]] = {}
    for name, value in form.multi_items():
        if name == "params":
            params = parse_json_object(await _read_part(value), name)
        elif isinstance(value, str):
            raise NotAFile(name)
        else:
            files.setdefault(name, []).append(value)
    return Body(params, files)


async def _read_part(part: str | UploadFile) -> bytes:
    """The bytes of ``params``, which some clients send with a filename."""
    if isinstance(part, str):
        return part.encode()
    raw = await part.read(MAX_JSON_BYTES + 1)
    if len(raw) > MAX_JSON_BYTES:
        raise JsonTooLarge(MAX_JSON_BYTES, "params")
    return raw


def parse_json_object(raw: bytes, field: str) -> dict[str, Any]:
    """The JSON object in some bytes. Raises ``JSON_ERRORS`` that name the field."""
    try:
        text = raw.decode()
        value = json.loads(text)
        if "\\u" in text:
            # Half of a surrogate pair is no text that could be stored or sent.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise InvalidJson(field, error) from None
    if not isinstance(value, dict):
        raise NotAnObject(field)
    if len(value) > MAX_JSON_FIELDS:
        raise TooManyFields(field, len(value), MAX_JSON_FIELDS)
    return value
