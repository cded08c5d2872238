"""``impasto doctor``: what is wrong with a service, and what to do about it."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.batches.scrub import Damage, missing_files, unknown_files
from app.cli.serve import DataDir, read_settings
from app.database.engine import make_engine
from app.monitoring.checks import Check, all_checks, attempt
from app.settings import Settings
from app.storage import Storage, make_storage
from app.supervision.devices import devices_of
from app.supervision.startup import StartError

COLORS = {"ok": "green", "warning": "yellow", "wrong": "red"}
# Files that are named; more are counted, but for programs.
NAMED = 20


def doctor(
    files: Annotated[
        bool, typer.Option("--files", help="Compare all rows with all files too, which takes long.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
    data_dir: DataDir = None,
) -> None:
    """Check device, disk, database, Redis, workers and weights; says what is wrong, and what to do.

    It changes nothing. The exit code is 1 if something is wrong.
    """
    settings = read_settings(data_dir=data_dir)
    found = [*all_checks(settings), *_check_devices(settings)]
    states = {check.part: check.state for check in found}
    if files and states["database"] == "ok" and "files" not in states:
        found += _check_files(settings, None if as_json else NAMED)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in found], indent=2))
    else:
        _print(found)
    raise typer.Exit(int(any(check.state == "wrong" for check in found)))


def _check_devices(settings: Settings) -> Iterator[Check]:
    """Each device that has workers, and those of training."""
    try:
        names = dict.fromkeys(devices_of(settings))
    except StartError as error:
        yield Check("device", "wrong", str(error))
        return
    remedy = "Set {} to devices that work, such as cpu; look at the driver."
    for name in names:
        chosen = settings.model_copy(update={"device": name})
        yield attempt("device", partial(_device, chosen, "long"), remedy.format("IMPASTO_DEVICE"))
    for name in dict.fromkeys(settings.training_device_names):
        chosen = settings.model_copy(update={"training_devices": name})
        check = partial(_device, chosen, "training")
        yield attempt("training device", check, remedy.format("IMPASTO_TRAINING_DEVICES"))


def _device(settings: Settings, lane: str) -> str:
    """Compute something on the device of a lane, which is what is wrong with most that are there."""
    from app.cli.local_run import choose_compute
    from worker.runtime.failures import require_working

    compute = choose_compute(settings, lane)
    require_working(compute.device)
    dtype = str(compute.dtype).removeprefix("torch.")
    return f"{compute.device}, {dtype}, {compute.threads} threads"


def _check_files(settings: Settings, named: int | None) -> Iterator[Check]:
    engine = make_engine(settings.resolved_database_url)
    try:
        with _open_storage(settings) as storage:
            yield _of_damage(
                "files of rows",
                [each for page in missing_files(engine, storage) for each in page],
                named,
                "Set IMPASTO_DATA_DIR to their folder, or put them back from a backup; else delete those "
                "jobs and pictures.",
            )
            unknown, unreadable = unknown_files(engine, storage)
    except OSError as error:
        remedy = "Mend the file system of IMPASTO_DATA_DIR, or mount it again."
        yield Check("files", "wrong", str(error), remedy)
        return
    finally:
        engine.dispose()
    yield _of_damage(
        "files without rows",
        unknown,
        named,
        "The API deletes them once a day, unless they are more than those that it knows.",
        state="warning",
        none="there are none",
    )
    yield _of_damage(
        "unreadable files",
        unreadable,
        named,
        "Mend their permissions or their disk: until then files without rows stay there.",
        none="there are none",
    )


@contextmanager
def _open_storage(settings: Settings) -> Iterator[Storage]:
    """The storage; an empty one where there is none, which would be made."""
    if (settings.data_dir / "files").is_dir():
        yield make_storage(settings)
        return
    with tempfile.TemporaryDirectory(prefix="impasto-doctor-") as empty:
        yield make_storage(settings.model_copy(update={"data_dir": Path(empty)}))


def _of_damage(
    part: str,
    found: list[Damage],
    named: int | None,
    remedy: str,
    *,
    state: Literal["warning", "wrong"] = "wrong",
    none: str = "none are missing",
) -> Check:
    """What was found, of which so many are named, None: all; or that there is ``none``."""
    if not found:
        return Check(part, "ok", none)
    shown = "; ".join(f"{each.key}: {each.problem}" for each in found[:named])
    more = f"; and {len(found) - named} more" if named is not None and len(found) > named else ""
    return Check(part, state, shown + more, remedy)


def _print(found: list[Check]) -> None:
    table = Table(show_header=False, show_edge=False, pad_edge=False, box=None)
    for check in found:
        advice = f"\n{check.remedy}" if check.remedy else ""
        table.add_row(Text(check.state, COLORS[check.state]), check.part, check.found + advice)
    # A path may look like markup.
    Console(highlight=False, markup=False, emoji=False).print(table)
