"""The entries of a batch on files: read from JSON Lines, and checked all before any is computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.batches.lines import read_entries, split_lines
from app.batches.schemas import LineProblem
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
    """Read a file of JSON Lines, as a service reads it. Raises OSError."""
    entries: list[Entry] = []
    problems: list[LineProblem] = []
    with path.open("rb") as file:
        for read in read_entries(split_lines(file)):
            if read.line is not None:
                line = read.line
                entries.append(Entry(read.number, line.custom_id, line.kind, line.params, line.reproducible))
            elif read.problem is not None:
                wrong = read.problem
                problems.append(
                    LineProblem(
                        line=read.number, custom_id=read.custom_id, field=wrong.field, detail=wrong.detail
                    )
                )
    return ReadLines(entries, problems)


def failure(entry: Entry, error: Json) -> Json:
    """What ``errors.jsonl`` says of a failed entry."""
    head = {"line": entry.line, "custom_id": entry.custom_id, "kind": entry.kind}
    return {**head, "state": "failed", "error": error}
