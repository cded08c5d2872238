"""Error messages and the progress bar of the command line, and its exit codes."""

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import NoReturn, TextIO

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

USAGE = 2
INTERRUPTED = 130


def say(text: str, *, err: bool = False) -> None:
    """Write one line to stdout, or to stderr; lose it if nobody reads there any more, or the disk is full.

    A log that cannot be written ends no service, and changes no exit code.
    """
    try:
        typer.echo(text, err=err)
    except OSError:
        give_up_on(sys.stderr if err else sys.stdout)


def give_up_on(stream: TextIO) -> None:
    """Have what is written to a stream go nowhere: what it buffers would fail again when the process ends."""
    with contextlib.suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)


def fail(message: str, code: int = 1) -> NoReturn:
    """Write one line to stderr and exit."""
    say(f"impasto: {message}", err=True)
    raise typer.Exit(code)


def fail_on(problems: Iterable[tuple[str, str]]) -> NoReturn:
    """Write a line for each problem, (option, detail), and exit."""
    for option, detail in problems:
        note_problem(option, detail)
    raise typer.Exit(USAGE)


def note_problem(name: str, detail: str) -> None:
    """Write one line to stderr that says what is wrong with something, and go on."""
    say(f"impasto: {name}: {' '.join(detail.split())}", err=True)


def note(message: str) -> None:
    """Write one line to stderr, and go on."""
    say(f"impasto: note: {message}", err=True)


def progress_bar() -> Progress:
    """A progress bar on stderr: steps, what the field ``number`` says, and the time left."""
    number = TextColumn("{task.fields[number]}")
    columns = (BarColumn(), MofNCompleteColumn(), number, TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), *columns, console=Console(stderr=True))


def settings_problems(error: ValidationError) -> list[tuple[str, str]]:
    """Problems of the settings, (environment variable, detail)."""
    return [("IMPASTO_" + "_".join(str(part) for part in e["loc"]).upper(), e["msg"]) for e in error.errors()]
