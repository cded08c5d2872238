"""``impasto doctor``: what is wrong with a service, and what to do about it."""

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from app.batches.scrub import Damage, missing_files, unknown_files
from app.cli.serve import read_settings
from app.database.engine import make_engine
from app.monitoring.checks import Check, all_checks, attempt
from app.settings import Settings
from app.storage import make_storage

COLORS = {"ok": "green", "warning": "yellow", "wrong": "red"}
# Files that are named; more are counted, but for programs.
NAMED = 20


def doctor(
    files: Annotated[
        bool, typer.Option("--files", help="Compare all rows with all files too, which takes long.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="The service's data folder; IMPASTO_DATA_DIR, or ./data.", show_default=False),
    ] = None,
) -> None:
    """Check device, disk, database, Redis, workers and weights; says what is wrong, and what to do.

    It changes nothing. The exit code is 1 if something is wrong.
    """
    settings = read_settings(data_dir=data_dir)
    found = [*all_checks(settings), attempt("device", lambda: _device(settings), _DEVICE_REMEDY)]
    if files and any(check.part == "database" and check.state == "ok" for check in found):
        found += _check_files(settings, None if as_json else NAMED)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in found], indent=2))
    else:
        _print(found)
    raise typer.Exit(int(any(check.state == "wrong" for check in found)))


_DEVICE_REMEDY = "Set IMPASTO_DEVICE to a device that works, such as cpu; look at the driver."


def _device(settings: Settings) -> str:
    """Compute something on each device, which is what is wrong with most that are there."""
    from app.cli.local_run import choose_compute
    from worker.runtime.failures import require_working

    found = []
    for name in settings.device_names or [settings.device]:
        compute = choose_compute(settings.model_copy(update={"device": name}))
        require_working(compute.device)
        dtype = str(compute.dtype).removeprefix("torch.")
        found.append(f"{compute.device}, {dtype}, {compute.threads} threads")
    return "; ".join(found)


def _check_files(settings: Settings, named: int | None) -> Iterator[Check]:
    engine, storage = make_engine(settings.resolved_database_url), make_storage(settings)
    try:
        missing = [each for page in missing_files(engine, storage) for each in page]
        unknown = unknown_files(engine, storage)
    finally:
        engine.dispose()
    yield _of_damage(
        "files of rows", missing, named, "Put them back from a backup; else delete those jobs and pictures."
    )
    yield _of_damage(
        "files without rows",
        unknown,
        named,
        "The API deletes them once a day, unless they are more than those that it knows.",
        state="warning",
    )


def _of_damage(
    part: str, found: list[Damage], named: int | None, remedy: str, *, state: str = "wrong"
) -> Check:
    """What was found; so many are named, None: all."""
    if not found:
        return Check(part, "ok", "none are missing" if state == "wrong" else "there are none")
    shown = "; ".join(f"{each.key}: {each.problem}" for each in found[:named])
    more = f"; and {len(found) - named} more" if named is not None and len(found) > named else ""
    return Check(part, "warning" if state == "warning" else "wrong", shown + more, remedy)


def _print(found: list[Check]) -> None:
    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    for check in found:
        advice = f"\n{check.remedy}" if check.remedy else ""
        table.add_row(f"[{COLORS[check.state]}]{check.state}[/]", check.part, check.found + advice)
    Console(highlight=False).print(table)
