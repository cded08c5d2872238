"""The file of a batch's lines in the storage: one JSON object a line, as they were checked.

``{"custom_id", "kind", "params", "reproducible"}`` is a request for a job, as it came; with ``"error"``, as a
job has one, it is a line that was wrong, and has no ``kind`` if it could not be read.
"""

import contextlib
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from app.batches.lines import ParsedLine
from app.batches.schemas import Line
from app.errors import FieldError
from app.jobs.job import Json
from app.storage import Storage

PREFIX = "batches"


@dataclass(frozen=True)
class SpooledLine:
    """A line of the file: what it asks for if it could be read, and what is wrong with it if something is."""

    number: int
    custom_id: str | None
    request: Line | None
    error: Json | None


def spool_key(batch_id: str) -> str:
    """The storage key of a batch's lines."""
    return f"{PREFIX}/{batch_id}"


def encode(entry: ParsedLine, problem: FieldError | None) -> bytes:
    """The line of the file for an entry, and for what is wrong with it."""
    if problem is None and entry.raw is not None:
        return entry.raw + b"\n"
    value: dict[str, Any] = {"custom_id": entry.custom_id}
    if problem is not None:
        value["error"] = refusal(problem)
    if entry.line is not None:
        asked: dict[str, Any] = {"kind": entry.line.kind, "params": entry.line.params}
        if entry.line.reproducible:
            asked["reproducible"] = True
        try:
            return _dump(value | asked)
        except RecursionError:
            # Only a wrong line can be nested so deep, and it is of no use to try it again.
            pass
    return _dump(value)


def _dump(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def refusal(problem: FieldError) -> Json:
    """The error of an entry that is no job because of a problem."""
    return {
        "type": "invalid_line",
        "title": "The line is wrong",
        "detail": problem.detail,
        "field": problem.field,
    }


def read_spool(
    storage: Storage, key: str, offset: int = 0, number: int = 1
) -> Iterator[tuple[SpooledLine, int]]:
    """The lines from one on, which begins at ``offset``, each with the offset of the next one."""
    with storage.open(key) as file:
        file.seek(offset)
        while raw := file.readline():
            offset += len(raw)
            yield _decode(number, raw), offset
            number += 1


def find_lines(storage: Storage, key: str, numbers: Collection[int]) -> list[SpooledLine]:
    """The lines of some numbers, in order; none if the file is gone."""
    wanted, found = set(numbers), list[SpooledLine]()
    if not wanted:
        return found
    with contextlib.suppress(FileNotFoundError), storage.open(key) as file:
        for number in range(1, max(wanted) + 1):
            raw = file.readline()
            if number in wanted and raw:
                found.append(_decode(number, raw))
    return found


def _decode(number: int, raw: bytes) -> SpooledLine:
    try:
        value = json.loads(raw)
    except ValueError:
        # The file was cut off in the midst of a line, or is damaged there.
        return SpooledLine(number, None, None, None)
    request = None
    if "kind" in value:
        request = Line.model_construct(
            custom_id=value["custom_id"],
            kind=value["kind"],
            params=value.get("params", {}),
            reproducible=value.get("reproducible", False),
        )
    return SpooledLine(number, value["custom_id"], request, value.get("error"))
