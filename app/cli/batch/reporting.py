"""What is said of the lines of a batch that are wrong, and of its end."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import typer

from app.batches.schemas import LineProblem
from app.cli.batch.checks import Key
from app.cli.batch.entries import SHOWN_PROBLEMS, Entry
from app.cli.batch.matrix import Recipe
from app.cli.batch.record import ERRORS, OutputFolder
from app.cli.messages import USAGE, fail, note_problem
from app.cli.options import option_name
from app.errors import InputError
from app.jobs.job import Json

# Failed entries that are shown at the end.
SHOWN_FAILURES = 10
AGAIN = "The same command goes on."


@dataclass(frozen=True)
class Options:
    """How a batch is run; without ``url`` in this process. Without ``recipe`` entries are lines of a file."""

    output: Path
    errors: Literal["fail", "skip"]
    device: str | None
    url: str | None
    name: str
    priority: str | None
    reproducible: bool
    recipe: Recipe | None = None


def refuse(problems: Sequence[LineProblem], options: Options, count: int | None = None) -> list[Json]:
    """Exit with the wrong lines, if there are any; or what ``errors.jsonl`` says of them, if skipped.

    ``count`` is how many there are, if these are only the first.
    """
    problems = sorted(problems, key=lambda problem: problem.line)
    if not problems or options.errors == "skip":
        return [_refused(problem) for problem in problems]
    if options.recipe is not None:
        for field, detail in dict.fromkeys((problem.field, problem.detail) for problem in problems):
            note_problem(option_name(field), detail)
        some = (count or len(problems)) < options.recipe.size
        fail(f"Nothing was computed.{' --errors skip computes the others.' if some else ''}", USAGE)
    for problem in problems[:SHOWN_PROBLEMS]:
        note_problem(f"line {problem.line}: {problem.field}", problem.detail)
    count = count or len(problems)
    if count > SHOWN_PROBLEMS:
        note_problem("...", f"and {count - SHOWN_PROBLEMS:,} more")
    wrong = f"{count:,} lines are wrong" if count > 1 else "1 line is wrong"
    fail(f"{wrong}; nothing was computed. --errors skip computes the others.", USAGE)


def _refused(problem: LineProblem) -> Json:
    error = {"type": "input", "title": InputError.title, "detail": problem.detail, "field": problem.field}
    return {
        "line": problem.line,
        "custom_id": problem.custom_id,
        "kind": None,
        "state": "failed",
        "error": error,
    }


def say_end(
    results: OutputFolder,
    entries: Sequence[Entry],
    keys: Mapping[str, Key],
    missing: int,
    failures: Sequence[Json],
) -> None:
    """Say what there is, and what has failed of what was missing; exits with 1 if something has."""
    done = len(keys) - len(results.missing(entries, keys))
    made = missing - (len(keys) - done)
    typer.echo(f"{results.path}: {done:,} of {done + len(failures):,} done, {made:,} of them now")
    if not failures:
        return
    for failed in failures[:SHOWN_FAILURES]:
        say_failure(failed)
    reasons = results.path / ERRORS
    fail(f"{len(failures):,} failed: {reasons} has the reasons. The same command tries them again.")


def say_failure(failed: Json) -> None:
    """Say which entry has failed, and why; one without an error was cancelled."""
    error = failed["error"] or {"field": None, "detail": "It was cancelled."}
    field = f"{error['field']}: " if error["field"] else ""
    note_problem(failed["custom_id"] or f"line {failed['line']}", f"{field}{error['detail']}")
