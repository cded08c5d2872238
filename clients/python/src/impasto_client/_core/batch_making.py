"""Asks for batches: lines, or a matrix, whose pictures are uploaded first, each once."""

import hashlib
import json
import os
import tempfile
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from impasto_client._core.batches import BATCHES, BatchCore
from impasto_client._core.calls import Blob, Call, Form, Json
from impasto_client._core.images import delete
from impasto_client._core.session import Answer, Session, new_key
from impasto_client._core.uploads import as_list, resolve, upload
from impasto_client._generated.kinds import KINDS
from impasto_client._generated.models import BatchEstimate, BatchView
from impasto_client.errors import ApiError, ImpastoError

# A file with a JSON object a line, or these objects, whose pictures may be files.
Lines: TypeAlias = str | os.PathLike[str] | Iterable[Mapping[str, Any]]

UPLOAD_SECONDS = 600.0
PICTURES = {".png", ".jpg", ".jpeg", ".webp"}


class Uploads:
    """Uploads pictures, each once however often it is used."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._ids: dict[str, str] = {}

    async def reference(self, field: str, picture: Any) -> str:
        """The id of a picture, which is uploaded if it has none yet."""
        found = await resolve(self._session, field, picture)
        if isinstance(found, str):
            return found
        data = found.data if isinstance(found.data, bytes) else found.data.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        if digest not in self._ids:
            self._ids[digest] = (await upload(self._session, found)).id
        return self._ids[digest]

    async def value(self, kind: str, field: str, value: Any) -> Any:
        """The value of a param, with ids in the place of files if it is one for pictures."""
        pictures = KINDS[kind].pictures if kind in KINDS else {}
        if field not in pictures or value is None:
            return value
        if not pictures[field]:
            return await self.reference(field, value)
        return [await self.reference(field, each) for each in as_list(value)]

    async def params(self, kind: str, params: Mapping[str, Any]) -> dict[str, Any]:
        """The params of a job, with ids in the place of files."""
        return {field: await self.value(kind, field, value) for field, value in params.items()}

    async def remove(self) -> None:
        """Delete what was uploaded."""
        for image_id in self._ids.values():
            with suppress(ImpastoError):
                await delete(self._session, image_id)


@dataclass(frozen=True)
class NewMatrix:
    """A matrix as callers give it, with files in the place of ids."""

    kind: str
    params: Mapping[str, Any]
    over: Mapping[str, Any]
    combine: str

    async def body(self, uploads: Uploads) -> Json:
        """As the service takes it."""
        over = {field: await _axis(uploads, self.kind, field, values) for field, values in self.over.items()}
        params = await uploads.params(self.kind, self.params)
        return Json({"kind": self.kind, "params": params, "over": over, "combine": self.combine})


@asynccontextmanager
async def _uploading(session: Session) -> AsyncGenerator[Uploads, None]:
    """Uploads for a batch, which are removed if the service refuses it."""
    uploads = Uploads(session)
    try:
        yield uploads
    except (ApiError, ValueError, TypeError, OSError) as error:
        # Of a failure of the service nobody knows whether there is a batch that needs them.
        if not isinstance(error, ApiError) or error.status < 500:
            await uploads.remove()
        raise


def batch_options(
    name: str | None,
    errors: str,
    paused: bool,
    reproducible: bool,
    priority: str,
    idempotency_key: str | None,
) -> dict[str, Any]:
    """The options of a batch, as the service takes them in the URL, and its key."""
    return {
        "name": name,
        "errors": errors,
        "paused": paused,
        "reproducible": reproducible,
        "priority": priority,
        "idempotency_key": idempotency_key,
    }


async def create(session: Session, lines: Lines, options: Mapping[str, Any]) -> BatchCore:
    """Queue a batch of lines."""
    async with _uploading(session) as uploads, _form(session, lines, uploads) as form:
        answer = await _post(session, form, options, dry_run=False)
    return BatchCore(session, answer.model(BatchView))


async def estimate(session: Session, lines: Lines, options: Mapping[str, Any]) -> BatchEstimate:
    """Check the lines of a batch, and say what it would take. What is uploaded for it is removed."""
    async with _uploading(session) as uploads, _form(session, lines, uploads) as form:
        answer = await _post(session, form, options, dry_run=True)
        await uploads.remove()
    return answer.model(BatchEstimate)


async def create_matrix(session: Session, matrix: NewMatrix, options: Mapping[str, Any]) -> BatchCore:
    """Queue a matrix."""
    async with _uploading(session) as uploads:
        answer = await _post(session, await matrix.body(uploads), options, dry_run=False)
    return BatchCore(session, answer.model(BatchView))


async def estimate_matrix(session: Session, matrix: NewMatrix) -> BatchEstimate:
    """Check a matrix, and say what it would take. What is uploaded for it is removed."""
    async with _uploading(session) as uploads:
        answer = await _post(session, await matrix.body(uploads), {}, dry_run=True)
        await uploads.remove()
    return answer.model(BatchEstimate)


async def _axis(uploads: Uploads, kind: str, field: str, values: Any) -> Any:
    """What a matrix is over: a text is a set; a folder, the pictures in it."""
    if isinstance(values, str):
        return values
    if isinstance(values, os.PathLike):
        values = _pictures_in(Path(values))
    return [await uploads.value(kind, field, each) for each in values]


def _pictures_in(folder: Path) -> Sequence[Path]:
    if not folder.is_dir():
        raise NotADirectoryError(f"There is no folder {folder}. Give a list for single files.")
    found = sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURES)
    if not found:
        raise ValueError(f"There is no picture in {folder}: {', '.join(sorted(PICTURES))} are taken.")
    return found


async def _post(session: Session, body: Form | Json, options: Mapping[str, Any], *, dry_run: bool) -> Answer:
    headers = {"Idempotency-Key": options.get("idempotency_key") or new_key()}
    query = {name: _text(value) for name, value in options.items() if name != "idempotency_key" and value}
    if dry_run:
        query["dry_run"] = "true"
    call = Call(
        method="POST",
        path=BATCHES,
        query=query,
        headers=headers,
        body=body,
        read_seconds=UPLOAD_SECONDS,
    )
    return await session.send(call)


def _text(value: Any) -> str:
    return "true" if value is True else str(value)


@asynccontextmanager
async def _form(session: Session, lines: Lines, uploads: Uploads) -> AsyncGenerator[Form, None]:
    """The form of some lines: their file, or one that is written and deleted afterwards."""
    if isinstance(lines, str | os.PathLike):
        path = Path(lines)
        if not path.is_file():
            raise FileNotFoundError(f"There is no file {path} with lines.")
        yield Form([("file", Blob(path.name, path))])
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.jsonl"
        with path.open("w", encoding="ascii") as file:
            for number, line in enumerate(lines, 1):
                text = await _line(number, line, uploads)
                await session.transport.in_thread(file.write, text)
        yield Form([("file", Blob(path.name, path))])


async def _line(number: int, line: Mapping[str, Any], uploads: Uploads) -> str:
    """A line as JSON; one without a name gets its number."""
    full = {"custom_id": str(number), **line}
    full["params"] = await uploads.params(str(full.get("kind")), full.get("params") or {})
    return json.dumps(full, default=list) + "\n"
