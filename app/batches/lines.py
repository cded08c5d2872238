"""Reads the lines of a batch from its bytes as they arrive."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from app import strict_json
from app.batches.schemas import Line
from app.database.texts import is_storable, problem_of_text
from app.errors import FieldError

# A line that is longer is wrong, and is not kept in memory.
MAX_LINE_BYTES = 1_000_000
_BOM = b"\xef\xbb\xbf"
# Escapes, which may stand for what cannot be stored, and constants that JSON does not have.
_ODD = (b"\\u", b"NaN", b"Infinity")
_NAME = re.compile(rb'"\s*:')
_KNOWN = ", ".join(Line.model_fields)
_EXAMPLE = '{"custom_id": "a", "kind": "deep_dream", "params": {...}}'


@dataclass(frozen=True)
class ParsedLine:
    """A line that was read: ``line`` is None if it is wrong, and ``problem`` says why.

    ``custom_id`` is the one of a wrong line, too, if it has one. ``raw`` are the bytes of one that is right.
    """

    number: int
    custom_id: str | None
    line: Line | None
    problem: FieldError | None = None
    raw: bytes | None = None


def split_lines(chunks: Iterable[bytes]) -> Iterator[bytes | None]:
    """The lines in some bytes, without their ends (LF or CRLF) and the mark of UTF-8 at the start.

    None stands for one over ``MAX_LINE_BYTES``. What follows the last end is a line unless it is empty.
    """
    rest: list[bytes] = []
    size, first = 0, True
    for chunk in chunks:
        *ended, open_end = chunk.split(b"\n")
        for part in ended:
            # An end of a line that is too long is all that was kept of it.
            whole = None if size + len(part) > MAX_LINE_BYTES + 1 else b"".join([*rest, part])
            rest, size = [], 0
            yield _trimmed(whole, first)
            first = False
        size += len(open_end)
        if size > MAX_LINE_BYTES + 1:
            rest = []
        elif open_end:
            rest.append(open_end)
    last = None if size > MAX_LINE_BYTES + 1 else _trimmed(b"".join(rest), first)
    if last != b"":
        yield last


def _trimmed(line: bytes | None, first: bool) -> bytes | None:
    if line is None:
        return None
    line = line.removesuffix(b"\r")
    line = line.removeprefix(_BOM) if first else line
    return line if len(line) <= MAX_LINE_BYTES else None


def read_entries(lines: Iterable[bytes | None]) -> Iterator[ParsedLine]:
    """The entries of lines, in order; each ``custom_id`` must be unique among them."""
    seen: dict[str, int] = {}
    for number, raw in enumerate(lines, 1):
        entry = _read(number, raw)
        if entry.line is not None:
            earlier = seen.setdefault(entry.line.custom_id, number)
            if earlier != number:
                detail = f"Line {earlier} has this name too: give each line another one."
                entry = ParsedLine(number, entry.custom_id, None, FieldError("custom_id", detail))
        yield entry


def _read(number: int, raw: bytes | None) -> ParsedLine:
    def wrong(detail: str, field: str = "line", custom_id: str | None = None) -> ParsedLine:
        return ParsedLine(number, custom_id, None, FieldError(field, detail))

    line = None if raw is None else _read_plain(raw)
    if line is not None:
        return ParsedLine(number, line.custom_id, line, raw=raw)
    if raw is None:
        return wrong(f"A line may have {MAX_LINE_BYTES:,} bytes: shorten it.")
    if not raw.strip():
        return wrong("It is empty: leave it out.")
    try:
        value = strict_json.parse(raw)
        unstorable = problem_of_text(value) if b"\\u" in raw else None
    except RecursionError:
        return wrong("It is no JSON: it is nested too deep.")
    except ValueError as error:
        return wrong(f"It is no JSON: {_shorten(str(error))}.")
    if not isinstance(value, dict):
        return wrong(f"A JSON object is needed, such as {_EXAMPLE}.")
    custom_id = value.get("custom_id")
    custom_id = custom_id[:200] if isinstance(custom_id, str) else None
    if unstorable is not None:
        return wrong(unstorable, custom_id=custom_id if custom_id and is_storable(custom_id) else None)
    try:
        line = Line.model_validate(value)
    except ValidationError as error:
        return wrong(*_first_problem(error), custom_id=custom_id)
    return ParsedLine(number, line.custom_id, line)


def _read_plain(raw: bytes) -> Line | None:
    """A line that is right and holds nothing that parsers take differently; None for any other.

    A third of the time of what tells what is wrong.
    """
    if any(part in raw for part in _ODD):
        return None
    try:
        line = Line.model_validate_json(raw)
    except ValidationError:
        return None
    # Of a name that comes twice the last value was taken. Texts may hold more that looks like a name.
    return line if len(_NAME.findall(raw)) == len(line.model_fields_set) + _count_names(line.params) else None


def _count_names(value: Any) -> int:
    match value:
        case dict():
            return len(value) + sum(map(_count_names, value.values()))
        case list():
            return sum(map(_count_names, value))
        case _:
            return 0


def _first_problem(error: ValidationError) -> tuple[str, str]:
    """What is wrong with a line, and in which of its fields."""
    found = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in found["loc"])
    match found["type"]:
        case "missing":
            return f"This is missing. A line is {_EXAMPLE}.", field
        case "extra_forbidden":
            return f"There is no field {_shorten(field)!r}. Fields of a line: {_KNOWN}.", _shorten(field)
        case _:
            return f"{found['msg']}.", field


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:200]}…"
