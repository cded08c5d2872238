"""Checks the entries of a batch, many at a time, before any of them is stored."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from app.batches.errors import MAX_PROBLEMS, BatchEmpty, BatchInvalid, WrongLine
from app.batches.lines import ParsedLine
from app.batches.schemas import Line
from app.batches.spool import encode
from app.errors import FieldError, ServiceError
from app.jobs.preparing import Checked, Preparer
from app.kinds import Params

T = TypeVar("T")

# Entries that are checked, and lines that become jobs, at a time.
CHUNK = 1000


@dataclass
class Findings:
    """What was found of the entries so far; ``problems`` are the first wrong ones."""

    lines: int = 0
    wrong: int = 0
    problems: list[WrongLine] = field(default_factory=list)
    by_kind: Counter[str] = field(default_factory=Counter)


def check_entries(
    preparer: Preparer,
    entries: Iterable[ParsedLine],
    findings: Findings,
    *,
    skip: bool,
    note: Callable[[Checked], None] = lambda checked: None,
) -> Iterator[bytes]:
    """Check entries as they come, and give their lines of the spool, many at a time.

    Fills in ``findings``, and calls ``note`` with each that is right. If ``skip``, wrong ones
    are lines with an error. Raises BatchEmpty; BatchInvalid at the end if some are wrong and not skipped.
    """
    for chunk in chunks(entries, CHUNK):
        spooled = []
        for entry, checked in zip(chunk, check_lines(preparer, [e.line for e in chunk]), strict=True):
            problem = entry.problem
            if isinstance(checked, FieldError):
                problem = checked
            elif checked is not None:
                note(checked)
            _note(findings, entry, problem)
            spooled.append(encode(entry, problem))
        if skip or not findings.wrong:
            yield b"".join(spooled)
    if not findings.lines:
        raise BatchEmpty("It has no lines: send one for each job.")
    if findings.wrong and not skip:
        raise BatchInvalid(findings.problems, findings.wrong)


def _note(findings: Findings, entry: ParsedLine, problem: FieldError | None) -> None:
    findings.lines += 1
    if problem is not None:
        findings.wrong += 1
        if len(findings.problems) < MAX_PROBLEMS:
            findings.problems.append(WrongLine(entry.number, entry.custom_id, problem))
    elif entry.line is not None:
        findings.by_kind[entry.line.kind] += 1


def check_lines(preparer: Preparer, lines: Sequence[Line | None]) -> list[Checked | FieldError | None]:
    """What of each line can be a job, in order: its checked params, or the first thing that is wrong.

    None for None.
    """
    parsed = [None if line is None else _parse(preparer, line) for line in lines]
    asked = [params for params in parsed if isinstance(params, Params)]
    checked = iter(preparer.check(asked))
    found: list[Checked | ServiceError | FieldError | None] = [
        next(checked) if isinstance(params, Params) else params for params in parsed
    ]
    return [each.errors[0] if isinstance(each, ServiceError) else each for each in found]


def _parse(preparer: Preparer, line: Line) -> Params | FieldError:
    try:
        return preparer.parse(line.kind, line.params)
    except ServiceError as error:
        return error.errors[0] if error.errors else FieldError("params", error.detail)


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of ``size``, the last of which may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
