"""Error messages and the progress bar of the command line, and its exit codes."""

from collections.abc import Iterable
from typing import NoReturn

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

USAGE = 2
INTERRUPTED = 130


def fail(message: str, code: int = 1) -> NoReturn:
    """Write one line to stderr and exit."""
    typer.echo(f"impasto: {message}", err=True)
    raise typer.Exit(code)


def fail_on(problems: Iterable[tuple[str, str]]) -> NoReturn:
    """Write a line for each problem, (option, detail), and exit."""
    for option, detail in problems:
        note_problem(option, detail)
    raise typer.Exit(USAGE)


def note_problem(name: str, detail: str) -> None:
    """Write one line to stderr that says what is wrong with something, and go on."""
    typer.echo(f"impasto: {name}: {' '.join(detail.split())}", err=True)


def note(message: str) -> None:
    """Write one line to stderr, and go on."""
    typer.echo(f"impasto: note: {message}", err=True)


def progress_bar() -> Progress:
    """A progress bar on stderr: steps, what the field ``number`` says, and the time left."""
    number = TextColumn("{task.fields[number]}")
    columns = (BarColumn(), MofNCompleteColumn(), number, TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))


def settings_problems(error: ValidationError) -> list[tuple[str, str]]:
    """Problems of the settings, (environment variable, detail)."""
    return [("IMPASTO_" + "_".join(str(part) for part in e["loc"]).upper(), e["msg"]) for e in error.errors()]
