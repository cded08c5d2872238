"""Sends stored files: ETag and 304, Range and 206, HEAD."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from os import SEEK_END
from typing import Any, BinaryIO

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from app.http.errors import FileGone, RangeNotSatisfiable
from app.storage import Storage

# A URL names a content that never changes, or carries its hash; a day is for those that are deleted.
CACHE = "private, max-age=86400"
CHUNK = 1 << 18
# Of a sheet that lacks pictures whose files could not be read: they may be back by now.
INCOMPLETE = {"Cache-Control": "no-store"}

# What send_file may raise.
FILE_ERRORS = (FileGone, RangeNotSatisfiable)

# How OpenAPI describes its answers.
_CONTENT = {"*/*": {"schema": {"type": "string", "format": "binary"}}}
FILE_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": _CONTENT, "description": "The file, or its small copy."},
    206: {"content": _CONTENT, "description": "The part of the file that the header Range asks for."},
    304: {"description": "The client has it."},
}

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def send_file(storage: Storage, key: str, media_type: str, sha256: str, request: Request) -> Response:
    """A stored file with its SHA-256 as ETag: 304 if the client has it, 206 for one Range.

    Several ranges in one request are answered with the whole file, as RFC 9110 (14.2) allows.
    """
    etag = f'"{sha256}"'
    headers = {"ETag": etag, "Cache-Control": CACHE, "Accept-Ranges": "bytes"}
    if is_known(request, etag):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    try:
        file = storage.open(key)
    except FileNotFoundError:
        raise FileGone from None
    # Of this file: another one may have its key by now.
    size = file.seek(0, SEEK_END)
    start, end, status = 0, size, HTTPStatus.OK
    asked = request.headers.get("range")
    if asked is not None and request.headers.get("if-range", etag) == etag:
        found_range = _parse_range(asked, size)
        if found_range is None:
            file.close()
            raise RangeNotSatisfiable(asked, size, headers)
        if found_range != (0, size):
            start, end = found_range
            status = HTTPStatus.PARTIAL_CONTENT
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    headers["Content-Length"] = str(end - start)
    if request.method == "HEAD":
        file.close()
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(_read(file, start, end), status, headers, media_type)


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has what the ETag names (RFC 9110, section 13.1.2)."""
    header = request.headers.get("if-none-match", "")
    return header.strip() == "*" or etag in (part.strip().removeprefix("W/") for part in header.split(","))


def _parse_range(asked: str, size: int) -> tuple[int, int] | None:
    """First byte and the one after the last: all if the header cannot be parsed; None if out of range."""
    found = _RANGE.fullmatch(asked.strip())
    if found is None or found.groups() == ("", ""):
        return (0, size)
    first, last = found.groups()
    if first == "":
        return (max(0, size - int(last)), size) if int(last) and size else None
    if int(first) >= size or (last and int(last) < int(first)):
        return None
    return (int(first), min(size, int(last) + 1) if last else size)


def _read(file: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    with file:
        file.seek(start)
        while start < end:
            chunk = file.read(min(CHUNK, end - start))
            if not chunk:
                return
            start += len(chunk)
            yield chunk
