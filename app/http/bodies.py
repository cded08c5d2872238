"""Reads bodies that are JSON, or a form with files and a JSON field ``params``, within limits."""

from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from itertools import chain
from typing import Annotated, Any, TypeVar

from fastapi import Depends, Request, Response, params
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, Headers, UploadFile

from app import strict_json
from app.database.texts import problem_of_text
from app.http.errors import (
    EncodedBody,
    InvalidForm,
    InvalidJson,
    JsonTooLarge,
    NotAFile,
    NotAnObject,
    RepeatedField,
    RequestTooLarge,
    TooManyFields,
    UnsupportedBody,
    UnusableText,
)
from app.http.forms import FormParser, require_once

M = TypeVar("M", bound=BaseModel)

# JSON is parsed on the event loop: in another thread it would hold the interpreter's lock as long.
MAX_JSON_BYTES = 1_000_000
MAX_JSON_FIELDS = 100
JSON, FORM = "application/json", "multipart/form-data"

# What reading a body may raise: JSON, a form, or one that may be either.
JSON_ERRORS = (
    UnsupportedBody,
    EncodedBody,
    JsonTooLarge,
    InvalidJson,
    UnusableText,
    NotAnObject,
    TooManyFields,
)
FORM_ERRORS = (RequestTooLarge, UnsupportedBody, EncodedBody, InvalidForm, RepeatedField)
BODY_ERRORS = (RequestTooLarge, InvalidForm, NotAFile, RepeatedField, *JSON_ERRORS)


class LimitedRequest(Request):
    """A request whose form has few parts and short texts, and whose JSON is a small object."""

    # Fields of a form of which there may be one. FastAPI would take the last one, and lose the others.
    single: Collection[str] = ()

    async def json(self) -> Any:
        """The JSON object that is the body. Raises ``JSON_ERRORS``."""
        return parse_json_object(await self.body(), "body")

    def form(self, **_: Any) -> Any:
        """The form that is the body, with at most 100 files and 16 texts.

        Raises InvalidForm, JsonTooLarge, RepeatedField.
        """
        return self._read_form()

    async def _read_form(self) -> FormData:
        if self._form is None:
            require_utf8(parse_options_header(self.headers.get("content-type", ""))[1])
            async with aclosing(self.stream()) as stream:
                self._form = await FormParser(self.headers, stream).parse()
            try:
                require_once(name for name, _ in self._form.multi_items() if name in self.single)
            except RepeatedField:
                await self._form.close()
                raise
        return self._form


class LimitedRoute(APIRoute):
    """A route whose requests are limited, also where FastAPI reads the body: it is of one media type then."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler of FastAPI, given a ``LimitedRequest``. It raises UnsupportedBody."""
        handle = super().get_route_handler()
        accepted = None if self.body_field is None else _media_type_of_field(self.body_field.field_info)
        single = {field.alias for field in self.dependant.body_params}

        async def handle_limited(request: Request) -> Response:
            limited = LimitedRequest(request.scope, request.receive)
            if accepted is not None:
                limited.single = single
                media_type = media_type_of(request.headers.get("content-type", ""))
                if media_type != accepted:
                    raise UnsupportedBody(media_type, accepted)
                if accepted == JSON and not await limited.body():
                    # FastAPI would take it for one that may be left out.
                    parse_json_object(b"", "body")
            return await handle(limited)

        return handle_limited


def _media_type_of_field(field: FieldInfo) -> str:
    return FORM if isinstance(field, params.Form) else JSON


@dataclass(frozen=True)
class Body:
    """A JSON object, and the uploaded files by field."""

    params: dict[str, Any]
    files: dict[str, list[UploadFile]] = field(default_factory=dict)

    async def close_files(self) -> None:
        """Free what the files hold, on the disk or in memory."""
        for file in chain.from_iterable(self.files.values()):
            await file.close()


async def read_body(request: Request) -> AsyncIterator[Body]:
    """The body of a request, whose files are open until it is answered. Raises ``BODY_ERRORS``."""
    match media_type := media_type_of(request.headers.get("content-type", "")):
        case "application/json":
            yield Body(await request.json())
        case "multipart/form-data":
            form = await request.form()
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


def stated_bytes(headers: Headers) -> int:
    """The length that a request states for its body; 0 if it states none."""
    stated = headers.get("content-length", "0")
    # Python reads no number of thousands of digits.
    return int(stated[:20]) if stated.isdecimal() else 0


def require_utf8(options: Mapping[bytes, bytes]) -> None:
    """Take no form whose Content-Type has another charset among its ``options``. Raises InvalidForm.

    Forms are in UTF-8 (RFC 7578, section 5.1.2). Of Python's codecs some fail, and others make texts that
    cannot be stored.
    """
    charset = options.get(b"charset", b"utf-8").decode("latin-1")
    if charset.lower() not in ("utf-8", "utf8"):
        raise InvalidForm(
            f"the header Content-Type names the charset {charset[:40]!r}; send UTF-8, and name no other"
        )


async def _read_form(form: FormData) -> Body:
    params: dict[str, Any] = {}
    files: dict[str, list[UploadFile]] = {}
    require_once(["params"] * len(form.getlist("params")))
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
        value = strict_json.parse(raw, constants=True)
        problem = problem_of_text(value) if b"\\u" in raw else None
    except ValueError as error:
        raise InvalidJson(field, error) from None
    except RecursionError:
        raise InvalidJson(field, "it is nested too deep") from None
    if problem is not None:
        raise UnusableText(field, problem)
    if not isinstance(value, dict):
        raise NotAnObject(field)
    if len(value) > MAX_JSON_FIELDS:
        raise TooManyFields(field, len(value), MAX_JSON_FIELDS)
    return value


async def read_json(request: Request) -> dict[str, Any]:
    """The JSON object that is the body. Raises UnsupportedBody, and what reading one may raise."""
    media_type = media_type_of(request.headers.get("content-type", ""))
    if media_type != "application/json":
        raise UnsupportedBody(media_type)
    values: dict[str, Any] = await request.json()
    return values


def parse_model(model: type[M], values: dict[str, Any], place: str = "body") -> M:
    """The values as a model. Raises RequestValidationError that names the fields."""
    try:
        return model.model_validate(values)
    except ValidationError as error:
        raise refusal(error, place) from None


def refusal(error: ValidationError, place: str) -> RequestValidationError:
    """The error as FastAPI raises it for what a model refuses in a ``place`` of the request."""
    found = error.errors(include_url=False)
    return RequestValidationError([{**each, "loc": (place, *each["loc"])} for each in found])
