"""Runs the entries of a batch, here or in a service, and says how it ended."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import typer
from sqlalchemy import Engine

from app.batches.schemas import LineProblem
from app.cli.batch.checks import HashOfSet, Key, LocalRequest, check_all, local_key, local_request
from app.cli.batch.entries import SHOWN_PROBLEMS, Entry, ReadLines
from app.cli.batch.pictures import PictureFinder
from app.cli.batch.progress import BatchProgress
from app.cli.batch.record import ERRORS, OutputFolder, output_folder
from app.cli.messages import INTERRUPTED, USAGE, fail, fail_on, note_problem
from app.cli.options import option_name
from app.cli.serve import read_settings
from app.errors import InputError
from app.jobs.job import Json
from app.networks.catalogue import Catalogue, local_engine
from app.settings import Settings
from app.supervision.openmp import let_threads_sleep

# Failed entries that are shown at the end.
SHOWN_FAILURES = 10
_AGAIN = "The same command goes on."


@dataclass(frozen=True)
class Options:
    """How a batch is run; without ``url`` in this process. ``shows_lines``: entries are lines of a file."""

    output: Path
    errors: Literal["fail", "skip"]
    device: str | None
    url: str | None
    name: str
    priority: str | None
    shows_lines: bool = True


def run_entries(read: ReadLines, folder: Path, options: Options) -> None:
    """Run entries whose pictures are paths from a folder. Exits with 1 if one failed."""
    if options.url is None:
        if options.priority is not None:
            fail_on([("--priority", "Jobs of a service have one: name it with --url.")])
        _run_here(read, folder, options)
    else:
        raise NotImplementedError


def _run_here(read: ReadLines, folder: Path, options: Options) -> None:
    settings = read_settings(device=options.device)
    with local_engine(settings) as engine:
        catalogue, finder = Catalogue(engine), PictureFinder(folder)
        hash_of_set = _hasher_of_sets(settings, engine)

        def request_of(entry: Entry) -> LocalRequest:
            return local_request(entry, finder, catalogue)

        keys, problems = check_all(
            read.entries, lambda entry: local_key(request_of(entry), catalogue, hash_of_set)
        )
        failures = refuse([*read.problems, *problems], options)
        with output_folder(options.output, keys) as results:
            missing = results.missing(read.entries, keys)
            try:
                if missing:
                    # Imports torch, which takes seconds, so only after everything was checked.
                    let_threads_sleep(os.environ)
                    from app.cli.batch.local import compute_entries

                    progress = BatchProgress("Computing", len(missing))
                    failures.extend(
                        compute_entries(missing, keys, request_of, results, settings, engine, progress)
                    )
                results.write_results(read.entries, keys, failures)
            except InputError as error:
                fail_on([("--device", error.detail)])
            except OSError as error:
                fail(f"{error.filename or options.output}: {error.strerror}. What is done is kept.")
            except KeyboardInterrupt:
                left = len(results.missing(read.entries, keys))
                fail(f"Stopped with {left:,} left; what is done is kept. {_AGAIN}", INTERRUPTED)
            say_end(results, read.entries, keys, len(missing), failures)


def _hasher_of_sets(settings: Settings, engine: Engine | None) -> HashOfSet:
    """The hashes of sets, which only torch can read."""

    @cache
    def hasher() -> HashOfSet:
        from app.cli.batch.local import hasher_of_sets

        return hasher_of_sets(settings, engine)

    return lambda params, param, given: hasher()(params, param, given)


def refuse(problems: Sequence[LineProblem], options: Options) -> list[Json]:
    """Exit with the wrong lines, if there are any; or what ``errors.jsonl`` says of them, if skipped."""
    problems = sorted(problems, key=lambda problem: problem.line)
    if not problems or options.errors == "skip":
        return [_refused(problem) for problem in problems]
    shown = {(problem.line, problem.field, problem.detail): None for problem in problems}
    if not options.shows_lines:
        shown = {(0, problem.field, problem.detail): None for problem in problems}
    for line, field, detail in list(shown)[:SHOWN_PROBLEMS]:
        place = f"line {line}: {field}" if options.shows_lines else option_name(field)
        note_problem(place, detail)
    more = len(shown) - SHOWN_PROBLEMS
    if more > 0:
        typer.echo(f"impasto: and {more:,} more.", err=True)
    if options.shows_lines:
        count = f"{len(problems):,} {'lines are' if len(problems) > 1 else 'line is'} wrong"
        fail(f"{count}; nothing was computed. --errors skip computes the others.", USAGE)
    fail("Nothing was computed.", USAGE)


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
        name = failed["custom_id"] or f"line {failed['line']}"
        error = failed["error"] or {"field": None, "detail": "It was cancelled."}
        field = f"{error['field']}: " if error["field"] else ""
        note_problem(name, f"{field}{error['detail']}")
    fail(f"{len(failures):,} failed: {results.path / ERRORS} has the reasons. {_AGAIN}")
