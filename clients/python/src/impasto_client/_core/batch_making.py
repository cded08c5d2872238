"""Asks for batches: lines, or a matrix, whose pictures are uploaded first, each once."""

import json
import os
import tempfile
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from impasto_client._core.batches import BATCHES, BatchCore
from impasto_client._core.calls import Blob, Call, Form, Json, plain
from impasto_client._core.session import Answer, Session
from impasto_client._core.uploads import Uploads, uploading
from impasto_client._generated.models import BatchEstimate, BatchView

# A file with a JSON object a line, or these objects, whose pictures may be files.
Lines: TypeAlias = str | os.PathLike[str] | Iterable[Mapping[str, Any]]

UPLOAD_SECONDS = 600.0
PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".tif", ".tiff"}


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
    async with uploading(session) as uploads, _form(session, lines, uploads) as form:
        answer = await _post(session, form, options, dry_run=False)
    return BatchCore(session, answer.model(BatchView))


async def estimate(session: Session, lines: Lines, options: Mapping[str, Any]) -> BatchEstimate:
    """Check the lines of a batch, and say what it would take. What is uploaded for it is removed."""
    async with uploading(session) as uploads, _form(session, lines, uploads) as form:
        answer = await _post(session, form, options, dry_run=True)
        await uploads.remove()
    return answer.model(BatchEstimate)


async def create_matrix(session: Session, matrix: NewMatrix, options: Mapping[str, Any]) -> BatchCore:
    """Queue a matrix."""
    async with uploading(session) as uploads:
        answer = await _post(session, await matrix.body(uploads), options, dry_run=False)
    return BatchCore(session, answer.model(BatchView))


async def estimate_matrix(session: Session, matrix: NewMatrix) -> BatchEstimate:
    """Check a matrix, and say what it would take. What is uploaded for it is removed."""
    async with uploading(session) as uploads:
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
    query = {name: _text(value) for name, value in options.items() if name != "idempotency_key" and value}
    if dry_run:
        query["dry_run"] = "true"
    call = Call(
        method="POST",
        path=BATCHES,
        query=query,
        idempotency_key=options.get("idempotency_key"),
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
    return json.dumps(full, default=plain) + "\n"
