"""The entries of a batch on files: read from JSON Lines, and checked all before any is computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from app.batches.schemas import Line, LineProblem
from app.jobs.job import Json

# The limit of a service, unless IMPASTO_MAX_BATCH_LINES says otherwise.
MAX_LINES = 50_000
# Wrong lines that are shown.
SHOWN_PROBLEMS = 100


@dataclass(frozen=True)
class Entry:
    """One job of a batch: its line, from 1, and the params as they were given."""

    line: int
    custom_id: str
    kind: str
    params: Mapping[str, Any]
    reproducible: bool = False

    def problem(self, field: str, detail: str) -> LineProblem:
        """Something that is wrong with it."""
        return LineProblem(line=self.line, custom_id=self.custom_id, field=field, detail=detail)


@dataclass(frozen=True)
class ReadLines:
    """The entries of a file, and what is wrong with the other lines: one problem for each."""

    entries: list[Entry]
    problems: list[LineProblem]


def read_lines(path: Path) -> ReadLines:
    """Read a file of JSON Lines; empty lines are passed over. Raises OSError."""
    entries: list[Entry] = []
    problems: list[LineProblem] = []
    lines: dict[str, int] = {}
    with path.open("rb") as file:
        for number, text in enumerate(file, 1):
            text = text.removeprefix(b"\xef\xbb\xbf").strip()
            if not text:
                continue
            try:
                line = Line.model_validate_json(text)
            except ValidationError as error:
                problems.append(_problem(number, error))
                continue
            first = lines.setdefault(line.custom_id, number)
            if first != number:
                detail = f"Line {first} has the same custom_id: every line needs its own."
                problems.append(
                    LineProblem(line=number, custom_id=line.custom_id, field="custom_id", detail=detail)
                )
                continue
            entries.append(Entry(number, line.custom_id, line.kind, line.params, line.reproducible))
    return ReadLines(entries, problems)


def _problem(number: int, error: ValidationError) -> LineProblem:
    (first, *_) = error.errors(include_url=False)
    field = ".".join(map(str, first["loc"])) or "line"
    known = ", ".join(Line.model_fields)
    detail = {
        "missing": "This is required.",
        "extra_forbidden": f"A line has no {field!r}, but {known}.",
    }.get(first["type"], f"{first['msg']}.")
    return LineProblem(line=number, custom_id=None, field=field, detail=detail)


def failure(entry: Entry, error: Json) -> Json:
    """What ``errors.jsonl`` says of a failed entry."""
    head = {"line": entry.line, "custom_id": entry.custom_id, "kind": entry.kind}
    return {**head, "state": "failed", "error": error}
