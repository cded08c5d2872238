"""A batch as a ZIP: the files that its entries made, and its results and errors, written while it is read."""

import logging
from collections.abc import Generator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from sqlalchemy import Engine

from app.batches.entries import Entry, pages_of_entries
from app.batches.file_names import FileNames, safe_name
from app.batches.results import SUCCEEDED, artifacts_of, common, errors_of, result_of, to_line
from app.batches.summary import PICTURE
from app.jobs.job import Artifact, Json
from app.storage import Storage
from app.storage.errors import StorageUnavailable

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/zip"
RESULTS, ERRORS = "results.jsonl", "errors.jsonl"
CHUNK = 1 << 18
# Its content is in the result too, and in the pictures.
RECIPE = "recipe"
# What is kept in memory of the results until they are written, behind the pictures.
SPOOLED = 1 << 20


class _Sink:
    """What a ZIP is written to, and taken from piece by piece; it cannot seek."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: bytes, /) -> int:
        """Keep a piece."""
        self._pieces.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        """Nothing is open."""

    def take(self) -> bytes:
        """What was written since."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data


def archive_of(engine: Engine, storage: Storage, batch_id: str) -> Generator[bytes, None, None]:
    """The pieces of the ZIP of what has succeeded by then, each made when it is asked for.

    The picture of an entry lies beside the others under its custom id; what else it made, but for its recipe,
    lies in a folder of that name. A file that is gone, or cannot be read, is left out, and named among the
    errors. Raises UnknownBatch, also between pieces, and OSError from the midst of a file: then the
    ZIP has no end, and nobody takes it for a whole one.
    """
    sink = _Sink()
    names = FileNames(RESULTS, ERRORS)
    with (
        SpooledTemporaryFile(SPOOLED) as results,
        SpooledTemporaryFile(SPOOLED) as missing,
        ZipFile(sink, "w", ZIP_STORED) as archive,
    ):
        for entries in pages_of_entries(engine, batch_id, SUCCEEDED, with_results=True):
            made = artifacts_of(engine, entries)
            for entry in entries:
                packed = [artifact for artifact in made[entry.line] if artifact.name != RECIPE]
                paths = _paths(names, entry, packed)
                kept: dict[str, str] = {}
                for artifact in packed:
                    try:
                        first_chunk, file = _begin(storage, artifact.key)
                    except OSError as error:
                        missing.write(to_line(_unread(entry, artifact, error)))
                        continue
                    kept[artifact.name] = paths[artifact.name]
                    info = _info(kept[artifact.name], entry.finished_at, artifact.bytes)
                    yield from _write(archive, sink, info, _chunks(first_chunk, file))
                results.write(to_line({**result_of(entry, made[entry.line]), "files": kept}))
        for name, spooled, first in (
            (RESULTS, results, iter(())),
            (ERRORS, missing, errors_of(engine, batch_id)),
        ):
            # Results of many pictures may have gigabytes; what failed has a few lines of text each.
            info = _info(name, None, spooled.tell())
            info.compress_type = ZIP_DEFLATED
            yield from _write(archive, sink, info, _both(first, spooled))
    yield sink.take()


def _paths(names: FileNames, entry: Entry, made: Sequence[Artifact]) -> dict[str, str]:
    """Where the files of an entry lie, by the name of the artifact."""
    endings = {artifact.name: PurePosixPath(artifact.key).suffix for artifact in made}
    stem = names.take(entry.custom_id or "", entry.line, endings.get(PICTURE, ""))
    return {
        name: f"{stem}{ending}" if name == PICTURE else f"{stem}/{safe_name(name)}{ending}"
        for name, ending in endings.items()
    }


def _info(name: str, seconds: float | None, size: int) -> ZipInfo:
    """The header of a file of about ``size`` bytes, as it is at the time that it was made."""
    time = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    info = ZipInfo(name, (max(1980, time.year), *time.timetuple()[1:6]))
    info.create_system, info.external_attr = 3, 0o644 << 16
    # Decides between 32 and 64 bits.
    info.file_size = size
    return info


def _write(archive: ZipFile, sink: _Sink, info: ZipInfo, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Write a file, and yield the pieces of the ZIP on the way."""
    with archive.open(info, "w") as target:
        for chunk in chunks:
            target.write(chunk)
            yield sink.take()


def _begin(storage: Storage, key: str) -> tuple[bytes, BinaryIO]:
    """The first chunk of a file, and the file behind it. Raises OSError."""
    file = storage.open(key)
    try:
        return file.read(CHUNK), file
    except BaseException:
        file.close()
        raise


def _chunks(first: bytes, file: BinaryIO) -> Iterator[bytes]:
    with file:
        chunk = first
        while chunk:
            yield chunk
            chunk = file.read(CHUNK)


def _both(first: Iterator[bytes], then: IO[bytes]) -> Iterator[bytes]:
    yield from first
    then.seek(0)
    while chunk := then.read(CHUNK):
        yield chunk


def _unread(entry: Entry, artifact: Artifact, cause: OSError) -> Json:
    """The line of a file that is left out."""
    error = {
        "type": "file_gone",
        "title": "Not Found",
        "detail": f"The file of the artifact {artifact.name!r} was deleted.",
        "field": None,
    }
    if not isinstance(cause, FileNotFoundError):
        log.error("%s is left out of an archive: %s", artifact.key, cause)
        error |= {
            "type": StorageUnavailable.type,
            "title": StorageUnavailable.title,
            "detail": f"The file of the artifact {artifact.name!r} could not be read ({cause.strerror}). Get "
            "it again once that is mended.",
        }
    return {**common(entry), "artifact": artifact.name, "error": error}
